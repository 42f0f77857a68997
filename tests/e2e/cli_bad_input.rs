//! Bad input: one line that names the thing, the reason and the mend, and the exit code.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wasgi_harness::{Host, Outcome, Wasgi, files, guest, guests_dir};

use crate::common::refused;

fn serve(args: &[&str]) -> Outcome {
    let args: Vec<OsString> = args.iter().map(Into::into).collect();
    Wasgi::new(["serve"]).arg(guest("hello")).args(args).arg("--listen").arg("127.0.0.1:0").finish()
}

fn serve_path(path: &Path) -> Outcome {
    Wasgi::new(["serve"]).arg(path).arg("--listen").arg("127.0.0.1:0").finish()
}

#[test]
pub(crate) fn what_is_no_app_is_refused_in_one_line() {
    for (name, reason, mend) in [
        ("core-module", "a core module", "wasm32-wasip2"),
        ("foreign-program", "core module that cannot be made a component", "build it for WASI alone"),
        ("empty", "exports no `application`", "SDK"),
        ("other-world", "exports no `application`", "SDK"),
        ("wants-other", "wasi:keyvalue", "an app may import"),
    ] {
        let file = format!("{name}.wasm");
        refused(&serve_path(&guest(name)), 65, &[&file, reason, mend]);
    }
}

#[test]
fn what_is_no_wasm_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.wasm");
    for content in [&b""[..], b"\0asm", b"#!/bin/sh\necho not wasm\n", b"\x7fELF\x02\x01\x01\0\0\0\0\0"] {
        fs::write(&path, content).unwrap();
        refused(&serve_path(&path), 65, &["app.wasm", "not a WebAssembly component", "wasm32-wasip2"]);
    }
}

#[test]
fn a_damaged_component_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.wasm");
    let whole = fs::read(guest("hello")).unwrap();
    for length in [100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        refused(&serve_path(&path), 65, &["app.wasm"]);
    }
}

#[test]
fn a_component_over_component_max_is_refused() {
    let outcome = serve(&["--component-max", "1000B"]);
    refused(&outcome, 65, &["hello.wasm", "component-max"]);
}

#[test]
fn what_cannot_be_read_is_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    refused(&serve_path(&dir.path().join("nowhere.wasm")), 66, &["nowhere.wasm", "No such file"]);
    refused(&serve_path(dir.path()), 66, &[&dir.path().display().to_string(), "no .wasm file"]);
    let missing = dir.path().join("host.toml");
    let outcome = Wasgi::new(["serve", "--config"]).arg(&missing).finish();
    refused(&outcome, 66, &["host.toml", "No such file"]);
    let outcome = Wasgi::new(["request"]).arg(guest("hello")).args(["/", "-d", "@/nowhere/data"]).finish();
    refused(&outcome, 66, &["/nowhere/data", "No such file"]);
}

#[test]
fn a_component_that_a_config_names_must_be_there() {
    refused(&with_config("[[app]]\nname = \"a\"\ncomponent = \"gone.wasm\"\nroutes = [\"/\"]\n").0, 66, &["gone.wasm"]);
}

#[test]
fn a_malformed_flag_is_told_in_one_line() {
    for (args, named) in [
        (&["--reuse", "many"][..], &["--reuse", "many"][..]),
        (&["--reuse", "0"], &["--reuse"]),
        (&["--reuse", "-1"], &["-1"]),
        (&["--cpu-max", "5"], &["--cpu-max", "5"]),
        (&["--cpu-max", "0s"], &["--cpu-max"]),
        (&["--memory-max", "lots"], &["--memory-max", "lots"]),
        (&["--memory-max", "1GB2"], &["--memory-max", "1GB2"]),
        (&["--queue-max", "-1"], &["-1"]),
        (&["--grace", "soon"], &["--grace", "soon"]),
        (&["--listen", "nonsense"], &["--listen", "nonsense"]),
        (&["--listen", "127.0.0.1:99999"], &["--listen", "99999"]),
        (&["--env", "NOVALUE"], &["--env", "NOVALUE", "NAME=VALUE"]),
        (&["--env", "=x"], &["--env"]),
        (&["--dir", "nocolon"], &["--dir", "nocolon", "HOST:GUEST"]),
        (&["--dir", "/tmp:data"], &["--dir", "data"]),
        (&["--request-body", "maybe"], &["--request-body", "maybe"]),
        (&["--access-log-format", "%(nothing)s"], &["--access-log-format", "nothing"]),
        (&["--log-format", "xml"], &["--log-format", "xml"]),
        (&["--no-such-flag"], &["--no-such-flag"]),
        (&["--no-such-max", "5"], &["--no-such-max"]),
        (&["another.wasm"], &["another.wasm"]),
        (&["--config", "host.toml"], &["--config"]),
    ] {
        refused(&serve(args), 2, named);
    }
}

#[test]
fn a_command_that_says_too_little_is_told_in_one_line() {
    refused(&Wasgi::new(["serve"]).without_cache_flag().finish(), 2, &["APP.wasm", "--config"]);
    refused(&Wasgi::new(["check"]).without_cache_flag().finish(), 2, &["APP.wasm"]);
    refused(&Wasgi::new(["request"]).without_cache_flag().arg(guest("hello")).finish(), 2, &["PATH"]);
    refused(&Wasgi::run(["no-such-command"]), 2, &["no-such-command"]);
    let outcome = Wasgi::new(["request"]).arg(guest("hello")).arg("no-slash").finish();
    refused(&outcome, 2, &["no-slash", "/"]);
    let outcome = Wasgi::new(["request"]).arg(guest("hello")).args(["/", "-H", "no colon"]).finish();
    refused(&outcome, 2, &["no colon", "Name: value"]);
}

#[test]
fn grants_are_for_a_single_app() {
    let outcome = Wasgi::new(["serve"]).arg(guests_dir()).args(["--env", "A=b"]).finish();
    refused(&outcome, 2, &["--env", "single app"]);
    let outcome = Wasgi::new(["serve"]).arg(guests_dir()).args(["--dir", "/tmp:/tmp"]).finish();
    refused(&outcome, 2, &["--dir", "single app"]);
}

#[test]
fn a_granted_directory_must_be_there() {
    refused(&serve(&["--dir", "/nowhere/at/all:/data"]), 78, &["/nowhere/at/all", "No such file"]);
}

#[test]
fn a_folder_that_takes_no_files_is_told_in_one_line() {
    refused(&serve(&["--spool-dir", "/proc"]), 73, &["/proc", "--spool-dir"]);
    let outcome =
        Wasgi::new(["serve"]).without_cache_flag().arg(guest("hello")).args(["--cache", "/proc/cache"]).finish();
    refused(&outcome, 73, &["/proc/cache", "--cache"]);
    refused(&serve(&["--access-log", "/nowhere/access.log"]), 73, &["/nowhere/access.log", "--access-log"]);
}

/// The outcome of serving this host.toml.
fn with_config(toml: &str) -> (Outcome, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("host.toml");
    fs::write(&path, toml.replace("$GUESTS", &guests_dir().display().to_string())).unwrap();
    (Wasgi::new(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(path).finish(), dir)
}

#[test]
fn a_bad_config_is_told_in_one_line_with_its_place() {
    const APP: &str = "[[app]]\nname = \"a\"\ncomponent = \"$GUESTS/hello.wasm\"\nroutes = [\"/\"]\n";
    for (toml, named) in [
        ("not toml", &["host.toml:1"][..]),
        ("", &["host.toml", "no app", "[[app]]"]),
        ("listen = []\n$APP", &["host.toml", "listen"]),
        ("listen = [\"nonsense\"]\n$APP", &["host.toml", "nonsense"]),
        ("lisetn = []\n$APP", &["host.toml:1", "lisetn"]),
        ("[limits]\ncpu-max = 5\n$APP", &["host.toml:2", "cpu-max", "such as", "5s"]),
        ("[limits]\nmemory-max = true\n$APP", &["host.toml:2", "memory-max", "such as", "64KiB"]),
        ("[limits]\nqueue-max = \"5\"\n$APP", &["host.toml:2", "queue-max", "such as 64", "without quotes"]),
        ("$APPreuse = \"5\"\n", &["host.toml:5", "app.reuse", "reuse = 100"]),
        ("$APProutes = \"/\"\n", &["host.toml:5", "`routes` is there already", "delete"]),
        ("[app]\nname = \"a\"\n", &["host.toml:1", "app", "[[app]]"]),
        ("listen = \"127.0.0.1:0\"\n$APP", &["host.toml:1", "listen", "[\"127.0.0.1:8080\"]"]),
        ("[limits]\ncpu_max = \"5s\"\n$APP", &["host.toml:2", "cpu_max"]),
        ("trusted-peers = [\"somebody\"]\n$APP", &["host.toml", "somebody"]),
        ("$APP[app.limits]\nconnections-max = 5\n", &["host.toml:6", "connections-max", "[limits]"]),
        ("$APP$APP", &["host.toml", "another app named a"]),
        ("$APPtenant = \"nobody\"\n[[tenant]]\nname = \"acme\"\n", &["host.toml", "nobody"]),
        ("$APPname2 = \"x\"\n", &["host.toml:5", "name2"]),
        ("$APPreuse = 0\n", &["host.toml", "reuse"]),
        ("$APP[[app.dir]]\nhost = \"/tmp\"\nguest = \"data\"\n", &["host.toml", "data"]),
        ("[[app]]\nname = \"A b\"\ncomponent = \"x\"\nroutes = [\"/\"]\n", &["host.toml", "A b"]),
        ("[[app]]\nname = \"a\"\ncomponent = \"x\"\nroutes = []\n", &["host.toml", "no route"]),
        ("[[app]]\nname = \"a\"\nroutes = [\"/\"]\n", &["host.toml", "add component = \"shop.wasm\""]),
    ] {
        refused(&with_config(&toml.replace("$APP", APP)).0, 78, named);
    }
}

#[test]
fn one_route_for_two_apps_is_refused() {
    let app =
        |name: &str| format!("[[app]]\nname = \"{name}\"\ncomponent = \"$GUESTS/hello.wasm\"\nroutes = [\"/x\"]\n");
    refused(&with_config(&format!("{}{}", app("a"), app("b"))).0, 78, &["host.toml", "/x", "leads to app a already"]);
}

#[test]
fn a_file_whose_name_is_no_name_of_an_app_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(guest("hello"), dir.path().join("Hello World.wasm")).unwrap();
    refused(&serve_path(dir.path()), 78, &["Hello World.wasm", "a-z"]);
}

#[test]
fn a_directory_in_place_of_a_component_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("app.wasm")).unwrap();
    let outcome = Wasgi::new(["check"]).arg(dir.path().join("app.wasm")).finish();
    assert!(matches!(outcome.code, Some(65 | 66)), "{outcome:?}");
    assert!(outcome.message().contains("app.wasm"), "{outcome:?}");
}

#[test]
fn a_message_is_one_line_whatever_a_file_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("two\nlines\u{1b}[2J.wasm");
    refused(&serve_path(&path), 66, &["lines"]);
    fs::write(&path, "not wasm").unwrap();
    for outcome in [serve_path(&path), Wasgi::new(["check"]).arg(&path).finish()] {
        assert!(outcome.code != Some(0));
        assert!(!outcome.message().contains('\u{1b}'), "{outcome:?}");
    }
    let outcome = Wasgi::new(["serve", "--config"]).arg(dir.path().join("a\nb.toml")).finish();
    refused(&outcome, 66, &["b.toml"]);
}

#[test]
fn a_path_of_any_bytes_is_shown_on_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join(OsStr::from_bytes(b"a\nb\x1b[2J\xff"));
    fs::create_dir(&odd).unwrap();
    fs::copy(guest("hello"), odd.join("hello.wasm")).unwrap();
    let shown = "a\\nb\\u{1b}[2J\u{fffd}/hello.wasm";
    let outcome = Wasgi::new(["check"]).arg(odd.join("hello.wasm")).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.lines().next().unwrap().contains(shown), "{outcome:?}");

    let outcome = Wasgi::new(["check"]).without_cache_flag().arg(guest("hello")).arg("--cache").arg(odd.join("cache"));
    assert_eq!(outcome.finish().code, Some(0), "it is a folder like any other");

    let nowhere = "/proc/a\nb\u{1b}[2J";
    for flag in ["--spool-dir", "--cache", "--access-log"] {
        let outcome = Wasgi::new(["serve"]).without_cache_flag().arg(guest("hello")).args([flag, nowhere]);
        refused(&outcome.arg("--listen").arg("127.0.0.1:0").finish(), 73, &["a\\nb\\u{1b}"]);
    }
    let outcome = Wasgi::new(["request"]).arg(guest("hello")).args(["/", "-d", &format!("@{nowhere}")]).finish();
    refused(&outcome, 66, &["a\\nb\\u{1b}"]);
}

#[test]
fn a_path_of_any_bytes_is_one_line_of_the_log_and_of_the_addresses() {
    let builder = Host::serving("hello");
    let odd = builder.path("a\nb\u{1b}[2J");
    fs::create_dir(&odd).unwrap();
    fs::set_permissions(&odd, fs::Permissions::from_mode(0o777)).unwrap();
    let socket = format!("unix:{}", odd.join("socket").display());
    // A warning for the folder that others can write, and an address that is odd.
    let host = builder.cache(&odd).listen(&socket).start_without_waiting();
    let warning = host.log().wait("the compile cache can be written by others");
    let address = host.access_log().wait("listening on unix:");
    for line in [warning, address] {
        assert!(line.contains("a\\nb\\u{1b}[2J"), "{line}");
    }
    host.stop();
}

#[test]
fn a_config_without_end_is_refused() {
    let outcome = Wasgi::new(["serve", "--config", "/dev/zero"]).finish();
    assert!(matches!(outcome.code, Some(66 | 78)), "{outcome:?}");
    assert!(outcome.message().contains("/dev/zero"), "{outcome:?}");

    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    files::make_fifo(&pipe);
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        // Opened once the command reads it, and closed by its end.
        move || std::io::copy(&mut std::io::repeat(b'#'), &mut File::options().write(true).open(pipe).unwrap())
    });
    let outcome = Wasgi::new(["serve", "--config"]).arg(&pipe).finish();
    refused(&outcome, 66, &["pipe", "larger than"]);
    writer.join().unwrap().expect_err("nobody reads on");
}

#[test]
fn a_config_may_come_through_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    files::make_fifo(&pipe);
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, "listen = []").unwrap()
    });
    refused(&Wasgi::new(["serve", "--config"]).arg(&pipe).finish(), 78, &["pipe:1", "listen"]);
    writer.join().unwrap();
}
