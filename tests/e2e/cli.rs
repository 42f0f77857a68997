//! `wasgi check`, `wasgi request` and `--help`.

use std::fs::File;
use std::process::Stdio;

use wasgi_harness::{Outcome, Wasgi, guest};

use crate::common::refused;

fn check(name: &str) -> Outcome {
    Wasgi::new(["check"]).arg(guest(name)).finish()
}

fn request(name: &str, path: &str) -> Wasgi {
    Wasgi::new(["request"]).arg(guest(name)).arg(path)
}

/// Head and body of what `wasgi request` printed.
fn printed(outcome: &Outcome) -> (&str, &str) {
    outcome.stdout.split_once("\n\n").unwrap_or_else(|| panic!("no head: {outcome:?}"))
}

#[test]
fn check_tells_what_an_app_exports_imports_and_needs() {
    let outcome = check("rpc");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for told in ["application", "initialize", "wasgi:gateway", "wasi:", "memory", "KiB at the start"] {
        assert!(outcome.stdout.contains(told), "{told}: {outcome:?}");
    }
    let outcome = check("hello");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("hello.wasm"), "{outcome:?}");
}

#[test]
fn check_tells_why_an_app_would_be_refused() {
    for (name, why) in [
        ("core-module", "core module"),
        ("other-world", "application"),
        ("wants-other", "wasi:keyvalue"),
        ("big-memory", "memory-max"),
        ("init-fails", "the registry is empty: put words.txt into it"),
    ] {
        refused(&check(name), 65, &[name, why]);
    }
}

/// Where nothing can be written: to a reader that is gone, and to a full disk.
fn closed() -> [Stdio; 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [writer.into(), File::options().write(true).open("/dev/full").unwrap().into()]
}

#[test]
fn a_command_whose_output_nobody_takes_ends_quietly() {
    for stdout in closed() {
        let outcome = Wasgi::new(["check"]).arg(guest("hello")).stdout(stdout).finish();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    }
    for stdout in closed() {
        let outcome = Wasgi::new(["--help"]).stdout(stdout).finish();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    }
    for stdout in closed() {
        // What it was run for is lost, so this one says so.
        let outcome = request("hello", "/").stdout(stdout).finish();
        assert_eq!(outcome.code, Some(71), "{outcome:?}");
        assert!(outcome.message().contains("cannot write the response"), "{outcome:?}");
    }
    for stderr in closed() {
        let outcome = Wasgi::new(["check", "/nowhere/app.wasm"]).stderr(stderr).finish();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(66), ""), "{outcome:?}");
    }
}

#[test]
fn check_judges_under_the_limits_that_it_is_given() {
    let outcome = Wasgi::new(["check"]).arg(guest("big-memory")).arg("--memory-max").arg("512MiB").finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn request_prints_head_and_body() {
    let outcome = request("hello", "/").finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let (head, body) = printed(&outcome);
    assert!(head.starts_with("HTTP/1.1 200 OK\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain"), "{head}");
    assert_eq!(body, "Hello, world!\n");
}

#[test]
fn request_sends_method_headers_and_data() {
    let outcome = request("environ", "/a%20b?format=json")
        .arg("-X")
        .arg("PUT")
        .arg("-H")
        .arg("X-One: 1")
        .arg("-H")
        .arg("Content-Type: text/x")
        .arg("-d")
        .arg("the data")
        .finish();
    let (_, body) = printed(&outcome);
    let got: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{outcome:?}"));
    assert_eq!(got["body"], "the data");
    for (name, value) in [
        ("REQUEST_METHOD", "PUT"),
        ("PATH_INFO", "/a b"),
        ("HTTP_X_ONE", "1"),
        ("CONTENT_TYPE", "text/x"),
        ("CONTENT_LENGTH", "8"),
    ] {
        assert_eq!(got["environ"][name], value, "{got}");
    }
}

#[test]
fn request_posts_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    std::fs::write(&path, b"\0\xff binary \n").unwrap();
    let outcome = request("upload", "/").arg("-d").arg(format!("@{}", path.display())).finish();
    let (_, body) = printed(&outcome);
    assert!(body.contains("\"bytes\":11"), "{outcome:?}");
    assert!(body.contains(blake3::hash(b"\0\xff binary \n").to_hex().as_str()), "{outcome:?}");
}

#[test]
fn request_grants_what_flags_say() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("word"), "blue").unwrap();
    let outcome = request("hostile", "/dir/read?path=/data/word")
        .arg("--dir")
        .arg(format!("{}:/data:ro", dir.path().display()))
        .finish();
    assert!(printed(&outcome).1.contains("blue"), "{outcome:?}");
}

#[test]
fn request_ends_with_1_if_the_app_traps() {
    for path in ["/trap", "/trap?at=write", "/memory", "/exit", "/no-start"] {
        let outcome = request("hostile", path).finish();
        assert_eq!(outcome.code, Some(1), "{path}: {outcome:?}");
    }
    let outcome = request("hostile", "/trap").env("WASGI_LOG", "info").finish();
    assert!(outcome.stderr.contains("hostile_trap_here"), "the guest's function is named: {outcome:?}");
}

#[test]
fn request_ends_with_0_whatever_status_the_app_gives() {
    let outcome = request("conformance", "/status?line=500%20Oh").finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("HTTP/1.1 500 Oh\n"), "{outcome:?}");
}

#[test]
fn help_tells_every_command_and_flag() {
    let all = Wasgi::run(["--help"]);
    assert_eq!(all.code, Some(0));
    for command in ["serve", "check", "request"] {
        assert!(all.stdout.contains(command), "{all:?}");
        let help = Wasgi::new([command]).without_cache_flag().arg("--help").finish();
        assert_eq!(help.code, Some(0), "{help:?}");
        for flag in ["--cache", "--env", "--dir", "--memory-max", "--cpu-max"] {
            assert!(help.stdout.contains(flag), "{command} {flag}");
        }
    }
    let serve = Wasgi::new(["serve"]).without_cache_flag().arg("--help").finish();
    for flag in [
        "--listen",
        "--config",
        "--reuse",
        "--request-body",
        "--spool-dir",
        "--grace",
        "--dev",
        "--access-log",
        "--access-log-format",
        "--log-format",
    ] {
        assert!(serve.stdout.contains(flag), "{flag}");
    }
    assert!(!all.stdout.contains("prepare-component"), "what is not for people is not shown");
}

#[test]
fn version_is_told() {
    let outcome = Wasgi::run(["--version"]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.starts_with("wasgi "), "{outcome:?}");
}
