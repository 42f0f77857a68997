// node build.mjs COMPONENTIZE-JS WIT OUTPUT

import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [tool, witPath, output] = process.argv.slice(2);
const { componentize } = await import(pathToFileURL(tool));
const sourcePath = new URL("app.js", import.meta.url).pathname;
const { component } = await componentize({ sourcePath, witPath, worldName: "bindings" });
await writeFile(output, component);
