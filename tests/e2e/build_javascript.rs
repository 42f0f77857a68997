//! `wasgi new` and `wasgi build` of apps in JavaScript, by the real esbuild and ComponentizeJS.

use std::fs;
use std::process::Command;

use wasgi_harness::{Host, Wasgi, javascript_tools};

use crate::project::{PATIENCE, Project, names_in};

/// The command, with Node and the packages that `npm install` would bring.
fn with_node(project: &Project, args: &[&str]) -> Wasgi {
    let tools = javascript_tools();
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(Into::into);
    project
        .command_with([tools.join("bin")].into_iter().chain(system), args)
        .env("NODE_PATH", tools.join("node_modules"))
        .patience(PATIENCE)
}

const PACKAGE: (&str, &str) = ("package.json", r#"{"name": "@me/site", "type": "module"}"#);

/// A project with this module is refused, and its tools say why.
#[track_caller]
fn refused_module(text: &str, named: &[&str]) {
    let project = Project::new(&[PACKAGE, ("src/index.js", text)]);
    project.refused(with_node(&project, &["build", "-o", "old.wasm"]), 65, named);
}

#[test]
fn a_new_app_passes_its_test_is_built_and_answers() {
    let project = Project::new(&[]);
    let made = project.command(&["new", "--lang", "js", "my-app"]).finish();
    assert_eq!(made.code, Some(0), "{made:?}");
    let tested = Command::new(javascript_tools().join("bin/node"))
        .arg("--test")
        .current_dir(project.path("my-app"))
        .output()
        .unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    // What the app says as it loads, modules and packages of its own, and a file for its bundle.
    project.write("my-app/node_modules/greeting/package.json", r#"{"name": "greeting", "main": "index.cjs"}"#);
    project.write("my-app/node_modules/greeting/index.cjs", "module.exports = (name) => `Hello from ${name}!\\n`;\n");
    project.write("my-app/src/name.ts", "export const name: string = \"a package\";\n");
    project.write(
        "my-app/src/index.js",
        "import greet from \"greeting\";\nimport { name } from \"./name.ts\";\n\nconsole.log(\"printed at the build\");\n\nexport default () => new Response(greet(name));\n",
    );
    let built = with_node(&project, &["build", "-C", "my-app"]).finish();
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(built.stdout.starts_with("built my-app.wasm ("), "{built:?}");
    assert!(built.stderr.contains("bundling src/index.js and running its modules"), "{built:?}");
    assert!(built.stderr.contains("  printed at the build\n"), "{built:?}");
    assert_eq!(names_in(&project.path("")), ["my-app", "my-app.wasm"]);
    assert_eq!(names_in(&project.beside("tmp")), [""; 0]);
    // Compiled before a host is waited for: an engine takes a while.
    let check = Wasgi::new(["check"]).arg(project.path("my-app.wasm")).arg("--cache").arg(project.beside("cache"));
    let checked = check.without_cache_flag().patience(PATIENCE).finish();
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let host = Host::serving_file(&project.path("my-app.wasm")).cache(&project.beside("cache")).start();
    host.get("/").expect_text("Hello from a package!\n");
}

#[test]
fn a_module_that_is_wrong_is_told_by_its_file_and_line() {
    refused_module("export default {\n  fetch( { }\n", &["src/index.js:3"]);
    refused_module("import { x } from \"./missing.js\";\nexport default x;\n", &["src/index.js:1", "./missing.js"]);
    refused_module("import fs from \"node:fs\";\nexport default fs;\n", &["node:fs", "not in a component"]);
}

#[test]
fn a_module_that_fails_as_it_loads_is_told_in_its_own_words() {
    refused_module("\nthrow new RangeError(\"at the build\");\n", &["at the build"]);
}

#[test]
fn a_secret_made_at_the_build_is_refused_with_the_mend() {
    refused_module(
        "const key = crypto.randomUUID();\nexport default () => new Response(key);\n",
        &["crypto.randomUUID()", "call it in a request"],
    );
}

#[test]
fn a_module_without_an_application_is_told_what_to_export() {
    refused_module("export const answer = 42;\n", &["exports no application", "export default { fetch(request)"]);
}

#[test]
fn what_is_missing_is_told_before_any_work() {
    let module = ("src/index.js", "export default () => new Response();\n");
    let project = Project::new(&[PACKAGE, module]);
    let tools = javascript_tools();
    let command = project.command_with([tools.join("bin")], &["build"]);
    project.refused(command, 69, &["componentize-js is not there", "npm install --save-dev", "esbuild"]);
    let command = project.command_with([project.beside("home")], &["build"]);
    project.refused(command, 69, &["node is not there", "Node.js 20"]);
    let project = Project::new(&[PACKAGE]);
    project.refused(with_node(&project, &["build"]), 65, &["src/index.js", "`entry` under [build]"]);
    project.write("wasgi.toml", "[build]\nentry = 'gone.js'\n");
    project.refused(with_node(&project, &["build"]), 65, &["gone.js is not there"]);
    fs::write(project.path("package.json"), "{\n").unwrap();
    project.refused(with_node(&project, &["build"]), 65, &["package.json", "correct it"]);
}

#[test]
fn half_a_gigabyte_to_bring_along_is_told_before_any_work() {
    let project = Project::with_a_film(&[PACKAGE, ("src/index.js", "export default () => new Response();\n")]);
    let command = with_node(&project, &["build", "-o", "old.wasm"]);
    let outcome = project.refused(command, 65, &["bundle-max", "media/film.mp4"]);
    assert!(!outcome.stderr.contains("bundling"), "{outcome:?}");
}

#[test]
fn a_module_that_does_not_end_is_stopped_after_its_time() {
    let project = Project::new(&[PACKAGE, ("src/index.js", "for (;;) {}\n")]);
    let command = with_node(&project, &["build", "-o", "old.wasm", "--time-max", "8s"]);
    project.refused(command, 65, &["node took longer than 8s", "look in src/index.js for a loop"]);
}
