//! The response body: when it is sent, and how its length is kept honest.

use std::fs;

use wasgi_harness::{BodyEnd, Ending, Request};

use crate::hosts::Hosts;

pub(crate) fn a_chunk_arrives_while_the_application_goes_on(hosts: &Hosts) {
    let host = hosts.serving().grant("gate", "/gate").start();
    let mut conn = host.connect();
    conn.send(Request::get("/gate/file?path=/gate/open&at=write").bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("first\n");
    // Only now may the application end: what came before did so while it was waiting.
    fs::write(host.path("gate/open"), "").unwrap();
    conn.chunks_until("last\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
}

pub(crate) fn each_chunk_is_sent_when_it_is_written(hosts: &Hosts) {
    let mut conn = hosts.streaming().connect();
    conn.send(Request::new("POST", "/gate/input").header("Transfer-Encoding", "chunked").bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("first\n");
    conn.send_chunk("1").chunks_until("second\n");
    conn.send_chunk("2").send_chunk("").chunks_until("last\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
}

pub(crate) fn both_directions_flow_at_once(hosts: &Hosts) {
    let mut conn = hosts.streaming().connect();
    conn.send(Request::new("POST", "/input/echo").header("Transfer-Encoding", "chunked").bytes());
    conn.send_chunk("ping");
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("ping");
    conn.send_chunk("pong").chunks_until("pong");
    conn.send_chunk("");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
}

pub(crate) fn bytes_go_through_unchanged(hosts: &Hosts) {
    for size in [0, 1, 256, 1 << 20, (3 << 20) + 7] {
        let response = hosts.plain().get(&format!("/binary?size={size}"));
        let expected: Vec<u8> = (0..=255).cycle().take(size).collect();
        assert!(response.expect(200).body == expected, "{size} bytes, but {} came", response.body.len());
        assert_eq!(response.end, BodyEnd::Complete);
    }
}

pub(crate) fn a_body_in_one_piece_gets_its_length(hosts: &Hosts) {
    for size in [0, 5, 100_000] {
        let response = hosts.plain().get(&format!("/return?size={size}"));
        assert_eq!(response.expect(200).header("Content-Length"), Some(size.to_string().as_str()));
        assert_eq!(response.body.len(), size);
    }
}

pub(crate) fn the_body_never_passes_its_content_length(hosts: &Hosts) {
    let host = hosts.plain();
    let mut conn = host.connect();
    conn.send(Request::get("/content-length/chunks?set=10&chunk=5").bytes());
    let response = conn.response();
    response.expect_text("cccccccccc");
    assert_eq!(response.header("Content-Length"), Some("10"));
    host.log().wait_with(&[&response.request_id(), "write: past-content-length after 10 bytes"]);
    // Had more been sent, it would stand before the next response.
    conn.send(Request::get("/hello").bytes());
    conn.response().expect_text("hello");
}

pub(crate) fn a_chunk_past_the_content_length_is_refused_whole(hosts: &Hosts) {
    let host = hosts.plain();
    let mut conn = host.connect();
    conn.send(Request::get("/content-length/chunks?set=12&chunk=5").bytes());
    let response = conn.response();
    assert_eq!(response.body, b"cccccccccc", "nothing of the third chunk was sent");
    assert_eq!(response.end, BodyEnd::Cut, "so the body stays short");
    host.log().wait_with(&[&response.request_id(), "write: past-content-length after 10 bytes"]);
}

pub(crate) fn a_returned_body_that_does_not_match_its_length_gives_502(hosts: &Hosts) {
    let host = hosts.plain();
    for (set, send) in [(5, 9), (9, 5), (0, 1), (1, 0)] {
        let response = host.get(&format!("/content-length?set={set}&send={send}"));
        response.expect(502);
        host.log().wait_with(&[&response.request_id(), "Content-Length"]);
    }
    host.get("/content-length?set=5&send=5").expect_text("ccccc");
    host.get("/content-length?set=0&send=0").expect_text("");
}

pub(crate) fn a_body_that_ends_short_of_its_length_is_cut_and_logged(hosts: &Hosts) {
    let host = hosts.plain();
    for via in ["write", "both"] {
        let mut conn = host.connect();
        conn.send(Request::get(&format!("/content-length?set=100&send=6&via={via}")).bytes());
        let response = conn.response();
        response.expect(200);
        assert_eq!(response.header("Content-Length"), Some("100"));
        assert_eq!(response.end, BodyEnd::Cut);
        host.log().wait_with(&[&response.request_id(), "Content-Length"]);
    }
}

pub(crate) fn a_written_body_of_unknown_length_is_chunked(hosts: &Hosts) {
    let response = hosts.plain().get("/write?size=100000&chunk=1000");
    assert_eq!(response.expect(200).header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(response.header("Content-Length"), None);
    assert_eq!(response.text().len(), 100_000);
}

pub(crate) fn for_http_1_0_the_end_of_a_written_body_is_the_close(hosts: &Hosts) {
    let mut conn = hosts.plain().connect();
    conn.send(Request::get("/write?size=100000&chunk=1000").http_1_0().bytes());
    let head = conn.head();
    assert_eq!(head.header("Transfer-Encoding"), None, "HTTP/1.0 does not know it");
    assert_eq!(head.header("Content-Length"), None);
    let (body, ending) = conn.rest();
    assert_eq!((body.len(), ending), (100_000, Ending::Closed));
}

pub(crate) fn statuses_without_body_have_neither_body_nor_framing(hosts: &Hosts) {
    let host = hosts.plain();
    for status in [204, 304] {
        let mut conn = host.connect();
        conn.send(Request::get(&format!("/no-body?status={status}")).bytes());
        let response = conn.response();
        response.expect(status);
        assert_eq!(response.header("Content-Length"), None);
        assert_eq!(response.header("Transfer-Encoding"), None);
        conn.send(Request::get("/hello").bytes());
        conn.response().expect_text("hello");
    }
}

pub(crate) fn a_body_where_there_is_no_room_for_one_is_refused(hosts: &Hosts) {
    let host = hosts.plain();
    for status in [204, 304] {
        let response = host.get(&format!("/no-body?status={status}&send=5&via=return"));
        response.expect(502);
        let mut conn = host.connect();
        conn.send(Request::get(&format!("/no-body?status={status}&send=5&via=write")).bytes());
        let response = conn.response();
        response.expect(status);
        host.log().wait_with(&[&response.request_id(), "write: no-body-allowed"]);
        conn.send(Request::get("/hello").bytes());
        conn.response().expect_text("hello");
    }
}

pub(crate) fn a_head_is_sent_though_no_body_follows(hosts: &Hosts) {
    let response = hosts.plain().get("/return?size=0");
    response.expect_text("");
    assert_eq!(response.header("Content-Length"), Some("0"));
}

pub(crate) fn a_bundled_file_is_refused_clearly_as_there_are_no_bundles(hosts: &Hosts) {
    let host = hosts.plain();
    let response = host.get("/file");
    response.expect(502);
    host.log().wait_with(&[&response.request_id(), "/app/index.html", "bundle"]);
}
