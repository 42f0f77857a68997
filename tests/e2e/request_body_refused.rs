//! Request bodies that are not served: too large, too slow, broken off.

use std::time::{Duration, Instant};

use serde_json::json;
use wasgi_harness::{Conn, Ending, Host, Request};

use crate::common::{access_entry, access_entry_with};

fn post(length: usize) -> Request {
    Request::new("POST", "/input/all").header("Content-Length", length.to_string())
}

fn chunked(target: &str) -> Request {
    Request::new("POST", target).header("Transfer-Encoding", "chunked")
}

fn expecting(length: usize) -> Request {
    post(length).header("Expect", "100-continue")
}

/// The response and then the close, which follows each refusal of a body.
#[track_caller]
fn refused(conn: &mut Conn, status: u16) -> wasgi_harness::Response {
    let response = conn.response();
    response.expect(status);
    assert_eq!(response.header("Connection"), Some("close"), "{response:?}");
    conn.rest();
    response
}

#[test]
fn a_length_over_body_max_is_refused_before_the_body() {
    let host = Host::serving("conformance").args(["--body-max", "1000B"]).start();
    let mut conn = host.connect();
    conn.send(post(1001).head_bytes());
    refused(&mut conn, 413);
    host.post("/input/all", vec![b'x'; 1000]).expect(200);
}

#[test]
fn a_chunked_body_is_refused_once_it_passes_body_max() {
    let host = Host::serving("conformance").args(["--body-max", "1000B"]).start();
    let mut conn = host.connect();
    conn.send(chunked("/input/all").head_bytes()).send_chunk(vec![b'x'; 1000]);
    conn.send_chunk("1");
    // Not before the end: the next byte is one too many.
    refused(&mut conn, 413);
    host.request(&Request::chunked("/input/all", [vec![b'x'; 1000]])).expect(200);
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let host = Host::serving("conformance").args(["--body-max", "1KiB"]).start();
    let mut conn = host.connect();
    conn.send(post(1 << 20).head_bytes());
    // A close with bytes unread is a reset, which could overtake the response.
    for _ in 0..16 {
        if conn.try_send(vec![b'x'; 65536]).is_err() {
            break;
        }
    }
    conn.response().expect(413);
}

#[test]
fn a_streamed_body_over_body_max_is_an_error_of_the_read() {
    let host = Host::serving("conformance").args(["--request-body", "stream", "--body-max", "1000B"]).start();
    let mut conn = host.connect();
    conn.send(chunked("/input/error").head_bytes()).send_chunk(vec![b'x'; 1000]).send_chunk("1").send_chunk("");
    let response = conn.response();
    assert_eq!(response.expect(200).json()["error"], "too-large");
    host.log().wait_with(&[&response.request_id(), "input: too-large after"]);
    // With a length it is refused before the guest is called.
    let mut conn = host.connect();
    conn.send(post(1001).head_bytes());
    refused(&mut conn, 413);
}

#[test]
fn a_body_that_will_be_refused_is_not_asked_for() {
    let host = Host::serving("hostile").args([
        "--body-max",
        "1MiB",
        "--spool-max",
        "1MiB",
        "--concurrency-max",
        "1",
        "--queue-max",
        "0",
        "--wall-max",
        "60s",
    ]);
    let host = host.grant("data", "/data").start();
    let mut conn = host.connect();
    conn.send(expecting((1 << 20) + 1).head_bytes());
    assert_eq!(conn.head().status, 413, "too large");

    let mut conn = host.connect();
    conn.send(
        Request::post("/input/all", "x").header("Host", "bad host").header("Expect", "100-continue").head_bytes(),
    );
    assert_eq!(conn.head().status, 400, "malformed");

    // The only place is taken, and there is no queue.
    let mut waiting = host.connect();
    waiting.send(Request::get("/leave/wait?file=/data/log").bytes());
    assert_eq!(waiting.head().status, 200);
    let mut conn = host.connect();
    conn.send(expecting(5).head_bytes());
    let head = conn.head();
    assert_eq!(head.status, 503, "no place");
    assert!(head.header("Retry-After").is_some(), "{head:?}");
}

#[test]
fn a_route_that_is_not_there_is_told_before_the_body() {
    let host = Host::dir(&["hello"]).start();
    let mut conn = host.connect();
    conn.send(expecting(5).head_bytes());
    assert_eq!(conn.head().status, 404, "and not 100");
}

#[test]
pub(crate) fn a_body_that_comes_too_slowly_is_refused_with_408() {
    let host = Host::serving("conformance").args(["--body-idle-max", "300ms", "--access-log-format", "json"]).start();
    let mut conn = host.connect();
    let begun = Instant::now();
    conn.send(post(10).head_bytes()).send("half ");
    let response = refused(&mut conn, 408);
    assert!(begun.elapsed() >= Duration::from_millis(300), "not before its time: {:?}", begun.elapsed());
    let entry = access_entry(&host, &response.request_id());
    assert_eq!((&entry["status"], &entry["error"]), (&json!(408), &json!("body-too-slow")));
}

#[test]
fn a_streamed_body_that_comes_too_slowly_is_an_error_of_the_read() {
    let host = Host::serving("conformance").args(["--request-body", "stream", "--body-idle-max", "300ms"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/input/error").header("Content-Length", "10").head_bytes()).send("half ");
    assert_eq!(conn.response().expect(200).json(), json!({"total": 5, "error": "timed-out"}));
}

#[test]
fn a_body_that_the_client_breaks_off_calls_no_guest() {
    let host = Host::serving("conformance").args(["--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send(Request::post("/errors?text=called", "").header("X-Test", "1").head_bytes());
    conn.response().expect(200);
    host.log().wait("called");
    for reset in [false, true] {
        let target = format!("/errors?text=must-not-be-called&reset={reset}");
        let mut conn = host.connect();
        conn.send(Request::new("POST", &target).header("Content-Length", "10").head_bytes()).send("half ");
        if reset {
            conn.reset()
        } else {
            drop(conn)
        }
        let entry = access_entry_with(&host, &format!("reset={reset}"));
        assert!(entry["status"] == 499 || entry["status"] == 400, "{entry}");
    }
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("must-not-be-called")), "{log:#?}");
}

#[test]
fn a_body_shorter_than_its_length_is_refused() {
    let host = Host::serving("conformance").start();
    for request in [post(10).head_bytes(), [chunked("/input/all").head_bytes(), b"a\r\n".to_vec()].concat()] {
        let mut conn = host.connect();
        conn.send(request).send("half ").finish_sending();
        // The client still listens, so it may be told; what must not be is a 200.
        match conn.try_head() {
            Ok(head) => assert_eq!(head.status, 400),
            Err(Ending::Closed | Ending::Reset) => {}
        }
    }
    host.get("/hello").expect_text("hello");
}

#[test]
fn a_streamed_body_that_is_broken_off_is_an_error_of_the_read() {
    let host = Host::serving("conformance").args(["--request-body", "stream"]).start();
    let mut conn = host.connect();
    conn.send(chunked("/input/error").head_bytes()).send_chunk("begun").finish_sending();
    host.log().wait("input: closed after 5 bytes");
    host.get("/hello").expect_text("hello");
}

#[test]
pub(crate) fn a_full_spool_refuses_with_503_until_there_is_room() {
    let host =
        Host::serving("conformance").args(["--body-max", "100KiB", "--spool-max", "150KiB"]).grant("gate", "/gate");
    let host = host.args(["--access-log-format", "json"]).start();
    let body = vec![b'x'; 100 * 1024];
    let mut holding = host.connect();
    holding.send(Request::post("/gate/file?path=/gate/open", &body).bytes());
    assert_eq!(holding.head().status, 200);

    let mut with_length = host.connect();
    with_length.send(post(body.len()).head_bytes());
    let mut in_chunks = host.connect();
    in_chunks.send(chunked("/input/all").head_bytes()).send_chunk(&body).send_chunk("");
    for mut conn in [with_length, in_chunks] {
        let response = refused(&mut conn, 503);
        assert!(response.header("Retry-After").is_some(), "{response:?}");
        assert_eq!(access_entry(&host, &response.request_id())["error"], "spool-full");
    }
    // Small bodies need no spool.
    host.post("/input/all", "small").expect_text("small");

    std::fs::write(host.path("gate/open"), "").unwrap();
    holding.chunks_until("first\nlast\n");
    assert_eq!(holding.chunk(), Ok(Vec::new()));
    host.post("/input/all", &body).expect(200);
}
