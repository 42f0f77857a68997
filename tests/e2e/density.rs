//! Many apps in one host: code that is loaded when it is needed, and dropped when there is no room.

use serde_json::json;
use wasgi_harness::{Host, HostBuilder, Request};

/// How often the code of `app`, or without a name of any, was loaded in all; ends the host, so that its log is whole.
fn loads(host: Host, app: &str) -> usize {
    let line = if app.is_empty() { String::new() } else { format!("app={app} ") };
    host.stop().log.iter().filter(|text| text.contains("code loaded") && text.contains(&line)).count()
}

/// A host of these guests whose cache knows all of them: nothing is compiled or tried any more.
fn known(names: &[&str], args: &[&str], cache: &tempfile::TempDir) -> HostBuilder {
    let build = || Host::dir(names).args(args).cache(cache.path()).log_filter("wasgi=debug");
    build().start().stop();
    build()
}

fn calls(host: &Host, app: &str) -> u64 {
    host.get(&format!("/{app}/calls")).expect(200).json()["calls"].as_u64().unwrap()
}

#[test]
pub(crate) fn code_that_does_not_fit_is_dropped_and_loaded_again() {
    let cache = tempfile::tempdir().unwrap();
    let host = known(&["hello", "hostile", "conformance"], &["--code-max", "0B"], &cache).start();
    for round in 1..=3 {
        host.get("/hello").expect_text("Hello, world!\n");
        host.get("/hostile/ok").expect_text("ok");
        host.get("/conformance/hello").expect_text("hello");
        host.log().wait_count(3 * round, &["code loaded"]);
    }
    assert_eq!(loads(host, "hello"), 3);
    // With room for all of them, each is loaded once.
    let host = known(&["hello", "hostile", "conformance"], &[], &cache).start();
    for _ in 0..3 {
        host.get("/hello").expect_text("Hello, world!\n");
        host.get("/hostile/ok").expect_text("ok");
    }
    assert_eq!(loads(host, ""), 2, "the third was not asked for");
}

#[test]
fn a_second_start_compiles_tries_and_loads_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let host = known(&["hello"], &[], &cache).start();
    host.log().wait("found in the compile cache");
    assert_eq!(loads(host, "hello"), 0);
    // Under other limits an instance might not be made, so that is tried first.
    let host = Host::dir(&["hello"]).args(["--memory-max", "128MiB"]).cache(cache.path()).log_filter("wasgi=debug");
    let host = host.start();
    host.log().wait("found in the compile cache");
    assert_eq!(loads(host, "hello"), 1);
}

#[test]
fn requests_that_come_at_once_share_one_load() {
    let cache = tempfile::tempdir().unwrap();
    let host = known(&["hostile", "hello"], &["--code-max", "0B"], &cache).start();
    for _ in 0..5 {
        let mut conns: Vec<_> = (0..20).map(|_| host.connect()).collect();
        for conn in &mut conns {
            conn.send(Request::get("/hostile/sleep?ms=100").bytes());
        }
        for conn in &mut conns {
            conn.response().expect_text("slept");
        }
        host.get("/hello").expect(200);
    }
    assert_eq!(loads(host, "hostile"), 5);
}

#[test]
fn an_app_whose_code_is_dropped_finishes_what_it_has_begun() {
    let cache = tempfile::tempdir().unwrap();
    let args = ["--code-max", "0B", "--reuse", "100", "--request-body", "stream"];
    let host = known(&["conformance", "hostile"], &args, &cache).start();
    let mut busy = host.connect();
    busy.send(Request::new("POST", "/conformance/gate/input").header("Transfer-Encoding", "chunked").bytes());
    assert_eq!(busy.head().status, 200);
    host.get("/hostile/ok").expect_text("ok");
    host.log().wait_with(&["code dropped", "app=conformance"]);
    busy.send_chunk("").chunks_until("first\nsecond\nlast\n");
    // Its instance is of code that is gone, so it does not rest.
    assert_eq!(host.get("/conformance/calls").json(), json!({"calls": 1}));
}

#[test]
fn instances_at_rest_go_with_their_code() {
    let cache = tempfile::tempdir().unwrap();
    let host = known(&["hostile", "hello"], &["--code-max", "0B", "--reuse", "100"], &cache).start();
    assert_eq!((calls(&host, "hostile"), calls(&host, "hostile")), (1, 2));
    host.get("/hello").expect(200);
    assert_eq!(calls(&host, "hostile"), 1);
}

#[test]
fn code_of_an_app_that_keeps_warm_instances_stays() {
    let app = |name: &str, more: &str| {
        format!("[[app]]\nname = \"{name}\"\nroutes = [\"/{name}\"]\ncomponent = \"$GUESTS/{name}.wasm\"\n{more}\n")
    };
    let toml = ["[limits]\ncode-max = 0\n", &app("hostile", "warm = { min = 1 }"), &app("hello", "")].concat();
    let host = Host::config(&toml).log_filter("wasgi=debug").start();
    host.log().wait("warm instance made");
    for round in 1..=3 {
        host.get("/hello").expect_text("Hello, world!\n");
        host.get("/hostile/ok").expect_text("ok");
        host.log().wait_count(1 + round, &["warm instance made"]);
    }
    assert_eq!(loads(host, "hostile"), 1, "by its first warm instance, or by the trial at the start");
}

#[test]
fn code_that_cannot_be_loaded_fails_its_request_and_no_other() {
    let cache = tempfile::tempdir().unwrap();
    let host = known(&["hello", "hostile"], &[], &cache).failing("load=1*return").start();
    let id = host.get("/hello").expect(500).request_id();
    host.log().wait_with(&["ERROR", &id, "failure point"]);
    host.get("/hello").expect_text("Hello, world!\n");
    host.get("/hostile/ok").expect_text("ok");
}

#[test]
fn the_limit_on_open_files_is_raised_as_far_as_it_may_be() {
    let host = Host::serving("hello").start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = line.split_whitespace().skip(3).take(2).collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert_eq!(soft, hard);
}
