//! `initialize`: run once at deployment, and its snapshot serves.

use std::path::Path;

use serde_json::Value;
use wasgi_harness::{Host, Outcome, Wasgi, guest};

use crate::common::refused;

/// Serves init-prints with a cache of its own.
fn prints(cache: &Path) -> wasgi_harness::HostBuilder {
    Host::serving("init-prints").cache(cache)
}

fn answer(host: &Host) -> Value {
    host.get("/").expect(200).json()
}

#[test]
pub(crate) fn it_runs_once_before_any_request() {
    let cache = tempfile::tempdir().unwrap();
    let host = prints(cache.path()).start();
    // It is done by the time the host listens.
    host.log().wait_with(&["init: out", "init-prints", "stdout"]);
    host.log().wait_with(&["init: err", "init-prints", "stderr"]);
    for _ in 0..3 {
        assert_eq!(answer(&host)["initialized"], 1);
    }
    let log = host.stop().log;
    assert_eq!(log.iter().filter(|line| line.contains("init: out")).count(), 1, "{log:#?}");
}

#[test]
fn what_it_left_in_memory_is_what_every_request_starts_from() {
    let cache = tempfile::tempdir().unwrap();
    let host = prints(cache.path()).start();
    let (first, second) = (answer(&host), answer(&host));
    assert_eq!(first["init"], second["init"], "the snapshot is the same for all");
    assert_ne!(first["init"]["random"], Value::Null);
}

#[test]
fn printing_works_in_requests_after_it_printed() {
    let cache = tempfile::tempdir().unwrap();
    let host = prints(cache.path()).start();
    let id = host.get("/").expect(200).request_id();
    host.log().wait_with(&["request: out", &id, "stdout"]);
    host.log().wait_with(&["request: err", &id, "stderr"]);
}

#[test]
fn clocks_and_random_numbers_are_those_of_the_request() {
    let cache = tempfile::tempdir().unwrap();
    let host = prints(cache.path()).start();
    let (first, second) = (answer(&host), answer(&host));
    let nanoseconds = |answer: &Value, of: &str, clock: &str| answer[of][clock].as_u64().unwrap();
    let goes_on = nanoseconds(&first, "request", "wall-ns") < nanoseconds(&second, "request", "wall-ns");
    assert!(goes_on, "{first} {second}");
    // Each instance has a monotonic clock of its own.
    let ticks = [&first, &second].map(|answer| nanoseconds(answer, "request", "monotonic-ns"));
    assert_ne!(ticks[0], ticks[1]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let age = now - u128::from(nanoseconds(&second, "request", "wall-ns"));
    assert!(age < 60_000_000_000, "{age} ns old");
    assert!(nanoseconds(&first, "init", "wall-ns") < nanoseconds(&first, "request", "wall-ns"));
    let drawn = [&first["init"], &first["request"], &second["request"]].map(|of| of["random"].clone());
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2] && drawn[0] != drawn[2], "{drawn:?}");
}

#[test]
fn a_second_start_takes_the_snapshot_from_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let first = prints(cache.path()).start();
    let before = answer(&first)["init"].clone();
    first.stop();
    let second = prints(cache.path()).start();
    assert_eq!(answer(&second)["init"], before, "the very same snapshot");
    let log = second.stop().log;
    assert!(!log.iter().any(|line| line.contains("init: out")), "it did not run again: {log:#?}");
}

#[test]
fn a_snapshot_is_taken_anew_when_the_app_is_granted_something_else() {
    let cache = tempfile::tempdir().unwrap();
    let first = answer(&prints(cache.path()).start())["init"].clone();
    let with_env = prints(cache.path()).args(["--env", "MODE=other"]).start();
    assert_ne!(answer(&with_env)["init"], first, "it could have read the variable");
    let with_dir = prints(cache.path()).grant("data", "/data:ro").start();
    assert_ne!(answer(&with_dir)["init"], first, "it could have read the directory");
    assert_eq!(answer(&prints(cache.path()).start())["init"], first, "and the first one is still there");
}

#[test]
fn the_registry_of_rpc_was_made_before_any_request() {
    let cache = tempfile::tempdir().unwrap();
    let host = Host::serving("rpc").cache(cache.path()).start();
    for _ in 0..3 {
        let response = host.post("/", r#"{"jsonrpc":"2.0","id":1,"method":"registry"}"#);
        let report = response.expect(200).json()["result"].clone();
        assert_eq!(report["initialized"], 1, "{report}");
        assert_eq!(report["calls_before_initialize"], 0, "{report}");
        assert_eq!(report["calls_of_this_instance"], 1, "{report}");
    }
}

fn serve(name: &str, args: &[&str]) -> Outcome {
    let command = Wasgi::new(["serve"]).arg(guest(name)).args(["--listen", "127.0.0.1:0"]);
    command.args(args.iter().copied()).finish()
}

#[test]
pub(crate) fn one_that_fails_refuses_the_app() {
    for (name, args, told) in [
        ("init-fails", &[][..], &["initialize", "the registry is empty: put words.txt into it"][..]),
        ("init-traps", &[], &["initialize", "trap"]),
        ("init-spins", &["--cpu-max", "300ms"], &["initialize", "cpu-max"]),
        ("init-spins", &["--wall-max", "300ms"], &["initialize", "wall-max"]),
        ("init-eats-memory", &["--memory-max", "64MiB"], &["initialize", "memory-max"]),
    ] {
        let outcome = serve(name, args);
        refused(&outcome, 65, &[&[name], told].concat());
    }
}

#[test]
fn what_it_printed_before_it_failed_is_in_the_log() {
    let outcome = Wasgi::new(["serve"])
        .arg(guest("init-traps"))
        .args(["--listen", "127.0.0.1:0"])
        .env("WASGI_LOG", "info")
        .finish();
    assert!(outcome.stderr.contains("no luck in initialize"), "{outcome:?}");
}

#[test]
pub(crate) fn handles_left_open_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("words.txt"), "one\ntwo\n").unwrap();
    let grant = format!("{}:/data:ro", dir.path().display());
    let outcome = serve("init-leaves-open", &["--dir", &grant]);
    refused(&outcome, 65, &["init-leaves-open", "initialize", "left open", "file"]);
}

#[test]
fn a_failure_is_not_cached() {
    let cache = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let command = Wasgi::new(["check"]).without_cache_flag().arg(guest("init-fails"));
        let outcome = command.arg("--cache").arg(cache.path()).env("WASGI_LOG", "info").finish();
        assert_eq!(outcome.code, Some(65), "{outcome:?}");
    }
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn it_has_no_network_and_its_own_limits_of_output() {
    let cache = tempfile::tempdir().unwrap();
    let host = prints(cache.path()).args(["--log-max", "9B"]).start();
    // `init: out` is nine bytes; what follows is dropped and counted.
    host.log().wait_with(&["init: out"]);
    host.log().wait_with(&["dropped", "log-max"]);
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("init: err")), "{log:#?}");
}
