//! Four clocks of a connection, each its own: first byte, head, idle, and a client that takes nothing.

use std::time::{Duration, Instant};

use wasgi_harness::{Conn, Host, Request, frames};

const SHORT: Duration = Duration::from_millis(300);

/// The other clocks are at their defaults, ten seconds and more: whatever ends sooner has ended by the short one.
const OTHERS: Duration = Duration::from_secs(8);

/// A host on which only the clock `name` is short.
fn host(guest: &str, name: &str) -> Host {
    Host::serving(guest).args([name, "300ms"]).start()
}

/// Waits for the end, which may not come before its time.
#[track_caller]
fn ends_in_time(mut conn: Conn, since: Instant) -> Vec<u8> {
    let (rest, _) = conn.rest();
    is_in_time(since);
    rest
}

#[track_caller]
fn is_in_time(since: Instant) {
    let elapsed = since.elapsed();
    assert!((SHORT..OTHERS).contains(&elapsed), "after {elapsed:?}");
}

#[test]
pub(crate) fn a_client_that_sends_no_byte_is_dropped() {
    let host = host("hello", "--first-byte-max");
    let since = Instant::now();
    assert!(ends_in_time(host.connect(), since).is_empty());
}

#[test]
pub(crate) fn a_client_that_never_ends_its_head_is_dropped() {
    let host = host("hello", "--header-read-max");
    let since = Instant::now();
    let mut conn = host.connect();
    conn.send("GET / HTTP/1.1\r\nHost: x\r\nX-Sl");
    ends_in_time(conn, since);
}

#[test]
fn the_head_of_a_later_request_has_the_same_clock() {
    let host = host("hello", "--header-read-max");
    let mut conn = host.connect();
    conn.send(Request::get("/").bytes());
    conn.response().expect(200);
    let since = Instant::now();
    conn.send("GET / HTTP/1.1\r\n");
    ends_in_time(conn, since);
}

#[test]
pub(crate) fn a_connection_that_rests_too_long_is_closed() {
    let host = host("hello", "--idle-max");
    let mut conn = host.connect();
    let since = Instant::now();
    conn.send(Request::get("/").bytes());
    conn.response().expect(200);
    assert!(ends_in_time(conn, since).is_empty());
}

#[test]
fn an_http_2_connection_that_rests_too_long_is_closed() {
    let host = host("hello", "--idle-max");
    let mut conn = host.http2();
    let since = Instant::now();
    assert_eq!(conn.get("/").status, 200);
    let _ = conn.ended();
    is_in_time(since);
}

#[test]
pub(crate) fn a_client_that_takes_nothing_is_dropped() {
    let host = host("hostile", "--send-idle-max");
    let mut conn = host.connect();
    conn.send(Request::get("/endless").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    let since = Instant::now();
    host.log().wait_with(&[&id, "endless: closed"]);
    is_in_time(since);
}

#[test]
fn an_http_2_client_with_hardly_any_window_is_dropped() {
    // A window of one byte is one in which hyper takes all that it is given.
    for (window, path) in [(0, "/ok"), (0, "/huge-return?bytes=100000"), (1, "/huge-return?bytes=100000")] {
        let host = host("hostile", "--send-idle-max");
        let mut conn = host.connect();
        let since = Instant::now();
        conn.send(frames::opening(window));
        for stream in [1, 3, 5] {
            conn.send(frames::get(stream, path));
        }
        ends_in_time(conn, since);
        host.get("/ok").expect_text("ok");
    }
}

#[test]
fn an_http_2_head_that_trickles_in_wins_no_time() {
    for (name, opens) in [("HEADERS", true), ("CONTINUATION", false)] {
        let host = Host::serving("hostile").args(["--idle-max", "300ms"]).start();
        let mut conn = host.connect();
        let headers = [frames::get_headers("/"), frames::header("x-slow", &"x".repeat(100)).repeat(50)].concat();
        let trickle = if opens {
            frames::open_headers(1, &headers)
        } else {
            conn.send(frames::open_headers(1, &headers));
            frames::continuation(1, &headers, true)
        };
        let since = Instant::now();
        conn.send(frames::opening(65_535));
        for byte in trickle {
            if conn.try_send([byte]).is_err() {
                break;
            }
            host.get("/sleep?ms=20").expect_text("slept");
            assert!(since.elapsed() < OTHERS, "{name}: it is still open");
        }
        is_in_time(since);
    }
}

#[test]
fn no_clock_runs_while_a_request_is_served() {
    let host = Host::serving("hostile")
        .args(["--first-byte-max", "500ms", "--header-read-max", "500ms", "--idle-max", "500ms"])
        .args(["--body-idle-max", "500ms", "--send-idle-max", "500ms"])
        .start();
    let mut conn = host.connect();
    conn.send(Request::post("/sleep?ms=1200", "body").bytes());
    conn.response().expect_text("slept");
    conn.send(Request::get("/sleep?ms=1200&after=start").bytes());
    conn.response().expect_text("slept");
}

#[test]
fn the_idle_clock_starts_anew_with_each_request() {
    let host = Host::serving("hostile").args(["--idle-max", "500ms"]).start();
    let mut conn = host.connect();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) {
        conn.send(Request::get("/sleep?ms=100").bytes());
        conn.response().expect_text("slept");
    }
}

#[test]
fn a_slow_client_does_not_keep_others_waiting() {
    let host = Host::serving("hello").start();
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut conn = host.connect();
            conn.send("GET / HTTP/1.1\r\nHost: x\r\n");
            conn
        })
        .collect();
    host.get("/").expect_text("Hello, world!\n");
    for mut conn in slow {
        conn.send("\r\n");
        conn.response().expect_text("Hello, world!\n");
    }
}

#[test]
fn a_head_that_trickles_in_wins_no_time() {
    // Every byte is progress, but the clock is that of the whole head. A guest that sleeps sets the pace.
    let host = Host::serving("hostile").args(["--header-read-max", "300ms"]).start();
    let mut pace = host.connect();
    let mut conn = host.connect();
    let since = Instant::now();
    for byte in Request::get(&format!("/{}", "x".repeat(5000))).bytes() {
        if conn.try_send([byte]).is_err() {
            break;
        }
        pace.send(Request::get("/sleep?ms=20").bytes());
        pace.response().expect_text("slept");
        assert!(since.elapsed() < OTHERS, "it is still open");
    }
    is_in_time(since);
}

#[test]
fn an_http_2_client_that_takes_nothing_is_dropped() {
    // It leaves its window closed, so that the host has nothing to write and no write to time.
    let host = host("hostile", "--send-idle-max");
    let mut conn = host.http2();
    let since = Instant::now();
    let mut stream = conn.start(http::Request::get("http://test/endless").body(()).unwrap(), true);
    let head = stream.head().unwrap();
    let id = head.headers["x-request-id"].to_str().unwrap().to_owned();
    host.log().wait_with(&[&id, "endless: closed"]);
    is_in_time(since);
}
