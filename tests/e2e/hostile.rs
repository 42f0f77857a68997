//! Guests that do what they can: each gets its due, its app serves on, and so does its neighbour.

use serde_json::json;
use wasgi_harness::{BodyEnd, Host, Request, Response};

/// What a path of the hostile guest leads to.
#[derive(Clone, Copy)]
enum Due {
    /// A complete answer of this status.
    Status(u16),
    /// The head, and then the connection is cut.
    Cut,
    /// The end by a limit or a complete answer: the guest asks for so much that the machine decides.
    Bounded,
}

use Due::{Bounded, Cut, Status};

const PATHS: &[(&str, Due)] = &[
    ("/ok", Status(200)),
    ("/nowhere", Status(404)),
    // CPU, memory, stack
    ("/spin", Status(504)),
    ("/spin?after=start", Status(504)),
    ("/spin?after=write", Cut),
    ("/spin/ms?cpu=50", Status(200)),
    ("/memory", Status(500)),
    ("/memory/take?mib=1000", Status(500)),
    ("/recurse", Status(500)),
    // traps
    ("/trap", Status(500)),
    ("/trap?at=start", Status(500)),
    ("/trap?at=write", Cut),
    ("/panic", Status(500)),
    ("/panic?at=start", Status(500)),
    ("/panic?at=write", Cut),
    ("/exit", Status(500)),
    ("/exit?code=1", Status(500)),
    // heads
    ("/no-start", Status(502)),
    ("/start-twice", Status(200)),
    ("/bad-status", Status(502)),
    ("/bad-header", Status(502)),
    ("/many-headers", Status(502)),
    ("/many-headers?count=3&size=1000000", Status(502)),
    ("/many-starts", Bounded),
    // bodies
    ("/past-content-length", Status(502)),
    ("/past-content-length?via=return", Status(502)),
    ("/short-content-length", Cut),
    ("/short-content-length?via=return", Status(502)),
    ("/huge-return", Status(502)),
    ("/huge-chunk", Status(200)),
    ("/body-without-room", Status(502)),
    // input
    ("/never-reads", Status(200)),
    ("/takes-and-drops", Status(200)),
    ("/giant-read", Status(200)),
    // output
    ("/flood", Status(200)),
    ("/flood?to=stderr&kind=one-line", Status(200)),
    ("/flood?to=errors&kind=control", Status(200)),
    ("/flood?to=errors&kind=empty", Status(200)),
    ("/flood/endless?to=stdout", Status(504)),
    ("/flood/endless?to=stderr", Status(504)),
    ("/flood/endless?to=errors", Status(504)),
    // host calls
    ("/hostcalls?kind=environ", Status(504)),
    ("/hostcalls?kind=entries", Status(504)),
    ("/hostcalls?kind=errors", Status(504)),
    ("/hostcalls?kind=clock", Status(504)),
    ("/hostcalls?kind=random", Status(504)),
    ("/hostcalls?kind=start", Bounded),
    ("/giant-name", Status(500)),
    ("/giant-errors", Status(500)),
    ("/many-pollables", Status(500)),
    ("/sleep", Status(504)),
    ("/sleep?after=start", Status(504)),
    ("/sleep?after=write", Cut),
];

/// The hostile guest beside a harmless one, with budgets that make for quick tests.
fn neighbours() -> Host {
    Host::dir(&["hostile", "hello"]).args(["--cpu-max", "400ms", "--wall-max", "3s", "--memory-max", "64MiB"]).start()
}

#[track_caller]
fn both_serve(host: &Host, after: &str) {
    assert_eq!(host.get("/hostile/ok").expect(200).text(), "ok", "after {after}");
    assert_eq!(host.get("/hello").expect(200).text(), "Hello, world!\n", "after {after}");
}

fn is_due(path: &str, due: Due, response: &Response) {
    let status = response.status();
    match due {
        Status(expected) => {
            assert_eq!((status, response.end), (expected, BodyEnd::Complete), "{path}: {response:?}");
        }
        Cut => assert_eq!((status, response.end), (200, BodyEnd::Cut), "{path}: {response:?}"),
        Bounded => assert!([200, 500, 502, 504].contains(&status), "{path}: {response:?}"),
    }
    assert_eq!(response.header("Set-Cookie"), None, "{path}: {response:?}");
}

#[test]
pub(crate) fn whatever_a_guest_does_the_next_request_is_served() {
    let host = neighbours();
    for (path, due) in PATHS {
        is_due(path, *due, &host.post(&format!("/hostile{path}"), "a body"));
        both_serve(&host, path);
    }
    host.stop();
}

#[test]
fn whatever_a_guest_does_while_it_is_reused_the_next_request_is_served() {
    let host = Host::dir(&["hostile", "hello"]);
    let host =
        host.args(["--cpu-max", "400ms", "--wall-max", "3s", "--memory-max", "64MiB", "--reuse", "1000"]).start();
    for (path, due) in PATHS.iter().filter(|(_, due)| !matches!(due, Status(504))) {
        is_due(path, *due, &host.post(&format!("/hostile{path}"), "a body"));
        both_serve(&host, path);
    }
    host.stop();
}

#[test]
fn whatever_guests_do_at_the_same_time_the_neighbour_is_served() {
    let host = neighbours();
    let conns: Vec<_> = PATHS
        .iter()
        .map(|(path, _)| {
            let mut conn = host.connect();
            conn.send(Request::post(&format!("/hostile{path}"), "a body").bytes());
            host.get("/hello").expect_text("Hello, world!\n");
            conn
        })
        .collect();
    for (mut conn, (path, _)) in conns.into_iter().zip(PATHS) {
        // Budgets of wall time are the same for all, so under load more of them may run out.
        assert!(conn.response().status() >= 200, "{path}");
    }
    both_serve(&host, "all of them");
    host.stop();
}

#[test]
fn an_endless_body_goes_on_for_as_long_as_the_client_wants_it() {
    let host = neighbours();
    let mut conn = host.connect();
    conn.send(Request::get("/hostile/endless").bytes());
    let head = conn.head();
    for _ in 0..100 {
        assert!(!conn.chunk().unwrap().is_empty());
    }
    drop(conn);
    host.log().wait_with(&[head.header("X-Request-Id").unwrap(), "endless: closed"]);
    both_serve(&host, "an endless body");
}

#[test]
fn a_guest_that_writes_on_after_its_client_left_is_stopped() {
    let host = neighbours();
    let mut conn = host.connect();
    conn.send(Request::get("/hostile/endless?ignore=1").bytes());
    let head = conn.head();
    conn.chunk().unwrap();
    drop(conn);
    let id = head.header("X-Request-Id").unwrap();
    host.log().wait_until("the guest's end", |lines| {
        let ended = |line: &&String| line.contains(id) && (line.contains("abandon-max") || line.contains("cpu-max"));
        lines.iter().find(ended).map(drop)
    });
    both_serve(&host, "it");
}

#[test]
fn a_guest_that_sleeps_or_spins_after_its_client_left_holds_its_place_only_for_a_moment() {
    let host = Host::serving("hostile").args(["--concurrency-max", "2", "--abandon-max", "200ms"]).start();
    for path in ["/sleep?ms=60000&after=write", "/spin?after=write"] {
        for _ in 0..4 {
            let mut conn = host.connect();
            conn.send(Request::get(path).bytes());
            assert_eq!(conn.head().status, 200);
        }
        // Four came for two places, each left at once.
        host.get("/ok").expect_text("ok");
    }
}

#[test]
fn memory_that_a_guest_took_is_given_back() {
    let host = Host::serving("hostile").args(["--memory-max", "256MiB"]).start();
    assert_eq!(host.get("/memory/take?mib=4").json(), json!({"mib": 4}));
    let before = crate::common::memory_kib(&host, "VmRSS");
    for _ in 0..4 {
        assert_eq!(host.get("/memory/take?mib=200").expect(200).json(), json!({"mib": 200}));
    }
    // The guest is gone when the next request of its only place is served.
    host.get("/ok").expect_text("ok");
    let after = crate::common::memory_kib(&host, "VmRSS");
    assert!(after < before + 50 * 1024, "RSS {before} KiB before, {after} KiB after four times 200 MiB");
}

#[test]
fn a_fresh_instance_sees_nothing_of_an_earlier_one() {
    let host = Host::serving("hostile").start();
    for _ in 0..20 {
        assert_eq!(host.get("/calls").json(), json!({"calls": 1}));
        host.get("/keep").expect_text("kept");
        assert_eq!(host.get("/use-kept").json(), json!({"kept": false}));
        host.get("/memory/take?mib=8").expect(200);
        host.get("/trap").expect(500);
    }
}
