// Run by `wasgi build`: bundles the app with esbuild and makes a component of it with ComponentizeJS, both the author's own.
// Its one argument is a file of settings; what came of it is in the report that these name.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(await readFile(process.argv[2], "utf8"));
const warnings = [];

// A package as it is to be imported, from its folder.
async function load(folder) {
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const entry = manifest.exports?.import ?? manifest.exports?.["."]?.import ?? manifest.main ?? "index.js";
  const loaded = await import(pathToFileURL(join(folder, entry)));
  return loaded.build || loaded.componentize ? loaded : loaded.default;
}

// The app's modules and packages as one module, and its source map. "wasgi" itself stays beside it, since the server
// and the app must mean the same classes.
async function bundle() {
  const esbuild = await load(settings.esbuild);
  const own = {
    name: "wasgi",
    setup(build) {
      build.onResolve({ filter: /^wasgi$/ }, () => ({ path: "./wasgi/index.js", external: true }));
    },
  };
  const shown = (messages, kind) => esbuild.formatMessages(messages, { kind, color: false, terminalWidth: 100 });
  try {
    const built = await esbuild.build({
      absWorkingDir: settings.folder,
      entryPoints: [settings.entry],
      outfile: join(settings.folder, "app.js"),
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
      conditions: ["worker"],
      target: "es2022",
      charset: "utf8",
      keepNames: true,
      sourcemap: "external",
      sourcesContent: false,
      define: { "process.env.NODE_ENV": '"production"' },
      logLevel: "silent",
      plugins: [own],
    });
    for (const text of await shown(built.warnings, "warning")) warnings.push({ message: "esbuild", log: text.trim() });
    const file = (end) => built.outputFiles.find(({ path }) => path.endsWith(end)).text;
    const { sources, mappings } = JSON.parse(file("app.js.map"));
    return { code: file("app.js"), map: { sources, mappings } };
  } catch (error) {
    if (!error.errors) throw error;
    const builtin = error.errors.some(({ text }) => /"(node:|fs"|path"|crypto"|http"|net")/.test(text));
    const mend = builtin ? "the modules of Node.js are not in a component: use the web's own, such as fetch, crypto and URL\n" : "";
    throw new Error(`${(await shown(error.errors, "error")).join("").trim()}\n${mend}`);
  }
}

// What the engine itself prints around an error at the build is of no use to an author.
function explained(error) {
  const lines = String(error?.message ?? error).split("\n");
  const kept = lines.filter((line) => !/wasm function|wasm backtrace|^\s*\d+: (error while|0x)|^\s*at |initializer\.js/.test(line));
  return kept.join("\n").trim();
}

async function build() {
  const { code, map } = await bundle();
  const write = (name, text) => writeFile(join(settings.stage, name), text);
  await write("app.js", code);
  await write("map.js", `export default ${JSON.stringify(map)};\n`);
  // In this order: the prelude comes before all that is the app's.
  await write(
    "entry.js",
    `import { serve } from "./wasgi/serve.js";\nimport * as app from "./app.js";\nimport map from "./map.js";\n\nexport const application = serve(app, map);\n`,
  );
  const { componentize } = await load(settings.componentize);
  // Files are named from here in the stacks of errors.
  process.chdir(settings.stage);
  const { component } = await componentize({
    sourcePath: join(settings.stage, "entry.js"),
    witPath: settings.wit,
    worldName: "js-app",
    disableFeatures: ["http", "fetch-event"],
  });
  await writeFile(settings.component, component);
}

let error = null;
try {
  await build();
} catch (failure) {
  error = explained(failure) || "no reason was given";
}
await writeFile(settings.report, JSON.stringify({ error, warnings }));
process.exitCode = error === null ? 0 : 1;
