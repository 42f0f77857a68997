//! What HTTP asks beside WSGI: Expect, HEAD, transfer coding, no meddling.

use wasgi_harness::{Host, Request};

use crate::hosts::{Hosts, environ_of};

fn expecting(target: &str, length: usize) -> Request {
    Request::new("POST", target).header("Expect", "100-continue").header("Content-Length", length.to_string())
}

fn is_asked_to_continue(host: &Host) {
    let mut conn = host.connect();
    conn.send(expecting("/input/all", 4).head_bytes());
    let interim = conn.head();
    assert_eq!((interim.status, interim.reason.as_str()), (100, "Continue"));
    conn.send("body");
    conn.response().expect_text("body");
}

pub(crate) fn a_client_that_asks_is_told_to_continue(hosts: &Hosts) {
    is_asked_to_continue(hosts.plain());
    is_asked_to_continue(hosts.streaming());
}

pub(crate) fn with_streaming_the_client_continues_when_the_input_is_read(hosts: &Hosts) {
    let mut conn = hosts.streaming().connect();
    conn.send(expecting("/input/ignored", 4).head_bytes());
    // The application answers without reading, so the client is never asked for the body.
    let head = conn.head();
    assert_eq!(head.status, 200, "no 100 Continue before it");
    assert_eq!(conn.body(&head, "POST").0, b"ignored");
}

pub(crate) fn a_client_that_speaks_http_1_0_is_never_told_to_continue(hosts: &Hosts) {
    for host in [hosts.plain(), hosts.streaming()] {
        let mut conn = host.connect();
        conn.send(expecting("/input/all", 4).http_1_0().head_bytes()).send("body");
        assert_eq!(conn.head().status, 200, "the final head comes first");
    }
}

pub(crate) fn a_body_that_is_refused_is_refused_before_the_client_sends_it(hosts: &Hosts) {
    let host = hosts.serving().args(["--body-max", "1KiB"]).start();
    let mut conn = host.connect();
    conn.send(expecting("/input/all", 1025).head_bytes());
    assert_eq!(conn.head().status, 413, "and not 100");
}

pub(crate) fn the_answer_to_head_is_the_head_alone(hosts: &Hosts) {
    let host = hosts.plain();
    for (path, length) in [("/return?size=5", Some("5")), ("/content-length?set=7&send=7", Some("7"))] {
        let mut conn = host.connect();
        conn.send(Request::new("HEAD", path).bytes());
        let response = conn.response_to("HEAD");
        assert_eq!(response.expect(200).header("Content-Length"), length, "{path}");
        // Were there a body, it would stand before the next response.
        conn.send(Request::get("/hello").bytes());
        conn.response().expect_text("hello");
    }
}

pub(crate) fn what_is_written_in_answer_to_head_is_counted_and_dropped(hosts: &Hosts) {
    let host = hosts.plain();
    let mut conn = host.connect();
    conn.send(Request::new("HEAD", "/write?size=200000").bytes());
    let response = conn.response_to("HEAD");
    response.expect(200);
    host.log().wait_with(&[&response.request_id(), "wrote 200000 bytes"]);
    conn.send(Request::get("/hello").bytes());
    conn.response().expect_text("hello");
}

pub(crate) fn ranges_and_conditions_are_left_to_the_application(hosts: &Hosts) {
    for (name, value) in
        [("Range", "bytes=0-1"), ("If-None-Match", "*"), ("If-Modified-Since", "Sun, 06 Nov 2094 08:49:37 GMT")]
    {
        let response = hosts.plain().request(&Request::get("/hello").header(name, value));
        response.expect_text("hello");
    }
    let response = hosts.plain().request(&Request::get("/write?size=100000").header("Accept-Encoding", "gzip, br"));
    assert_eq!(response.expect(200).header("Content-Encoding"), None);
    assert_eq!(response.text().len(), 100_000);
}

pub(crate) fn headers_about_the_connection_do_not_reach_the_application(hosts: &Hosts) {
    let request = Request::chunked("/environ", ["abc"])
        .header("Connection", "keep-alive, X-Hop")
        .header("Keep-Alive", "timeout=5")
        .header("TE", "trailers")
        .header("Trailer", "X-Late")
        .header("Upgrade", "websocket")
        .header("Proxy-Authorization", "Basic eA==")
        .header("Proxy-Connection", "keep-alive")
        .header("X-Hop", "named by Connection")
        .header("X-End-To-End", "stays");
    let environ = environ_of(hosts.plain(), &request);
    for name in [
        "HTTP_CONNECTION",
        "HTTP_KEEP_ALIVE",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
        "HTTP_PROXY_AUTHORIZATION",
        "HTTP_PROXY_CONNECTION",
        "HTTP_X_HOP",
    ] {
        assert_eq!(environ.get(name), None, "{name}");
    }
    assert_eq!(environ["HTTP_X_END_TO_END"], "stays");
}
