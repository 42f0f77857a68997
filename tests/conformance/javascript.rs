//! What is special about JavaScript: its types, its iterables and its errors; and its column of the table.

use serde_json::json;
use wasgi_harness::{BodyEnd, Request};

use crate::hosts::Hosts;
use crate::special::{Special, besides};
use crate::table::{Coverage, tests};
use crate::{body, environ, errors, exc_info, input, javascript, python};

/// How a rule's proofs differ from those of Rust.
pub(crate) fn special(rule: &str) -> Option<Special> {
    Some(match rule {
        "rule 3" | "rule 20" | "rule 23" | "rule 27" | "rule 28" | "rule 29" => {
            besides(tests![javascript::entries_have_the_types_of_javascript])
        }
        "rule 4" | "rule 6" => besides(tests![javascript::whatever_yields_bytes_or_text_is_a_body]),
        "rule 12" | "PATH_INFO" => Special::Instead(tests![environ::the_path_info_is_what_the_route_leaves]),
        // There is one object, and nothing to take twice.
        "rule 25" => Special::Instead(tests![input::the_body_can_be_read_whole]),
        "rule 30" | "rule 72" => Special::Instead(Coverage::NotApplicable(
            "wsgi.file_wrapper is optional, and an application in JavaScript has no files to wrap",
        )),
        "rule 31" | "rule 35" => besides(tests![javascript::lines_can_be_read_in_each_way]),
        "rule 43" | "rule 44" | "rule 48" | "rule 56" => {
            besides(tests![javascript::heads_of_the_wrong_types_are_refused])
        }
        // Without files it cannot wait for one, so it waits for its input.
        "rule 50" => Special::Instead(tests![
            exc_info::the_head_is_not_sent_before_the_body_so_exc_info_replaces_it,
            exc_info::an_empty_write_does_not_send_the_head,
            body::each_chunk_is_sent_when_it_is_written,
            body::a_head_is_sent_though_no_body_follows,
        ]),
        "rule 55" => besides(tests![python::start_response_may_come_with_the_first_block]),
        "rule 57" => Special::Instead(tests![
            body::each_chunk_is_sent_when_it_is_written,
            body::both_directions_flow_at_once,
            javascript::each_block_is_sent_when_it_is_yielded,
        ]),
        "rule 60" => besides(tests![python::a_body_that_passes_its_length_is_cut_there_and_closed]),
        "rule 62" => Special::Instead(tests![
            body::a_written_body_of_unknown_length_is_chunked,
            body::for_http_1_0_the_end_of_a_written_body_is_the_close,
            body::statuses_without_body_have_neither_body_nor_framing,
            python::a_body_where_there_is_no_room_for_one_is_dropped,
        ]),
        "rule 65" => besides(tests![javascript::a_body_is_closed_on_every_way_out]),
        "rule 68" => Special::Instead(tests![
            javascript::whatever_is_thrown_is_logged_and_answered_with_500,
            javascript::what_is_no_body_is_answered_with_500_and_its_mend,
            errors::a_trap_after_the_head_cuts_the_connection,
        ]),
        "rule 73" => besides(tests![javascript::middleware_stands_between_server_and_application]),
        _ => return None,
    })
}

pub(crate) fn entries_have_the_types_of_javascript(hosts: &Hosts) {
    let types = hosts.plain().get("/types").json();
    for (name, expected) in [
        ("wsgi.version", "array"),
        ("wsgi.multithread", "boolean"),
        ("wsgi.multiprocess", "boolean"),
        ("wsgi.run_once", "boolean"),
        ("wsgi.input_terminated", "boolean"),
        ("wsgi.url_scheme", "string"),
        ("wsgi.input", "object"),
        ("wsgi.errors", "object"),
    ] {
        assert_eq!(types[name], expected, "{name}");
    }
    let others = types.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("wsgi."));
    assert!(others.clone().count() > 10 && others.into_iter().all(|(_, kind)| kind == "string"), "{types}");
}

pub(crate) fn whatever_yields_bytes_or_text_is_a_body(hosts: &Hosts) {
    let host = hosts.plain();
    for kind in ["array", "string", "bytes", "buffer", "generator", "later", "set", "stream", "promised", "closing"] {
        let response = host.get(&format!("/iterable?kind={kind}"));
        assert_eq!(response.expect(200).text(), "abc", "{kind}");
    }
    for kind in ["empty", "nothing"] {
        host.get(&format!("/iterable?kind={kind}")).expect_text("");
    }
    let large = host.get("/iterable?kind=large");
    assert_eq!(large.expect(200).body.len(), 3_000_000, "what is too large for one piece is written");
}

pub(crate) fn lines_can_be_read_in_each_way(hosts: &Hosts) {
    for host in [hosts.plain(), hosts.streaming()] {
        for by in ["iteration", "readlines"] {
            let read = host.post(&format!("/input/ways?by={by}"), "one\ntwo\n\nlast").json();
            assert_eq!(read, json!({"lines": ["one\n", "two\n", "\n", "last"], "rest": 0}), "{by}");
        }
        let read = host.post("/input/ways?by=mixed", "one two\nthree\nfour").json();
        assert_eq!(read, json!({"lines": ["one", " two\n", "three\n", "four"], "rest": 0}));
    }
}

pub(crate) fn heads_of_the_wrong_types_are_refused(hosts: &Hosts) {
    for (what, error, mend) in [
        ("status", "bad-status", "give a string"),
        ("object", "bad-header", "give an array"),
        ("triple", "bad-header", "is not [name, value]"),
        ("value", "bad-header", "of two strings"),
        ("surrogate", "bad-header", "U+FFFD"),
    ] {
        let report = hosts.plain().get(&format!("/start-wrong?what={what}")).expect(200).json();
        assert_eq!(report["error"], error, "{what}: {report}");
        assert!(report["detail"].as_str().unwrap().contains(mend), "{what}: {report}");
    }
}

pub(crate) fn each_block_is_sent_when_it_is_yielded(hosts: &Hosts) {
    let mut conn = hosts.streaming().connect();
    conn.send(Request::new("POST", "/gate/yield").header("Transfer-Encoding", "chunked").bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("first\n");
    // Only now may the application go on: what came before did so while it was waiting.
    conn.send_chunk("1").chunks_until("second\n");
    conn.send_chunk("2").send_chunk("").chunks_until("last\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
}

pub(crate) fn a_body_is_closed_on_every_way_out(hosts: &Hosts) {
    let host = hosts.plain();
    let id = host.get("/iterable?kind=closing").expect(200).request_id();
    host.log().wait_with(&[&id, " closed "]);

    let mut conn = host.connect();
    conn.send(Request::get("/closing?end=error").bytes());
    let response = conn.response();
    assert_eq!((response.body.as_slice(), &response.end), (b"begun\n".as_slice(), &BodyEnd::Cut));
    host.log().wait_with(&[&response.request_id(), "failed between blocks"]);
    host.log().wait_with(&[&response.request_id(), " closed "]);

    let mut conn = host.connect();
    conn.send(Request::get("/closing").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunk().expect("the first chunk");
    drop(conn);
    host.log().wait_with(&[&id, " closed "]);
}

pub(crate) fn whatever_is_thrown_is_logged_and_answered_with_500(hosts: &Hosts) {
    let host = hosts.plain();
    for what in ["error", "range", "aggregate", "text", "object"] {
        for how in ["at=call", "at=start", "at=start&rejected=1"] {
            let response = host.get(&format!("/raise?what={what}&{how}"));
            response.expect(500);
            assert_eq!(response.header("X-Call"), None, "nothing of the first head is left: {response:?}");
            assert!(!response.text().contains("asked to fail"), "not for the client: {response:?}");
            host.log().wait_with(&[&response.request_id(), "asked to fail"]);
        }
    }
    host.get("/recursion").expect(500);
    // None of them ended the instance.
    let host = hosts.serving().args(["--reuse", "1000"]).start();
    host.get("/raise?what=error").expect(500);
    assert_eq!(host.get("/calls").json(), json!({"calls": 2}), "of the same instance");
}

pub(crate) fn what_is_no_body_is_answered_with_500_and_its_mend(hosts: &Hosts) {
    let host = hosts.plain();
    for (what, mend) in [
        ("number", "returned a number"),
        ("object", "return bytes, a string, or an iterable"),
        ("item", "give a Uint8Array or a string"),
        ("yielded", "is null"),
    ] {
        let response = host.get(&format!("/wrong-body?what={what}"));
        response.expect(500);
        host.log().wait_with(&[&response.request_id(), mend]);
    }
}

pub(crate) fn middleware_stands_between_server_and_application(hosts: &Hosts) {
    let response = hosts.plain().get("/middleware");
    response.expect_text("WRITTEN, BY INNER AT /MIDDLEWARE");
    assert_eq!(response.header("X-Middleware"), Some("shouting"));
}
