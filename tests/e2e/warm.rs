//! Instances that are made before a request asks for them.

use wasgi::bundle::asks::Asks;
use wasgi_harness::{Host, HostBuilder};

use crate::bundle::{App, FILES};

/// Waits until so many warm instances have been made.
fn wait_for_warm(host: &Host, count: usize) {
    host.log().wait_count(count, &["warm instance made"]);
}

/// A host on which only so many instances can be made; all others fail.
fn with_instances(name: &str, count: usize) -> HostBuilder {
    Host::serving(name).failing(&format!("instantiate={count}*off->return")).log_filter("wasgi=debug")
}

#[test]
fn a_request_finds_its_instance_made() {
    let host = with_instances("hostile", 1).args(["--warm-min", "1"]).start();
    wait_for_warm(&host, 1);
    host.get("/ok").expect_text("ok");
    // It was the only one that could be made.
    host.get("/ok").expect(500);
}

#[test]
fn each_serves_one_request_and_is_replaced() {
    let host = Host::serving("hostile").args(["--warm-min", "2"]).log_filter("wasgi=debug").start();
    for round in 0..10 {
        wait_for_warm(&host, 2 + round);
        let response = host.get("/calls").expect(200).json();
        assert_eq!(response["calls"], 1);
    }
}

#[test]
pub(crate) fn as_many_are_made_as_requests_asked_for_and_no_more() {
    let host = with_instances("hostile", 4).args(["--warm-max", "1"]).start();
    // Nobody asked: none is made, so this request makes its own, and from then on one is ready.
    for made in 1..=2 {
        host.get("/ok").expect_text("ok");
        wait_for_warm(&host, made);
    }
    let made = host.log().so_far().into_iter().filter(|line| line.contains("warm instance made")).count();
    assert_eq!(made, 2, "one at a time is enough");
}

#[test]
fn what_a_warm_instance_prints_is_logged_under_its_request() {
    let host = Host::serving("hostile").args(["--warm-min", "1"]).log_filter("info,wasgi=debug").start();
    for (round, to) in ["stdout", "stderr", "errors"].into_iter().enumerate() {
        wait_for_warm(&host, 1 + round);
        let id = host.get(&format!("/flood?to={to}&bytes=80")).expect(200).request_id();
        host.log().wait_with(&["wasgi::guest", &id]);
    }
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("request_id=\"initialize\"")), "{log:#?}");
}

#[test]
fn the_clocks_of_a_warm_instance_start_with_its_request() {
    let host = Host::serving("hostile").args(["--warm-min", "1", "--wall-max", "1500ms"]).log_filter("wasgi=debug");
    let host = host.start();
    // Each of these is made while the one before it sleeps: together that is longer than wall-max.
    for round in 0..4 {
        wait_for_warm(&host, 1 + round);
        host.get("/sleep?ms=800").expect_text("slept");
    }
}

#[test]
fn warm_instances_give_their_slots_to_requests() {
    let host = Host::dir(&["hostile", "conformance"]).args(["--warm-min", "8", "--instances-max", "8"]);
    let host = host.args(["--request-body", "stream"]).log_filter("wasgi=debug").start();
    // A slot is left to requests, whatever is asked for.
    wait_for_warm(&host, 7);
    let mut busy: Vec<_> = (0..8).map(|_| host.connect()).collect();
    for conn in &mut busy {
        conn.send(
            wasgi_harness::Request::new("POST", "/conformance/gate/input")
                .header("Transfer-Encoding", "chunked")
                .bytes(),
        );
        assert_eq!(conn.head().status, 200);
    }
    for conn in &mut busy {
        conn.send_chunk("").chunks_until("first\nsecond\nlast\n");
    }
    host.get("/hostile/ok").expect_text("ok");
}

#[test]
fn an_app_whose_instances_cannot_be_made_costs_its_neighbours_nothing() {
    let host = with_instances("hostile", 0).args(["--warm-min", "3"]).start();
    host.log().wait_with(&["ERROR", "failure point"]);
    host.get("/nowhere").expect(500);
    // Ever more rarely, and not each time that a request fails too.
    for _ in 0..50 {
        host.get("/ok").expect(500);
    }
    let log = host.stop().log;
    let failures = log.iter().filter(|line| line.contains("failure point") && line.contains("initialize")).count();
    assert!((1..20).contains(&failures), "{failures} of them:\n{log:#?}");
}

#[test]
fn more_at_least_than_at_most_is_refused() {
    let outcome = wasgi_harness::Wasgi::new(["serve"])
        .arg(wasgi_harness::guest("hello"))
        .args(["--listen", "127.0.0.1:0", "--warm-min", "3", "--warm-max", "2"])
        .finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.message().contains("warm-max"), "{outcome:?}");
}

/// The guest `hostile`, which asks to be readied by this request.
fn readied_by(path: &str) -> App {
    App::new("hostile", FILES, Some(&Asks { warm_up: Some(path.into()), ..Asks::default() }))
}

#[test]
fn a_warm_instance_is_readied_by_the_request_that_its_app_asks_for() {
    let app = readied_by("/calls");
    let host = app.serving().args(["--warm-min", "1", "--reuse", "2"]).log_filter("wasgi=debug").start();
    for round in 0..3 {
        wait_for_warm(&host, 1 + round);
        // The host's own call comes first, and costs it none of its two requests.
        for calls in [2, 3] {
            assert_eq!(host.get("/calls").expect(200).json()["calls"], calls);
        }
    }
    assert_eq!(host.stop().access.len(), 6, "the host's own are not in the access log");
}

#[test]
fn without_warm_instances_nothing_is_asked_of_an_app() {
    let app = readied_by("/calls");
    let host = app.serving().start();
    assert_eq!(host.get("/calls").expect(200).json()["calls"], 1);
}

#[test]
fn a_request_that_fails_leaves_no_instance_and_the_app_is_served_all_the_same() {
    for path in ["/trap", "/spin", "/no-start"] {
        let app = readied_by(path);
        let host = app.serving().args(["--warm-min", "1", "--cpu-max", "50ms"]).log_filter("wasgi=debug").start();
        host.log().wait_with(&["ERROR", "initialize"]);
        host.get("/ok").expect_text("ok");
        assert!(!host.stop().log.iter().any(|line| line.contains("warm instance made")), "{path}");
    }
}

#[test]
fn an_answer_in_pieces_is_taken_to_its_end() {
    let asks = Asks { warm_up: Some("/?count=5&interval=1".into()), ..Asks::default() };
    let app = App::new("stream", FILES, Some(&asks));
    let host = app.serving().args(["--warm-min", "1"]).log_filter("wasgi=debug").start();
    wait_for_warm(&host, 1);
    host.get("/?count=1&interval=1").expect(200);
}
