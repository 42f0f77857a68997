//! What is special about Python: its objects, its iterables and its exceptions; and its column of the table.

use std::fs;

use serde_json::json;
use wasgi_harness::{BodyEnd, Request};

use crate::hosts::Hosts;
use crate::special::{Special, besides};
use crate::table::{Coverage, tests};
use crate::{body, environ, errors, exc_info, input, python};

/// How a rule's proofs differ from those of Rust.
pub(crate) fn special(rule: &str) -> Option<Special> {
    Some(match rule {
        "rule 3" => besides(tests![python::entries_have_the_types_of_pep_3333]),
        "rule 4" | "rule 6" => besides(tests![python::every_iterable_is_a_body]),
        "rule 12" | "PATH_INFO" => Special::Instead(tests![environ::the_path_info_is_what_the_route_leaves]),
        "rule 20" | "rule 23" | "rule 27" | "rule 28" | "rule 29" => {
            besides(tests![python::entries_have_the_types_of_pep_3333])
        }
        // There is one object, and nothing to take twice.
        "rule 25" => Special::Instead(tests![input::the_body_can_be_read_whole]),
        "rule 30" | "rule 72" => Special::Instead(tests![
            python::a_file_like_object_is_sent_in_blocks,
            python::a_file_of_the_bundle_is_sent_by_the_host,
        ]),
        "rule 31" | "rule 35" | "rule 36" => besides(tests![python::lines_can_be_read_in_each_way]),
        "rule 43" | "rule 44" | "rule 48" | "rule 56" => besides(tests![python::heads_of_the_wrong_types_are_refused]),
        "rule 54" => besides(tests![python::exc_info_is_not_kept]),
        "rule 53" => Special::Instead(tests![exc_info::exc_info_after_the_head_is_sent_tells_the_application_so]),
        "rule 55" => besides(tests![python::start_response_may_come_with_the_first_block]),
        "rule 57" => besides(tests![python::a_yielded_block_arrives_while_the_application_goes_on]),
        "rule 60" => besides(tests![python::a_body_that_passes_its_length_is_cut_there_and_closed]),
        "rule 62" => Special::Instead(tests![
            body::a_written_body_of_unknown_length_is_chunked,
            body::for_http_1_0_the_end_of_a_written_body_is_the_close,
            body::statuses_without_body_have_neither_body_nor_framing,
            python::a_body_where_there_is_no_room_for_one_is_dropped,
        ]),
        "rule 65" => besides(tests![python::a_body_is_closed_on_every_way_out]),
        "rule 68" => Special::Instead(tests![
            python::errors_of_every_kind_are_logged_and_answered_with_500,
            python::what_is_no_body_is_answered_with_500_and_its_mend,
            errors::a_trap_after_the_head_cuts_the_connection,
        ]),
        "rule 73" | "wsgiref.validate" => {
            besides(tests![python::middleware_that_checks_both_sides_finds_nothing_to_complain_of])
        }
        _ => return None,
    })
}

pub(crate) fn entries_have_the_types_of_pep_3333(hosts: &Hosts) {
    let types = hosts.plain().get("/types").json();
    assert_eq!(types["environ"], "dict", "a plain one");
    for (name, expected) in [
        ("wsgi.version", "tuple"),
        ("wsgi.multithread", "bool"),
        ("wsgi.multiprocess", "bool"),
        ("wsgi.run_once", "bool"),
        ("wsgi.input_terminated", "bool"),
        ("wsgi.url_scheme", "str"),
        ("wsgi.file_wrapper", "type"),
    ] {
        assert_eq!(types[name], expected, "{name}");
    }
    let others = types.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("wsgi.") && *name != "environ");
    assert!(others.clone().count() > 10 && others.into_iter().all(|(_, kind)| kind == "str"), "{types}");
}

pub(crate) fn every_iterable_is_a_body(hosts: &Hosts) {
    let host = hosts.plain();
    for kind in ["list", "tuple", "generator", "closing"] {
        host.get(&format!("/iterable?kind={kind}")).expect_text("abc");
    }
    for kind in ["empty", "nothing"] {
        host.get(&format!("/iterable?kind={kind}")).expect_text("");
    }
    let large = host.get("/iterable?kind=large");
    assert_eq!(large.expect(200).body.len(), 3_000_000, "what is too large for one piece is written");
}

pub(crate) fn a_file_like_object_is_sent_in_blocks(hosts: &Hosts) {
    hosts.plain().get("/iterable?kind=file").expect_text("abc");
}

pub(crate) fn a_file_of_the_bundle_is_sent_by_the_host(hosts: &Hosts) {
    let host = hosts.plain();
    for (query, text) in [
        ("", "<p>A file of the bundle.</p>\n"),
        ("offset=3", "A file of the bundle.</p>\n"),
        ("offset=3&length=6", "A file"),
    ] {
        let response = host.get(&format!("/wrapped-file?{query}"));
        response.expect_text(text);
        // What an application writes in blocks has no length unless it says one; the host knows its files.
        assert_eq!(response.header("Content-Length"), Some(text.len().to_string().as_str()), "{query}");
    }
}

pub(crate) fn lines_can_be_read_in_each_way(hosts: &Hosts) {
    for host in [hosts.plain(), hosts.streaming()] {
        for by in ["iteration", "readlines", "hint"] {
            let read = host.post(&format!("/input/ways?by={by}"), "one\ntwo\n\nlast").json();
            assert_eq!(read, json!({"lines": ["one\n", "two\n", "\n", "last"], "rest": 0}), "{by}");
        }
        let read = host.post("/input/ways?by=size", "one\ntwo").json();
        assert_eq!(read, json!({"lines": ["one", "\n", "two"], "rest": 0}), "readline(3)");
    }
}

pub(crate) fn heads_of_the_wrong_types_are_refused(hosts: &Hosts) {
    for (what, error, mend) in [
        ("status", "bad-status", "give a str"),
        ("tuple", "bad-header", "give a list"),
        ("pair", "bad-header", "give (name, value)"),
        ("value", "bad-header", "decode or format it"),
        ("surrogate", "bad-header", "U+DC80"),
    ] {
        let report = hosts.plain().get(&format!("/start-wrong?what={what}")).expect(200).json();
        assert_eq!(report["error"], error, "{what}: {report}");
        assert!(report["detail"].as_str().unwrap().contains(mend), "{what}: {report}");
    }
}

pub(crate) fn exc_info_is_not_kept(hosts: &Hosts) {
    assert_eq!(hosts.plain().get("/start-exc-info/kept").json(), json!({"kept": false}));
}

pub(crate) fn start_response_may_come_with_the_first_block(hosts: &Hosts) {
    hosts.plain().get("/late-start").expect_text("started late");
}

pub(crate) fn a_yielded_block_arrives_while_the_application_goes_on(hosts: &Hosts) {
    let host = hosts.serving().grant("gate", "/gate").start();
    let mut conn = host.connect();
    conn.send(Request::get("/gate/yield?path=/gate/open").bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("first\n");
    // Only now may the application go on: what came before did so while it was waiting.
    fs::write(host.path("gate/open"), "").unwrap();
    conn.chunks_until("last\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
}

pub(crate) fn a_body_that_passes_its_length_is_cut_there_and_closed(hosts: &Hosts) {
    let host = hosts.plain();
    let response = host.get("/closing?length=10");
    response.expect_text("begun\nxxxx");
    host.log().wait_with(&[&response.request_id(), "Content-Length of 10"]);
    host.log().wait_with(&[&response.request_id(), " closed "]);
}

pub(crate) fn a_body_where_there_is_no_room_for_one_is_dropped(hosts: &Hosts) {
    let host = hosts.plain();
    for status in [204, 304] {
        for via in ["return", "write"] {
            let mut conn = host.connect();
            conn.send(Request::get(&format!("/no-body?status={status}&send=5&via={via}")).bytes());
            conn.response().expect(status);
            // Had it been sent, it would stand before the next response.
            conn.send(Request::get("/hello").bytes());
            conn.response().expect_text("hello");
        }
    }
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

    let response = host.get("/iterable?kind=closing&close-fails=1");
    response.expect_text("abc");
    host.log().wait_with(&[&response.request_id(), "close failed"]);
}

pub(crate) fn errors_of_every_kind_are_logged_and_answered_with_500(hosts: &Hosts) {
    let host = hosts.plain();
    for what in ["error", "exit", "interrupt", "memory", "base"] {
        for at in ["call", "start"] {
            let response = host.get(&format!("/raise?what={what}&at={at}"));
            response.expect(500);
            assert_eq!(response.header("X-Call"), None, "nothing of the first head is left: {response:?}");
            assert!(!response.text().contains("asked to fail"), "not for the client: {response:?}");
            host.log().wait_with(&[&response.request_id(), "asked to fail"]);
            host.log().wait_with(&[&response.request_id(), "Traceback"]);
        }
    }
    host.get("/recursion").expect(500);
    // None of them ended the instance.
    let host = hosts.serving().args(["--reuse", "1000"]).start();
    host.get("/raise?what=exit").expect(500);
    assert_eq!(host.get("/calls").json(), json!({"calls": 2}), "of the same instance");
}

pub(crate) fn what_is_no_body_is_answered_with_500_and_its_mend(hosts: &Hosts) {
    let host = hosts.plain();
    for (what, mend) in [
        ("none", "returned None"),
        ("number", "returned an int"),
        ("text", "such as [text.encode()]"),
        ("bytes", "such as [body]"),
        ("item", "encode it"),
        ("yielded", "convert it with bytes()"),
    ] {
        let response = host.get(&format!("/wrong-body?what={what}"));
        response.expect(500);
        host.log().wait_with(&[&response.request_id(), mend]);
    }
}

/// wsgiref.validate and webtest.lint look at what the application does, and at what the server does.
pub(crate) fn middleware_that_checks_both_sides_finds_nothing_to_complain_of(hosts: &Hosts) {
    for checker in ["wsgiref.validate", "webtest.lint"] {
        let host = hosts.serving().args(["--env", &format!("CONFORMANCE_UNDER={checker}")]).start();
        for path in ["/hello", "/environ", "/return?size=100", "/binary?size=5000", "/headers/repeat", "/no-body"] {
            let (plain, checked) = (hosts.plain().get(path), host.get(path));
            assert_eq!(checked.head.status, plain.head.status, "{checker}: {path}: {checked:?}");
            assert_eq!(checked.header("Content-Type"), plain.header("Content-Type"), "{checker}: {path}");
        }
        for kind in ["list", "generator", "closing", "empty", "file"] {
            let path = format!("/iterable?kind={kind}");
            assert_eq!(host.get(&path).expect(200).body, hosts.plain().get(&path).body, "{checker}: {path}");
        }
        for path in ["/input/all", "/input/partial?bytes=3", "/input/lines", "/input/ways?by=readlines"] {
            let post = |host: &wasgi_harness::Host| host.post(path, "some\nlines\n").expect(200).body.clone();
            assert_eq!(post(&host), post(hosts.plain()), "{checker}: {path}");
        }
        host.get("/write?size=1000&chunk=100").expect(200);
        host.get("/errors/lines").expect_text("ok");
        // They do look: this breaks a rule.
        hosts.plain().get("/odd-name").expect(200);
        host.get("/odd-name").expect(500);
    }
}
