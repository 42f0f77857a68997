//! `application(environ, startResponse)` in JavaScript: the rules of PEP 3333 that the SDK keeps, not the host.

use serde_json::json;
use wasgi_harness::{BodyEnd, Host, HostBuilder, Request};

fn raw() -> HostBuilder {
    Host::serving("raw-js")
}

#[test]
pub(crate) fn a_body_is_whatever_yields_bytes_or_text() {
    let host = raw().start();
    let hello = host.get("/");
    hello.expect_text("Hello, world!\n");
    assert_eq!(hello.header("Content-Length"), Some("14"));
    host.get("/written").expect_text("written,as bytes,returned");
    host.get("/generator").expect_text("ab");
    host.get("/stream").expect_text("from a stream");
}

#[test]
pub(crate) fn each_instance_begins_where_the_build_ended() {
    let host = Host::serving("conformance-js").start();
    for _ in 0..3 {
        assert_eq!(host.get("/calls").json(), json!({"calls": 1}));
    }
}

#[test]
fn the_environ_has_the_types_of_pep_3333() {
    let environ = raw().start().get("/environ").expect(200).json();
    assert_eq!(
        (&environ["path"], &environ["script"], &environ["version"]),
        (&json!("/environ"), &json!(""), &json!([1, 0]))
    );
    for (name, kind) in [
        ("REQUEST_METHOD", "string"),
        ("wsgi.url_scheme", "string"),
        ("wsgi.multithread", "boolean"),
        ("wsgi.multiprocess", "boolean"),
        ("wsgi.run_once", "boolean"),
        ("wsgi.input_terminated", "boolean"),
        ("wsgi.input", "object"),
        ("wsgi.errors", "object"),
    ] {
        assert_eq!(environ["kinds"][name], kind, "{name}");
    }
}

#[test]
fn the_input_is_read_by_size_by_line_and_to_its_end() {
    for host in [raw().start(), raw().args(["--request-body", "stream"]).start()] {
        let read = host.post("/input", "abcde\ntwo\nlast").json();
        assert_eq!(read, json!(["abc", "de\n", ["two\n", "last"], 0]));
        assert_eq!(host.post("/input", "").json(), json!(["", "", [], 0]));
        let large: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        assert_eq!(host.post("/echo", &large).expect(200).body, large);
    }
}

#[test]
fn a_head_is_replaced_by_an_error_until_it_is_sent() {
    let host = raw().start();
    let replaced = host.get("/replaced");
    assert_eq!((replaced.expect(503).text(), replaced.header("X-Head")), ("replaced", Some("second")));
    host.log().wait_with(&[&replaced.request_id(), "the first was wrong"]);
    host.get("/late-replaced").expect_text("begun\nraised again: true\n");
}

#[test]
fn what_is_refused_is_told_by_its_kind_and_reason() {
    let host = raw().start();
    for (path, kind, text) in [
        ("/twice", "already-called", "give the error"),
        ("/bad-status", "bad-status", "oops"),
        ("/bad-header", "bad-header", "X-Bad"),
        ("/bad-types", "bad-header", "give an array"),
    ] {
        let told = host.get(path).expect(200).json();
        assert_eq!(told["kind"], kind, "{path}");
        assert!(told["text"].as_str().unwrap().contains(text), "{path}: {told}");
    }
}

#[test]
fn a_body_ends_at_its_length_and_where_there_is_no_room_for_one() {
    let host = raw().start();
    let cut = host.get("/past-length");
    cut.expect_text("abcde");
    host.log().wait_with(&[&cut.request_id(), "Content-Length of 5"]);
    let mut conn = host.connect();
    conn.send(Request::get("/no-body").bytes());
    conn.response().expect(204);
    // Had it been sent, it would stand before the next response.
    conn.send(Request::get("/generator").bytes());
    conn.response().expect_text("ab");
}

#[test]
fn without_start_response_there_is_no_answer() {
    raw().start().get("/no-start").expect(502);
}

#[test]
fn errors_are_logged_and_answered_with_500() {
    let host = raw().start();
    for (path, told) in [("/throw", "RangeError: thrown"), ("/no-answer", "returned a number")] {
        let response = host.get(path);
        assert_eq!(response.expect(500).header("X-Head"), None, "nothing of the first head is left");
        host.log().wait_with(&[&response.request_id(), told]);
    }
    let id = host.get("/throw").request_id();
    host.log().wait_with(&[&id, "(app.js:"]);
    let mut conn = host.connect();
    conn.send(Request::get("/late-throw").bytes());
    let response = conn.response();
    assert_eq!((response.body.as_slice(), &response.end), (b"begun\n".as_slice(), &BodyEnd::Cut));
    host.log().wait_with(&[&response.request_id(), "thrown late"]);
}

#[test]
fn a_body_is_closed_when_its_client_leaves() {
    let host = raw().start();
    let mut conn = host.connect();
    conn.send(Request::get("/async").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunk().expect("the first chunk");
    drop(conn);
    host.log().wait_with(&[&id, " closed "]);
}
