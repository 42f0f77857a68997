//! HTTP/2 on the same port.

use h2::Reason;
use serde_json::Value;
use wasgi_harness::Host;

use crate::common::access_entry;

fn post(path: &str) -> http::Request<()> {
    http::Request::post(format!("http://test{path}")).body(()).unwrap()
}

fn get(path: &str) -> http::Request<()> {
    http::Request::get(format!("http://test{path}")).body(()).unwrap()
}

#[test]
fn both_protocols_are_served_on_one_port() {
    let host = Host::serving("conformance").start();
    let response = host.http2().get("/environ");
    assert_eq!(response.status, 200);
    let environ: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(environ["SERVER_PROTOCOL"], "HTTP/2.0");
    assert_eq!(environ["HTTP_HOST"], "test", "from :authority");
    host.get("/hello").expect_text("hello");
}

#[test]
fn streams_run_beside_each_other() {
    let host = Host::serving("conformance").args(["--request-body", "stream"]).start();
    let mut conn = host.http2();
    let mut first = conn.start(post("/gate/input"), false);
    assert_eq!(first.head().unwrap().status, 200);
    assert_eq!(first.data().unwrap().as_deref(), Some(&b"first\n"[..]));
    // The first is at its gate, and the second is served.
    assert_eq!(conn.get("/hello").body, b"hello");
    first.send("1", false).unwrap();
    assert_eq!(first.data().unwrap().as_deref(), Some(&b"second\n"[..]));
    first.send("", true).unwrap();
    assert_eq!(first.data().unwrap().as_deref(), Some(&b"last\n"[..]));
    assert_eq!(first.data().unwrap(), None);
}

#[test]
fn a_body_goes_in_and_out_unchanged() {
    let host = Host::serving("conformance").start();
    let mut conn = host.http2();
    let body: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let mut stream = conn.start(post("/input/all"), false);
    stream.send(body.clone(), true).unwrap();
    let response = stream.response();
    assert_eq!((response.status.as_u16(), response.reset), (200, None));
    assert!(response.body == body, "{} bytes came back", response.body.len());
}

#[test]
fn headers_about_the_connection_are_no_part_of_a_response() {
    let host = Host::dir(&["hello"]).start();
    let mut conn = host.http2();
    for (path, status) in [("/hello", 200), ("/nowhere", 404)] {
        let response = conn.get(path);
        assert_eq!(response.status, status);
        for name in ["connection", "transfer-encoding", "keep-alive"] {
            assert_eq!(response.headers.get(name), None, "{name}");
        }
    }
}

#[test]
fn a_trap_after_the_head_resets_the_stream_and_not_the_connection() {
    let host = Host::serving("conformance").start();
    let mut conn = host.http2();
    let response = conn.start(get("/trap?at=write"), true).response();
    assert_eq!(response.status, 200);
    assert_eq!(response.body, b"begun\n");
    assert!(response.reset.is_some(), "{response:?}");
    assert_eq!(conn.get("/hello").body, b"hello");
}

#[test]
fn a_body_that_misses_its_length_resets_the_stream() {
    let host = Host::serving("conformance").start();
    let mut conn = host.http2();
    let response = conn.start(get("/content-length?set=100&send=6&via=write"), true).response();
    assert!(response.reset.is_some(), "{response:?}");
    assert_eq!(conn.get("/hello").body, b"hello");
}

#[test]
fn a_client_that_resets_its_stream_has_left() {
    let host = Host::serving("hostile").grant("data", "/data").start();
    let mut conn = host.http2();
    let mut stream = conn.start(get("/leave/wait?file=/data/log"), true);
    assert_eq!(stream.head().unwrap().status, 200);
    stream.reset(Reason::CANCEL);
    wasgi_harness::files::wait_for_line(&host.path("data/log"), "write: closed");
    wasgi_harness::files::wait_for_line(&host.path("data/log"), "cleaned up");
    assert_eq!(conn.get("/ok").body, b"ok");
}

#[test]
fn a_client_that_resets_its_stream_before_the_head_is_logged_as_499() {
    let host = Host::serving("hostile").args(["--access-log-format", "json"]).start();
    let mut conn = host.http2();
    let request = http::Request::get("http://test/flood/endless?to=errors").header("user-agent", "leaves early");
    let stream = conn.start(request.body(()).unwrap(), true);
    // The guest runs, and gives no head.
    host.log().wait_with(&["hostile", "wsgi.errors"]);
    stream.reset(Reason::CANCEL);
    let line = host.access_log().wait("leaves early");
    let entry: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((entry["status"].as_u64(), entry["error"].as_str()), (Some(499), Some("client-left")), "{entry}");
}

#[test]
fn a_flood_of_resets_does_not_keep_others_waiting() {
    let host = Host::serving("hostile").args(["--concurrency-max", "4", "--abandon-max", "100ms"]).start();
    // A few on each connection, for more would rightly end it.
    for _ in 0..5 {
        let mut conn = host.http2();
        for _ in 0..10 {
            conn.start(get("/spin"), true).reset(Reason::CANCEL);
        }
    }
    assert_eq!(host.http2().get("/ok").body, b"ok");
}

#[test]
fn what_http_1_would_refuse_is_refused_here_too() {
    let host = Host::serving("hello").args(["--access-log-format", "json"]).start();
    let mut conn = host.http2();
    let differs = http::Request::get("http://test/").header("host", "other").body(()).unwrap();
    assert_eq!(conn.start(differs, true).response().status, 400);
    let long = http::Request::get(format!("http://test/{}", "x".repeat(9000))).body(()).unwrap();
    let response = conn.start(long, true).response();
    assert_eq!(response.status, 414);
    let id = response.headers["x-request-id"].to_str().unwrap();
    assert_eq!(access_entry(&host, id)["error"], "bad-request");
    assert_eq!(conn.get("/").status, 200, "the connection goes on");
}

#[test]
fn a_body_over_body_max_is_refused_on_its_stream_alone() {
    let host = Host::serving("conformance").args(["--body-max", "1000B"]).start();
    let mut conn = host.http2();
    let mut stream = conn.start(post("/input/all"), false);
    stream.send(vec![b'x'; 1001], true).unwrap();
    assert_eq!(stream.response().status, 413);
    assert_eq!(conn.get("/hello").body, b"hello");
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let host = Host::serving("conformance").start();
    let mut conn = host.http2();
    let mut stream = conn.start(get("/binary?size=10000000"), true);
    assert_eq!(stream.head().unwrap().status, 200);
    // Nobody takes its bytes, and other streams go on.
    for _ in 0..10 {
        assert_eq!(conn.get("/hello").body, b"hello");
    }
    let body = stream.rest().unwrap();
    assert_eq!(body.len(), 10_000_000);
    assert!(body.iter().enumerate().all(|(at, byte)| *byte == at.to_le_bytes()[0]), "in order, and each byte once");
}

#[test]
fn a_body_that_differs_from_its_length_calls_no_guest() {
    let host = Host::serving("conformance").start();
    for (length, body) in [("10", "short"), ("2", "long")] {
        let mut conn = host.http2();
        let request =
            http::Request::post("http://test/errors?text=must-not-be-called").header("content-length", length);
        let mut stream = conn.start(request.body(()).unwrap(), false);
        let _ = stream.send(body, true);
        match stream.head() {
            Ok(head) => assert_eq!(head.status, 400, "{length}"),
            Err(error) => assert!(error.is_reset(), "{length}: {error}"),
        }
    }
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("must-not-be-called")), "{log:#?}");
}
