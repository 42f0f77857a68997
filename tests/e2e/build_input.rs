//! Bad input of `wasgi build` that is told before any compiler starts: its file, the reason, the mend, and the code.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use wasgi_harness::files;

use crate::project::Project;

const APP: (&str, &str) = ("app.py", "def app(environ, start_response):\n    return []\n");

/// A project whose manifest this is is refused.
#[track_caller]
fn refused_manifest(manifest: impl AsRef<[u8]>, code: i32, named: &[&str]) {
    let project = Project::new(&[APP]);
    project.write("wasgi.toml", manifest);
    let outcome = project.refused(project.command(&["build", "app:app", "-o", "old.wasm"]), code, named);
    assert!(outcome.stderr.contains("wasgi.toml"), "{outcome:?}");
}

/// A project is refused, with what `change` has done to it.
#[track_caller]
fn refused_project(change: impl FnOnce(&Project), code: i32, named: &[&str]) {
    let project = Project::new(&[APP]);
    change(&project);
    project.refused(project.command(&["build", "app:app", "-o", "old.wasm"]), code, named);
}

#[test]
fn a_manifest_that_is_wrong_is_told_by_its_line() {
    refused_manifest("[build]\nwarmup = ['/']\n", 78, &["line 2", "warmup"]);
    refused_manifest("[build]\nwarm-up = '/'\n", 78, &["line 2", "invalid type"]);
    refused_manifest("[build]\ninterface = 'cgi'\n", 78, &["line 2", "cgi", "wsgi"]);
    refused_manifest("[build]\napp = 'mysite.wsgi'\n", 78, &["mysite.wsgi", "module:callable"]);
    refused_manifest("[build\n", 78, &["line 1"]);
    refused_manifest(b"name = 'a'\n# \xff\n", 78, &["line 2: not UTF-8"]);
    refused_manifest("[asks]\nenv = ['A=B']\n", 78, &["[asks]", "A=B"]);
    refused_manifest("[build]\nexclude = ['[']\n", 78, &["correct the pattern"]);
    refused_manifest("#".repeat(2 << 20), 66, &["1 MiB"]);
}

#[test]
fn a_manifest_that_is_no_file_is_not_waited_for() {
    let named = ["wasgi.toml", "no file"];
    refused_project(|project| fs::create_dir(project.path("wasgi.toml")).unwrap(), 66, &named);
    refused_project(|project| files::make_fifo(&project.path("wasgi.toml")), 66, &named);
}

#[test]
fn what_names_no_app_is_told_with_the_form() {
    let project = Project::new(&[APP]);
    for app in ["mysite.wsgi", "a b:c", "../x:y", ":", "app:", "app.py:app", "app:a\nb"] {
        project.refused(project.command(&["build", app, "-o", "old.wasm"]), 2, &["names no app", "--folder"]);
    }
    project.refused(project.command(&["build"]), 2, &["no Cargo.toml", "wasgi build MODULE:CALLABLE"]);
    project.refused(project.command(&["build", "-C", "missing", "app:app"]), 66, &["missing is not a folder"]);
}

#[test]
fn an_output_that_cannot_be_is_told_before_the_work() {
    let project = Project::new(&[APP]);
    files::make_fifo(&project.path("pipe"));
    symlink("/dev/null", project.path("null")).unwrap();
    for output in ["missing/site.wasm", "/proc/site.wasm", "..", ".", "pipe", "null", "new/"] {
        let outcome =
            project.refused(project.command(&["build", "app:app", "-o", output]), 73, &["cannot write", output]);
        assert!(!outcome.stderr.contains("copying"), "{outcome:?}");
    }
}

#[test]
fn a_source_file_is_not_built_over() {
    let project = Project::new(&[APP, ("wasgi.toml", "name = 'a'\n")]);
    for output in ["wasgi.toml", "app.py"] {
        let command = project.command(&["build", "app:app", "-o", output]);
        project.refused(command, 73, &["cannot write", output, "not WebAssembly", "name another file"]);
    }
    assert_eq!(fs::read_to_string(project.path("app.py")).unwrap(), APP.1);
}

#[test]
fn half_a_gigabyte_is_told_with_its_largest_file() {
    let large = |project: &Project| {
        project.write("media/film.mp4", "");
        File::create(project.path("media/film.mp4")).unwrap().set_len(500 << 20).unwrap();
    };
    refused_project(large, 65, &["bundle-max", "media/film.mp4", "`exclude` under [build]"]);
}

#[test]
fn names_that_no_bundle_holds_are_told_on_one_line() {
    for (name, shown) in [(&b"a\nb"[..], r"a\nb"), (b"\xff\xfe.txt", "UTF-8"), (b"\x1b[2J", r"\u{1b}[2J")] {
        refused_project(
            |project| fs::write(project.path("").join(OsStr::from_bytes(name)), "x").unwrap(),
            65,
            &[shown, "rename it"],
        );
    }
}

#[test]
fn links_that_lead_nowhere_or_in_a_circle_are_told() {
    refused_project(|project| symlink(".", project.path("circle")).unwrap(), 65, &["circle is a link to a folder"]);
    refused_project(|project| symlink("gone", project.path("broken")).unwrap(), 66, &["broken", "exclude it"]);
}

#[test]
fn modules_of_wasgi_are_not_replaced() {
    for name in ["wasgi/__init__.py", "wasgi.py", "wasgi_entry.py", "wit_world/__init__.py"] {
        refused_project(|project| project.write(name, ""), 65, &[name.split('/').next().unwrap(), "rename it"]);
    }
}

#[test]
fn what_pip_refuses_is_told_in_its_own_words() {
    for (line, said) in
        [("??? what\n", "Invalid requirement"), ("nothing @ file:///nowhere/nothing.whl\n", "nothing.whl")]
    {
        refused_project(
            |project| project.write("requirements.txt", line),
            65,
            &["wasgi: pip install -r requirements.txt", said, "pip failed"],
        );
    }
}

#[test]
fn a_tool_that_is_missing_is_told_with_how_to_get_it() {
    let project = Project::new(&[APP]);
    let command = project.command_with([project.beside("home")], &["build", "app:app"]);
    project.refused(command, 69, &["componentize-py is not there", "pip install 'componentize-py==0.25.*'"]);
    let project = Project::new(&[("Cargo.toml", "[package]\nname = 'a'\n")]);
    let command = project.command_with([project.beside("home")], &["build"]);
    project.refused(command, 69, &["cargo is not there", "rustup"]);
}

#[test]
fn a_rust_without_the_target_is_told_with_how_to_get_it() {
    let project = Project::new(&[("Cargo.toml", "[package]\nname = 'a'\n")]);
    for name in ["cargo", "rustc"] {
        program(&project, name, "echo /nowhere");
    }
    let command = project.command_with([project.beside("home")], &["build"]);
    project.refused(command, 69, &["wasm32-wasip2", "rustup target add wasm32-wasip2"]);
}

#[test]
fn a_tool_that_does_not_end_is_stopped_after_its_time() {
    let project = Project::new(&[("app.py", "while True:\n    pass\n")]);
    let command = project.command(&["build", "app:app", "-o", "old.wasm", "--time-max", "3s"]);
    project.refused(command, 65, &["componentize-py took longer than 3s", "look in app:app for a loop", "--time-max"]);
}

/// A program in the project's HOME.
fn program(project: &Project, name: &str, script: &str) {
    let path = project.beside("home").join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
}
