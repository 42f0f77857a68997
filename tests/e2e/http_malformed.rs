//! Malformed requests: each is answered and the connection closed; none hangs, none reaches an app.

use wasgi_harness::{BodyEnd, Host};

use crate::common::access_entry_with;

/// Bytes, and the statuses that may answer them.
type Case = (&'static str, &'static [u8], &'static [u16]);

const HEADS: &[Case] = &[
    ("no HTTP", b"GARBAGE\r\n\r\n", &[400]),
    ("no target", b"GET\r\nHost: x\r\n\r\n", &[400]),
    ("no version", b"GET /\r\nHost: x\r\n\r\n", &[400]),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
    ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
    ("a NUL in the target", b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
    ("a control in the target", b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
    ("a version that is none", b"GET / HTTP/x\r\nHost: x\r\n\r\n", &[400]),
    ("a version to come", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", &[400, 505]),
    ("HTTP/2 as text", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", &[400, 505]),
    ("a method with a parenthesis", b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
    ("a header without a colon", b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", &[400]),
    ("a space before the colon", b"GET / HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", &[400]),
    ("an empty name", b"GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", &[400]),
    ("a name with a space", b"GET / HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n", &[400]),
    ("a folded header", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded\r\n\r\n", &[400]),
    ("a NUL in a value", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n\r\n", &[400]),
    ("a bare CR in a value", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n", &[400]),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", &[400]),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", &[400]),
    ("a Host that is none", b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", &[400]),
    ("a Host with a user", b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", &[400]),
    ("a Host with a port too large", b"GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n", &[400]),
    ("two Hosts joined", b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", &[400]),
    ("a tunnel", b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", &[501]),
    ("the whole server", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n", &[400]),
];

const FRAMINGS: &[Case] = &[
    ("two lengths", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", &[400]),
    ("two lengths in one", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\nabcdef", &[400]),
    ("a length with a sign", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde", &[400]),
    ("a length under zero", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabcde", &[400]),
    ("a length in hex", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nabcde", &[400]),
    ("a length with a space", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5 5\r\n\r\nabcde", &[400]),
    ("an empty length", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", &[400]),
    (
        "a length past 64 bits",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        &[400, 413],
    ),
    (
        "a length that just fits 64 bits",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551613\r\n\r\n",
        &[413],
    ),
    (
        // hyper's own answer; see RATIONALE.md.
        "a length that hyper keeps for itself",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
        &[400, 413, 431],
    ),
    ("an unknown coding", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", &[400, 501]),
    (
        "an unknown coding before chunked",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked before another",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked twice",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "a coding like chunked",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked with a vertical tab",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400, 501]),
    (
        "a chunk size that is none",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",
        &[400],
    ),
    (
        "a chunk size with a sign",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "a chunk size past 64 bits",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
        &[400],
    ),
    (
        "a chunk longer than its size",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "an empty chunk size",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
        &[400],
    ),
];

/// Sends each case to the host: the answer is one of its statuses, and then the connection ends.
fn are_refused(host: &Host, cases: &[Case]) {
    for (what, bytes, statuses) in cases {
        let mut conn = host.connect();
        // The rest of a request that is refused early may find the connection closed.
        let _ = conn.try_send(bytes);
        match conn.try_head() {
            Ok(head) => {
                assert!(statuses.contains(&head.status), "{what}: {head:?}");
                let (_, end) = conn.body(&head, "GET");
                assert_eq!(end, BodyEnd::Complete, "{what}");
            }
            Err(ending) => panic!("{what}: {ending:?} without an answer"),
        }
        let (rest, _) = conn.rest();
        assert!(rest.is_empty(), "{what}: then came {:?}", String::from_utf8_lossy(&rest));
    }
}

#[test]
fn a_malformed_head_is_answered_and_the_connection_closed() {
    let host = Host::serving("hello").start();
    are_refused(&host, HEADS);
    host.get("/").expect_text("Hello, world!\n");
}

#[test]
fn a_preface_of_http_2_without_frames_ends_the_connection() {
    let host = Host::serving("hello").start();
    for nonsense in ["nonsense, which is no frame at all", "\0\0\0\0\0\0\0\0\0 and more"] {
        let mut conn = host.connect();
        conn.send(["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nonsense].concat());
        conn.rest();
    }
    host.get("/").expect_text("Hello, world!\n");
}

#[test]
fn framing_that_two_servers_could_read_differently_is_refused() {
    // The guest reads its body, so that what is wrong with it would show.
    let host = Host::serving("conformance").start();
    are_refused(&host, FRAMINGS);
    host.get("/hello").expect_text("hello");
}

#[test]
fn with_streaming_too_framing_is_checked_before_the_guest_is_called() {
    let host = Host::serving("conformance").args(["--request-body", "stream"]).start();
    // What is wrong with a chunk shows when it comes, which the guest learns from its reads.
    let heads: Vec<_> = FRAMINGS
        .iter()
        .copied()
        .filter(|(what, ..)| !what.contains("chunk ") && !what.contains("chunk size"))
        .collect();
    assert!(heads.len() > 12, "the filter is for the bodies alone");
    are_refused(&host, &heads);
    let mut conn = host.connect();
    conn.send("POST /input/error HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n");
    host.log().wait("input: closed after 3 bytes");
}

#[test]
fn what_is_too_long_is_told_so() {
    let host = Host::serving("hello").args(["--access-log-format", "json"]).start();
    let long = "x".repeat(100 * 1024);
    let requests = [
        ("request line", format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 414),
        ("request line a little", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", &long[..9000]), 414),
        ("method", format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n"), 0),
        ("header", format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"), 431),
        ("header name", format!("GET / HTTP/1.1\r\nHost: x\r\n{long}: x\r\n\r\n"), 431),
        ("headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: x\r\n".repeat(200)), 431),
        ("head without end", format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", long.repeat(20)), 431),
    ];
    for (index, (what, request, status)) in requests.into_iter().enumerate() {
        let mut conn = host.connect();
        let _ = conn.try_send(&request);
        let answered = conn.head().status;
        assert!(answered == status || (status == 0 && [400, 414, 431].contains(&answered)), "{what}: {answered}");
        conn.rest();
        let logged = host.access_log().wait_count(index + 1, &["\"status\":"]).pop().unwrap();
        assert!(logged.contains(&format!("\"status\":{answered}")), "{what}: {answered}, and in the log {logged}");
    }
    host.get("/").expect_text("Hello, world!\n");
}

#[test]
fn what_is_harmless_is_served() {
    let host = Host::serving("conformance").start();
    for (what, request) in [
        ("an empty line before the request", &b"\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"[..]),
        ("an absolute target", b"GET http://x/hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("an empty Host", b"GET /hello HTTP/1.1\r\nHost:\r\n\r\n"),
        ("spaces around a value", b"GET /hello HTTP/1.1\r\nHost: \t x \t\r\n\r\n"),
        ("equal lengths", b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        ("Chunked", b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        ("HTTP/1.0 without Host", b"GET /hello HTTP/1.0\r\n\r\n"),
        ("bytes past ASCII in a value", b"GET /hello HTTP/1.1\r\nHost: x\r\nX-A: \xff\xe9\r\n\r\n"),
    ] {
        let mut conn = host.connect();
        conn.send(request);
        let response = conn.response();
        assert_eq!((response.status(), response.body.as_slice()), (200, &b"hello"[..]), "{what}: {response:?}");
    }
}

#[test]
fn a_refused_request_is_in_the_access_log() {
    let host = Host::serving("hello").args(["--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send("GARBAGE\r\n\r\n");
    assert_eq!(conn.head().status, 400);
    let entry = access_entry_with(&host, "\"status\":400");
    assert_eq!((entry["error"].as_str(), entry["method"].as_str()), (Some("malformed"), None), "{entry}");

    let mut conn = host.connect();
    conn.send("GET /two-hosts HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
    assert_eq!(conn.head().status, 400);
    let entry = access_entry_with(&host, "/two-hosts");
    assert_eq!((entry["status"].as_u64(), entry["error"].as_str()), (Some(400), Some("bad-request")), "{entry}");
}

#[test]
fn no_byte_behind_a_refused_request_is_read_as_another() {
    let host = Host::serving("conformance").start();
    let smuggled = "GET /errors?text=smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (what, head) in [
        ("an unknown coding", "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (
            "HTTP/1.0 chunked",
            "POST /hello HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n"),
        ("a tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n"),
    ] {
        let mut conn = host.connect();
        let _ = conn.try_send([head, smuggled].concat());
        assert!(conn.response().status() >= 400, "{what}");
        let (rest, _) = conn.rest();
        assert!(rest.is_empty(), "{what}: a second answer: {:?}", String::from_utf8_lossy(&rest));
    }
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("smuggled")), "{log:#?}");
}

/// RFC 9112 section 6.1: such a request may be served by its coding alone, and then the connection must end.
#[test]
fn a_length_beside_chunked_counts_for_nothing_and_ends_the_connection() {
    for mode in ["buffer", "stream"] {
        let host = Host::serving("conformance").args(["--request-body", mode]).start();
        let lengths =
            ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 400"];
        for framing in lengths {
            let mut conn = host.connect();
            let head = format!("POST /input/all HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
            let smuggled = "GET /errors?text=smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
            conn.send([&head, "3\r\nabc\r\n0\r\n\r\n", smuggled].concat());
            let response = conn.response();
            match response.status() {
                200 => assert_eq!(response.body, b"abc", "{mode}, {framing}"),
                status => assert_eq!(status, 400, "{mode}, {framing}"),
            }
            let (rest, _) = conn.rest();
            assert!(rest.is_empty(), "{mode}, {framing}: a second answer: {:?}", String::from_utf8_lossy(&rest));
        }
        let log = host.stop().log;
        assert!(!log.iter().any(|line| line.contains("smuggled")), "{log:#?}");
    }
}
