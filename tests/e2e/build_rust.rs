//! `wasgi new` and `wasgi build` of apps in Rust, with the SDK that the binary carries.

use std::env;
use std::path::{Path, PathBuf};

use wasgi_harness::{Host, Wasgi};

use crate::project::{Project, names_in};

/// The command, with the tester's Rust and what was fetched for the guests: it asks no network.
fn with_rust(project: &Project, args: &[&str]) -> Wasgi {
    let home = PathBuf::from(env::var_os("HOME").expect("HOME is set"));
    let folder = |name: &str, usual: &str| env::var_os(name).map_or_else(|| home.join(usual), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut command = project.command_with(env::split_paths(&path), args);
    for (name, usual) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let folder = folder(name, usual);
        if folder.is_dir() {
            command = command.env(name, folder);
        }
    }
    // Kept, since Debian's toolchain builds the standard library into it.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("built-apps");
    command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", target)
}

#[test]
fn a_new_app_in_rust_is_built_far_from_here_and_answers() {
    let project = Project::new(&[]);
    let made = project.command(&["new", "--lang", "rust", "my-app"]).finish();
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.contains("cd my-app"), "{made:?}");
    let again = project.command(&["new", "--lang", "rust", "my-app"]);
    project.refused(again, 73, &["my-app is there already", "choose another name"]);
    let built = with_rust(&project, &["build", "-C", "my-app"]).finish();
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(built.stdout.starts_with("built my-app.wasm ("), "{built:?}");
    assert!(built.stderr.contains("wasgi: cargo build --release --target wasm32-wasip2\n"), "{built:?}");
    assert_eq!(names_in(&project.path("")), ["my-app", "my-app.wasm", "old.wasm"]);
    let host = Host::serving_file(&project.path("my-app.wasm")).start();
    host.get("/").expect_text("Hello from my-app!\n");
    host.get("/elsewhere").expect(404);
}

#[test]
fn names_that_are_none_are_refused() {
    let project = Project::new(&[]);
    for name in ["../x", "My App", "django", ""] {
        project.refused(project.command(&["new", "--lang", "django", name]), 2, &["cannot be an app's name"]);
    }
    assert_eq!(names_in(&project.path("")), ["old.wasm"]);
}
