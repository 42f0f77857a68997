//! The fetch form of apps in JavaScript, and the example of it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use wasgi_harness::{BodyEnd, Host, HostBuilder, Request};

fn fetch() -> HostBuilder {
    Host::serving("fetch-js")
}

#[test]
pub(crate) fn a_handler_sees_the_request_as_it_was_sent() {
    let host = fetch().start();
    let request = Request::new("PROPFIND", "/request?a=%20b&c").header("X-One", "1").header("X-Latin", "\u{e9}");
    let seen = host.request(&request.header("X-One", "2")).expect(200).json();
    assert_eq!(seen["method"], "PROPFIND");
    assert!(seen["url"].as_str().unwrap().starts_with("http://"), "{seen}");
    assert!(seen["url"].as_str().unwrap().ends_with("/request?a=%20b&c"), "{seen}");
    assert_eq!(seen["headers"]["x-one"].as_str().unwrap().replace(' ', ""), "1,2");
    host.get("/elsewhere").expect(404);
}

#[test]
fn what_the_operator_grants_is_the_second_argument() {
    let host = fetch().env("WASGI_TEST_SECRET", "hunter2").args(["--env", "COLOUR=blue"]).start();
    assert_eq!(host.get("/env").json(), json!({"COLOUR": "blue"}));
}

#[test]
fn what_is_made_by_chance_differs_in_each_instance() {
    let host = fetch().start();
    let (one, other) = (host.get("/chance").json(), host.get("/chance").json());
    for name in ["random", "uuid", "values"] {
        assert_ne!(one[name], other[name], "{name}");
    }
    assert_eq!(one["madeAtBuild"], other["madeAtBuild"], "of the snapshot");
}

#[test]
fn clocks_are_those_of_the_request() {
    let millis = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let host = fetch().start();
    let before = millis();
    let now = u128::from(host.get("/now").json()["now"].as_u64().unwrap());
    assert!(before <= now && now <= millis(), "{now}");
}

#[test]
fn an_instance_that_is_reused_keeps_its_modules_and_no_handles() {
    let host = fetch().args(["--reuse", "1000"]).start();
    for number in 1..=300 {
        assert_eq!(host.get("/calls").json(), json!({"calls": number}), "the same instance, whatever it was given");
        host.post("/echo", "x").expect_text("x");
    }
}

#[test]
fn a_body_is_read_in_each_of_the_ways() {
    let host = fetch().start();
    host.post("/text", "some text").expect_text("SOME TEXT");
    assert_eq!(host.post("/json", r#"{"a":[1]}"#).json(), json!({"a": [1]}));
    let form = Request::post("/form", "a=1&b=%202").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(host.request(&form).json(), json!([["a", "1"], ["b", " 2"]]));
    let parts = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\nContent-Type: text/css\r\n\r\nabc\r\n--x--\r\n";
    let form = Request::post("/form", parts).header("Content-Type", "multipart/form-data; boundary=x");
    assert_eq!(host.request(&form).json(), json!([["a", "1"], ["f", ["f.txt", "text/css", "abc"]]]));
    let large: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    assert_eq!(host.post("/echo", &large).expect(200).body, large);
    host.post("/json", "not JSON").expect(500);
}

#[test]
fn each_piece_is_answered_before_the_next_is_sent() {
    let host = fetch().args(["--request-body", "stream"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/gate").header("Transfer-Encoding", "chunked").bytes());
    conn.send("3\r\none\r\n");
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("one");
    conn.send("3\r\ntwo\r\n");
    conn.chunks_until("two");
    conn.send("0\r\n\r\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
}

#[test]
fn answers_come_in_each_of_the_ways() {
    let host = fetch().start();
    host.get("/later").expect_text("after a while");
    let ticks = host.get("/ticks");
    ticks.expect_text("tick 1\ntick 2\ntick 3\n");
    assert_eq!(ticks.header("Content-Length"), None, "nobody knows it beforehand");
    assert_eq!(host.get("/length").expect(200).header("Content-Length"), Some("21"));
    let large = host.get("/large");
    assert_eq!(large.expect(200).body.len(), 3_000_000);
    assert_eq!(large.header("Content-Length"), Some("3000000"));
    let empty = host.get("/empty");
    empty.expect(204);
    let cookies: Vec<_> =
        empty.head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).collect();
    assert_eq!(cookies.len(), 2, "{empty:?}");
    host.get("/latin").expect(299);
    host.get("/gone").expect_text("true");
}

#[test]
fn of_the_answer_to_head_only_the_head_is_sent() {
    let host = fetch().start();
    let mut conn = host.connect();
    for path in ["/ticks", "/endless", "/large"] {
        conn.send(Request::new("HEAD", path).bytes());
        assert_eq!(conn.response_to("HEAD").expect(200).body, b"", "{path}");
    }
    conn.send(Request::get("/later").bytes());
    conn.response().expect_text("after a while");
}

#[test]
fn an_error_is_logged_with_the_authors_own_lines_and_answered_with_500() {
    let host = fetch().start();
    for (path, error) in [("/throw", "RangeError: thrown"), ("/reject", "RangeError: rejected")] {
        let response = host.get(path);
        response.expect(500);
        assert!(!response.text().contains("RangeError"), "not for the client: {response:?}");
        host.log().wait_with(&[&response.request_id(), error]);
        host.log().wait_with(&[&response.request_id(), "at boom (src/lib/boom.js:2)"]);
    }
    let id = host.get("/throw").request_id();
    host.log().wait_with(&[&id, "(src/index.ts:6"]);
    for (path, told) in [
        ("/throw-text", "thrown: only text"),
        ("/no-response", "fetch() returned a string: return a Response"),
        ("/bad-header", "connection"),
        ("/outside", "an app has no network"),
    ] {
        let id = host.get(path).expect(500).request_id();
        host.log().wait_with(&[&id, told]);
    }
    // None of them ended the instance.
    let host = fetch().args(["--reuse", "1000"]).start();
    host.get("/throw").expect(500);
    host.get("/calls").expect(200);
    host.get("/reject").expect(500);
    assert_eq!(host.get("/calls").json(), json!({"calls": 2}));
}

#[test]
fn an_error_after_the_head_cuts_the_connection() {
    let host = fetch().start();
    let mut conn = host.connect();
    conn.send(Request::get("/late").bytes());
    let response = conn.response();
    assert_eq!((response.body.as_slice(), &response.end), (b"begun\n".as_slice(), &BodyEnd::Cut));
    host.log().wait_with(&[&response.request_id(), "RangeError: too late"]);
    // What the client was promised it has, and no more of it.
    let response = host.get("/too-long");
    response.expect_text("tick 1\n");
    host.log().wait_with(&[&response.request_id(), "Content-Length of 7"]);
    host.get("/later").expect(200);
}

#[test]
fn a_promise_that_nobody_settles_ends_the_request() {
    let host = fetch().start();
    host.get("/never").expect(500);
    host.get("/later").expect(200);
}

#[test]
fn a_client_that_leaves_cancels_the_stream() {
    let host = fetch().start();
    let mut conn = host.connect();
    conn.send(Request::get("/endless").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunk().expect("the first chunk");
    drop(conn);
    host.log().wait_with(&[&id, "the stream is cancelled"]);
    host.log().wait_with(&[&id, "the signal is aborted"]);
}

#[test]
fn what_is_printed_goes_to_the_log_and_what_is_waited_for_is_done() {
    let host = fetch().start();
    let id = host.get("/log").expect(200).request_id();
    host.log().wait_with(&[&id, "to stdout { a: [1] }"]);
    host.log().wait_with(&[&id, "to stderr"]);
    let response = host.get("/wait");
    response.expect_text("answered");
    host.log().wait_with(&[&response.request_id(), "waited: done"]);
}

#[test]
pub(crate) fn js_hello_greets_streams_and_measures() {
    let host = Host::serving("js-hello").args(["--env", "GREETING=Salut"]).start();
    host.get("/").expect_text("Hello, world!\n");
    assert_eq!(host.get("/greet/%C3%89mile").expect(200).json(), json!({"greeting": "Salut, Émile!"}));
    host.get("/elsewhere").expect(404);
    assert_eq!(host.get("/upload").expect(405).header("Allow"), Some("PUT"));
    let body = "a line\n".repeat(500_000);
    let mut conn = host.connect();
    conn.send(Request::new("PUT", "/upload").header("Content-Length", body.len().to_string()).bytes()).send(&body);
    assert_eq!(conn.response().expect(200).json(), json!({"bytes": body.len(), "lines": 500_000}));
    // The second event is further away than any test waits: the first did not wait for it.
    conn.send(Request::get("/events?count=2&interval=600000").bytes());
    assert_eq!(conn.head().header("Content-Type"), Some("text/event-stream"));
    conn.chunks_until("id: 1\ndata: {\"tick\":1,\"of\":2}\n\n");
    assert!(host.get("/events?count=3&interval=1").expect(200).text().ends_with("{\"tick\":3,\"of\":3}\n\n"));
}
