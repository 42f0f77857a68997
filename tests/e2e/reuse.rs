//! Instances that serve more than one request.

use serde_json::{Value, json};
use wasgi_harness::{Host, Request};

fn calls(host: &Host) -> u64 {
    host.get("/calls").expect(200).json()["calls"].as_u64().unwrap()
}

#[test]
fn without_the_flag_every_request_gets_a_fresh_instance() {
    let host = Host::serving("hostile").start();
    assert!((0..20).all(|_| calls(&host) == 1));
}

#[test]
fn with_it_an_instance_serves_several_requests_and_no_more_than_that() {
    let host = Host::serving("hostile").args(["--reuse", "3"]).start();
    let seen: Vec<_> = (0..30).map(|_| calls(&host)).collect();
    assert!(seen.iter().any(|calls| *calls > 1), "state is seen: {seen:?}");
    assert!(seen.iter().all(|calls| *calls <= 3), "and ends: {seen:?}");
    let begun = seen.iter().filter(|calls| **calls == 1).count();
    assert!(begun >= 10, "30 requests need 10 instances: {seen:?}");
}

#[test]
pub(crate) fn an_instance_that_is_too_old_is_replaced() {
    let host = Host::serving("hostile").args(["--reuse", "100", "--reuse-age-max", "0s"]).start();
    assert!((0..10).all(|_| calls(&host) == 1), "each is too old after its first request");
}

#[test]
pub(crate) fn an_instance_that_has_grown_too_large_is_replaced() {
    // With one place the next request gets the very instance, if it is there.
    let host = Host::serving("hostile").args(["--reuse", "100", "--concurrency-max", "1"]);
    let host = host.args(["--reuse-memory-max", "32MiB"]).log_filter("wasgi=debug").start();
    host.get("/memory/take?mib=16").expect(200);
    assert_eq!(calls(&host), 2, "within it");
    host.get("/memory/take?mib=33").expect(200);
    assert_eq!(calls(&host), 1);
    host.log().wait_with(&["retired", "reuse-memory-max"]);
}

#[test]
pub(crate) fn an_instance_that_leaks_handles_is_replaced() {
    let keeping = |handles_max: &str| {
        let host = Host::serving("hostile").args(["--reuse", "100", "--concurrency-max", "1"]);
        let host = host.args(["--reuse-handles-max", handles_max]).log_filter("wasgi=debug").start();
        host.get("/keep").expect_text("kept");
        host
    };
    // Three that libc opens for itself; an environ, a start-response, a writer and an input.
    let host = keeping("7");
    assert_eq!(calls(&host), 2);
    // Handles that are dropped later are leaked no more.
    for _ in 0..5 {
        host.get("/drop-kept").expect_text("dropped");
        host.get("/keep").expect_text("kept");
    }
    assert_eq!(calls(&host), 13);
    let host = keeping("6");
    assert_eq!(calls(&host), 1);
    host.log().wait_with(&["retired", "reuse-handles-max"]);
}

#[test]
pub(crate) fn an_instance_that_rests_too_long_is_dropped() {
    let host = Host::serving("hostile").args(["--reuse", "100", "--rest-max", "0s"]).log_filter("wasgi=debug").start();
    for _ in 0..3 {
        let dropped = |lines: &[String]| lines.iter().filter(|line| line.contains("rested too long")).count();
        let before = dropped(&host.log().so_far());
        assert_eq!(calls(&host), 1);
        host.log().wait_until("an instance that is dropped", |lines| (dropped(lines) > before).then_some(()));
    }
}

#[test]
fn an_instance_never_serves_two_requests_at_once() {
    let host = Host::serving("conformance").args(["--reuse", "100", "--request-body", "stream"]).start();
    let begin = || {
        let mut conn = host.connect();
        conn.send(Request::new("POST", "/gate/input").header("Transfer-Encoding", "chunked").bytes());
        assert_eq!(conn.head().status, 200);
        conn.chunks_until("first\n");
        conn
    };
    let mut held: Vec<_> = (0..4).map(|_| begin()).collect();
    // Four instances are busy, so a fifth request finds one that nobody has called.
    assert_eq!(host.get("/calls").json(), json!({"calls": 1}));
    for conn in &mut held {
        conn.send_chunk("").chunks_until("second\nlast\n");
    }
}

#[test]
fn an_instance_that_trapped_is_not_used_again() {
    let host = Host::serving("hostile").args(["--reuse", "100"]).start();
    for path in ["/trap", "/panic", "/exit", "/memory"] {
        while calls(&host) < 2 {}
        host.get(path).expect(500);
        assert_eq!(calls(&host), 1, "after {path}");
    }
}

#[test]
fn an_instance_whose_client_left_is_sound_or_gone() {
    let host = Host::serving("hostile").args(["--reuse", "100"]).grant("data", "/data").start();
    let mut conn = host.connect();
    conn.send(Request::get("/leave/wait?file=/data/log").bytes());
    assert_eq!(conn.head().status, 200);
    drop(conn);
    wasgi_harness::files::wait_for_line(&host.path("data/log"), "cleaned up");
    for _ in 0..5 {
        host.get("/ok").expect_text("ok");
    }
}

#[test]
fn handles_of_an_earlier_request_reach_nothing() {
    // With one place the next request gets the very instance.
    let host = Host::serving("hostile").args(["--reuse", "100", "--concurrency-max", "1"]).start();
    for _ in 0..3 {
        host.post("/keep", "the first body").expect_text("kept");
        let response = host.post("/use-kept", "the second body");
        let stale = json!({
            "environ": 0, "get": null, "take": "closed", "read": "closed", "start": "closed", "write": "closed",
        });
        assert_eq!(response.expect(200).json(), stale, "and nothing of it reaches this response");
    }
}

#[test]
fn dropping_handles_of_an_earlier_request_does_nothing() {
    let host = Host::serving("hostile").args(["--reuse", "100", "--concurrency-max", "1"]).start();
    host.get("/keep").expect_text("kept");
    host.get("/drop-kept").expect_text("dropped");
    host.get("/ok").expect_text("ok");
    assert_eq!(host.get("/use-kept").json(), json!({"kept": false}));
}

#[test]
fn the_environ_of_a_reused_instance_is_that_of_its_request() {
    let host = Host::serving("conformance").args(["--reuse", "100"]).start();
    let ids: Vec<Value> = (0..5)
        .map(|number| {
            let response = host.get(&format!("/environ?{number}"));
            let environ = response.expect(200).json();
            assert_eq!(environ["QUERY_STRING"], number.to_string());
            assert_eq!(environ["wasgi.request_id"], response.request_id());
            assert_eq!(environ["wsgi.run_once"], "false");
            environ["wasgi.request_id"].clone()
        })
        .collect();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn budgets_start_anew_with_each_request() {
    let host = Host::serving("hostile").args(["--reuse", "100", "--cpu-max", "500ms", "--log-max", "2KiB"]).start();
    for _ in 0..5 {
        host.get("/spin/ms?cpu=200").expect_text("ok");
    }
    for _ in 0..3 {
        let id = host.get("/flood?bytes=1000").expect(200).request_id();
        // Twelve lines of 80 bytes and what is left: the budget of the request before is not charged.
        host.log().wait_count(12, &[&id]);
    }
}

#[test]
fn the_wall_clock_of_an_instance_starts_anew_with_each_request() {
    let host = Host::serving("hostile").args(["--reuse", "100", "--wall-max", "1s"]).start();
    host.get("/ok").expect_text("ok");
    // All together longer than the budget: the instance rests in between, and is made to wait in each.
    for _ in 0..4 {
        host.get("/sleep?ms=300").expect_text("slept");
    }
    host.get("/ok").expect_text("ok");
}
