//! Files of a bundle that the host sends for the app.

use wasgi_harness::{BodyEnd, Host, Request};

use crate::bundle::{App, FILES, mounted_at_0};

/// More than is read at once, and than any buffer on the way holds.
const LARGE: usize = 20 << 20;

fn large() -> Vec<u8> {
    (0..LARGE).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

fn host() -> Host {
    App::new("hostile", FILES, Some(&mounted_at_0())).serving().start()
}

#[test]
fn a_file_is_sent_with_its_length() {
    let host = host();
    let response = host.get("/file?path=/app/data/digits");
    response.expect(200);
    assert_eq!(response.header("content-length"), Some("10"));
    assert_eq!(response.body, b"0123456789");
    assert_eq!(host.get("/file?path=/0/data/digits").expect(200).body, b"0123456789");
    assert_eq!(host.get("/file?path=/app/empty").expect(200).body, b"");
}

#[test]
fn a_part_of_a_file_is_sent() {
    let host = host();
    for (query, part) in [("offset=3", "3456789"), ("offset=3&length=2", "34"), ("offset=10", ""), ("length=0", "")] {
        let response = host.get(&format!("/file?path=/app/data/digits&{query}"));
        response.expect(200);
        assert_eq!(response.body, part.as_bytes(), "{query}");
    }
}

#[test]
fn what_is_not_in_the_bundle_or_past_the_end_is_the_apps_fault() {
    let host = host();
    for (query, told) in [
        ("path=/app/none", "\"/app/none\", and its bundle has no such file"),
        ("path=/app/data", "\"/app/data\", and its bundle has no such file"),
        ("path=/app/../listing.json", "not a plain path in its bundle"),
        ("path=/etc/passwd", "not a plain path in its bundle"),
        ("path=/app/data/digits&offset=11", "0 bytes at 11 of the file \"/app/data/digits\", which has 10 bytes"),
        ("path=/app/data/digits&length=11", "11 bytes at 0 of the file"),
        ("path=/app/data/digits&offset=1&length=18446744073709551615", "18446744073709551615 bytes at 1"),
        ("path=/app/data/digits&content-length=9", "past the Content-Length"),
        ("path=/app/data/digits&content-length=11", "1 bytes less than the Content-Length"),
        ("path=/app/data/digits&status=204", "a body with a 204"),
    ] {
        let id = host.get(&format!("/file?{query}")).expect(502).request_id();
        host.log().wait_with(&[told, &id]);
    }
    let without = Host::serving("hostile").start();
    let id = without.get("/file?path=/app/x").expect(502).request_id();
    without.log().wait_with(&["it has no bundle to serve files from", &id]);
}

#[test]
fn a_large_file_is_whole_over_both_versions_of_http() {
    let app = App::new("hostile", &[("large", &large())], None);
    let host = app.serving().start();
    let response = host.get("/file?path=/app/large");
    response.expect(200);
    assert_eq!(response.header("content-length"), Some(LARGE.to_string().as_str()));
    assert!(response.body == large());
    let offset = LARGE - 100_000;
    let response = host.get(&format!("/file?path=/app/large&offset={offset}"));
    response.expect(200);
    assert!(response.body == large()[offset..]);
    let mut http2 = host.http2();
    assert!(http2.get("/file?path=/app/large").body == large());
}

#[test]
fn what_was_written_comes_before_the_file() {
    let app = App::new("hostile", &[("large", &large())], None);
    let host = app.serving().start();
    let response = host.get("/file?path=/app/large&written=first");
    response.expect(200);
    assert!(response.body[..5] == *b"first" && response.body[5..] == large());
    let sized = format!("/file?path=/app/large&written=first&content-length={}", LARGE + 5);
    assert_eq!(host.get(&sized).expect(200).body.len(), LARGE + 5);
}

#[test]
fn the_answer_to_head_tells_the_length_and_sends_nothing() {
    let app = App::new("hostile", &[("large", &large())], None);
    let host = app.serving().start();
    for path in ["/app/large", "/app/large&offset=5"] {
        let response = host.request(&Request::new("HEAD", &format!("/file?path={path}")));
        let length = LARGE - if path.ends_with("=5") { 5 } else { 0 };
        assert_eq!(response.expect(200).header("content-length"), Some(length.to_string().as_str()));
    }
}

#[test]
fn an_instance_is_free_while_its_file_is_sent() {
    let app = App::new("hostile", &[("large", &large())], None);
    let host = app.serving().args(["--concurrency-max", "1", "--queue-max", "0"]).start();
    let mut slow = host.connect();
    slow.send(Request::get("/file?path=/app/large").bytes());
    let head = slow.head();
    assert_eq!(head.status, 200);
    // The one instance there may be serves others, while nobody takes the file.
    for _ in 0..3 {
        host.get("/ok").expect_text("ok");
    }
    let (body, end) = slow.body(&head, "GET");
    assert!(body == large() && end == BodyEnd::Complete);
}

#[test]
fn a_client_that_leaves_ends_the_file() {
    let app = App::new("hostile", &[("large", &large())], None);
    let host = app.serving().start();
    let mut leaving = host.connect();
    leaving.send(Request::get("/file?path=/app/large").bytes());
    leaving.head();
    leaving.reset();
    let line = host.access_log().wait("/file?path=/app/large");
    assert!(line.contains(" 200 "), "{line}");
    host.get("/ok").expect_text("ok");
}
