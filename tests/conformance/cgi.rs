//! RFC 3875 sections 4 to 7 for CGI programs: what a program is told, what becomes of what it prints.
//!
//! The guest `cgi` prints at `/print` what the query says.

use serde_json::json;
use wasgi_harness::{BodyEnd, Host, Request, Response};

use crate::hosts::{Hosts, encoded, environ_of, environ_with};
use crate::table::{Coverage, Row, tests};
use crate::{cgi, environ, http, rfc3875};

const OF_THE_SYSTEM: &str = "WASI says how a program is started, and the host asks nothing of its files";

fn row(rule: &'static str, says: &'static str, rust: Coverage) -> Row {
    let elsewhere = Coverage::NotApplicable("programs have a table of their own");
    Row { rule, says, rust, python: elsewhere.clone(), javascript: elsewhere }
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    [request_rows(), response_rows(), header_rows()].into_iter().flatten().collect()
}

fn request_rows() -> Vec<Row> {
    vec![
        row("3.4", "a program runs once for each request", tests![cgi::each_request_runs_the_program_once]),
        row("4.1.1", "AUTH_TYPE", tests![rfc3875::authentication_is_left_to_the_application]),
        row(
            "4.1.2 and 4.1.3",
            "CONTENT_LENGTH and CONTENT_TYPE",
            tests![
                environ::type_and_length_of_the_body_are_told_if_there_is_one,
                cgi::the_length_of_a_body_is_always_told,
            ],
        ),
        row("4.1.4", "GATEWAY_INTERFACE", tests![rfc3875::the_gateway_is_cgi_1_1]),
        row("4.1.5", "PATH_INFO", tests![environ::the_mount_point_is_the_script_name, cgi::paths_are_decoded_and_text]),
        row("4.1.6", "PATH_TRANSLATED", tests![rfc3875::no_path_of_the_servers_is_told]),
        row("4.1.7", "QUERY_STRING", tests![environ::the_query_is_told_undecoded]),
        row(
            "4.1.8 to 4.1.11",
            "REMOTE_ADDR, REMOTE_HOST, REMOTE_IDENT, REMOTE_USER",
            tests![rfc3875::the_client_is_told_by_its_address, rfc3875::authentication_is_left_to_the_application],
        ),
        row("4.1.12", "REQUEST_METHOD", tests![environ::the_method_is_told_as_it_was_sent]),
        row("4.1.13", "SCRIPT_NAME", tests![environ::the_mount_point_is_the_script_name]),
        row(
            "4.1.14 and 4.1.15",
            "SERVER_NAME and SERVER_PORT",
            tests![
                environ::the_server_is_named_as_the_client_named_it,
                environ::the_server_has_a_name_and_port_even_if_the_client_gives_none,
            ],
        ),
        row("4.1.16", "SERVER_PROTOCOL", tests![environ::the_protocol_is_that_of_the_request]),
        row("4.1.17", "SERVER_SOFTWARE", tests![rfc3875::the_software_is_named_with_its_version]),
        row(
            "4.1.18",
            "headers as HTTP_*",
            tests![
                environ::headers_become_variables_just_when_they_are_sent,
                environ::type_and_length_are_no_header_variables,
                rfc3875::repeated_headers_are_one_variable,
                rfc3875::headers_that_could_pass_for_another_are_dropped,
                http::headers_about_the_connection_do_not_reach_the_application,
            ],
        ),
        row("4.1", "nothing else but what the operator gives", tests![cgi::what_is_not_of_cgi_stays_out]),
        row(
            "4.2",
            "the body on standard input, to its end",
            tests![cgi::the_body_is_on_standard_input, cgi::a_program_need_not_read_its_body],
        ),
        row("4.3", "GET, POST, HEAD and others", tests![cgi::the_answer_to_head_has_no_body]),
        row("4.4", "no command line from the query", tests![cgi::no_query_becomes_a_command_line]),
        row("5", "NPH scripts", tests![cgi::a_program_that_speaks_http_itself_is_refused]),
        row("7", "the system", Coverage::NotApplicable(OF_THE_SYSTEM)),
        row("7.2", "variables are text", tests![cgi::paths_are_decoded_and_text, cgi::what_is_no_text_is_refused]),
    ]
}

fn response_rows() -> Vec<Row> {
    vec![
        row(
            "6.1",
            "the response is sent as it comes",
            tests![cgi::each_piece_is_sent_as_it_is_printed, cgi::a_program_that_fails_is_answered_for],
        ),
        row("6.2.1", "a document", tests![cgi::a_type_and_a_body_make_a_document]),
        row(
            "6.2.2",
            "a local redirect",
            tests![
                cgi::a_path_as_location_is_answered_by_this_server,
                cgi::a_local_redirect_with_more_is_refused,
                cgi::redirects_without_end_are_refused,
            ],
        ),
        row("6.2.3", "a redirect by the client", tests![cgi::a_url_as_location_is_a_302]),
        row("6.2.4", "a redirect with a document", tests![cgi::a_redirect_may_have_a_document]),
        row("6.4", "the body", tests![cgi::a_body_is_sent_as_it_is, cgi::a_body_is_held_to_its_length]),
    ]
}

fn header_rows() -> Vec<Row> {
    vec![
        row(
            "6.3",
            "one field a line, LF or CRLF, one field of CGI at least",
            tests![cgi::lines_end_in_lf_or_crlf, cgi::what_is_no_head_is_answered_with_502],
        ),
        row("6.3.1", "Content-Type", tests![cgi::a_body_without_type_is_refused]),
        row("6.3.2", "Location", tests![cgi::a_location_leads_somewhere]),
        row("6.3.3", "Status", tests![cgi::the_status_is_as_it_was_printed]),
        row(
            "6.3.4",
            "headers of HTTP",
            tests![cgi::headers_are_handed_on, cgi::headers_about_the_connection_are_dropped],
        ),
        row("6.3.5", "X-CGI-*", tests![cgi::extensions_of_cgi_do_not_reach_the_client]),
    ]
}

/// What becomes of this output.
fn printed(host: &Host, output: &str) -> Response {
    host.get(&format!("/print?out={}", encoded(output)))
}

/// The output is no response: 502 for the client, `why` in the log.
#[track_caller]
fn refused(hosts: &Hosts, output: &str, why: &str) {
    let response = printed(hosts.plain(), output);
    response.expect(502);
    hosts.plain().log().wait_with(&[&response.request_id(), "the output of the program is no response", why]);
}

// === the request ===

pub(crate) fn each_request_runs_the_program_once(hosts: &Hosts) {
    // Whether or not it asked to be reused.
    for host in [hosts.plain(), hosts.reusing()] {
        for _ in 0..3 {
            assert_eq!(host.get("/calls").expect(200).json(), json!({"calls": 1}));
        }
    }
    hosts.reusing().log().wait_with(&["runs once for each request", "reuse=1000"]);
}

pub(crate) fn the_length_of_a_body_is_always_told(hosts: &Hosts) {
    let request = Request::chunked("/environ", ["abc", "de"]);
    for host in [hosts.plain(), hosts.streaming()] {
        assert_eq!(environ_of(host, &request)["CONTENT_LENGTH"], "5", "a body of unknown length is buffered");
    }
}

pub(crate) fn paths_are_decoded_and_text(hosts: &Hosts) {
    let host = Host::dir(&["rust-cgi"]).start();
    for (path, path_info) in [("/rust-cgi", ""), ("/rust-cgi/a%20b%2Fc", "/a b/c"), ("/rust-cgi/%C3%A9", "/é")] {
        let page = host.get(path);
        let told = page.text().lines().find_map(|line| line.strip_prefix("PATH_INFO="));
        assert_eq!(told, Some(path_info), "{path}");
    }
    let environ = environ_with(hosts.plain(), &[("X-Name", "caf\u{e9}")]);
    assert_eq!(environ["HTTP_X_NAME"], "café");
}

pub(crate) fn what_is_no_text_is_refused(hosts: &Hosts) {
    for path in ["/%ff", "/a%00b"] {
        let response = hosts.plain().get(path);
        response.expect(400);
        assert!(response.text().contains("PATH_INFO"), "{response:?}");
    }
    let response = hosts.plain().request(&Request::get("/ok").header("X-Name", [b'a', 0xe9]));
    response.expect(400);
    assert!(response.text().contains("HTTP_X_NAME"), "{response:?}");
}

pub(crate) fn what_is_not_of_cgi_stays_out(hosts: &Hosts) {
    let host = hosts.serving().args(["--env", "GREETING=hello", "--env", "HTTP_X_FORGED=1"]);
    let host = host.env("SECRET_OF_THE_HOST", "1").start();
    let environ = environ_with(&host, &[]);
    assert_eq!(environ["GREETING"], "hello");
    assert_eq!((environ.get("SECRET_OF_THE_HOST"), environ.get("HTTP_X_FORGED")), (None, None));
    let names = environ.as_object().unwrap().keys();
    assert!(names.clone().all(|name| !name.contains('.')), "nothing of PEP 3333: {names:?}");
}

pub(crate) fn the_body_is_on_standard_input(hosts: &Hosts) {
    let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    for host in [hosts.plain(), hosts.streaming()] {
        for request in [Request::post("/read", &body), Request::chunked("/read", body.chunks(7_000))] {
            let read = host.request(&request).expect(200).json();
            assert_eq!(read, json!({"total": 300_000, "sum": sum, "error": null}));
        }
        assert_eq!(host.get("/read").expect(200).json()["total"], 0);
    }
}

pub(crate) fn a_program_need_not_read_its_body(hosts: &Hosts) {
    for host in [hosts.plain(), hosts.streaming()] {
        host.post("/ok", vec![b'x'; 200_000]).expect_text("ok");
        assert_eq!(host.post("/read?bytes=10", vec![b'x'; 200_000]).expect(200).json()["total"], 10);
    }
}

pub(crate) fn the_answer_to_head_has_no_body(hosts: &Hosts) {
    let target = format!("/print?out={}", encoded("Content-Type: text/plain\nContent-Length: 4\n\nbody"));
    let mut conn = hosts.plain().connect();
    for _ in 0..2 {
        conn.send(Request::new("HEAD", &target).bytes());
        let response = conn.response_to("HEAD");
        assert_eq!((response.status(), response.header("Content-Length")), (200, Some("4")), "{response:?}");
    }
}

pub(crate) fn no_query_becomes_a_command_line(hosts: &Hosts) {
    for query in ["", "?a+b", "?-d+allow", "?%2Ds"] {
        assert_eq!(hosts.plain().get(&format!("/args{query}")).expect(200).json(), json!(["app"]), "{query}");
    }
}

pub(crate) fn a_program_that_speaks_http_itself_is_refused(hosts: &Hosts) {
    refused(hosts, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbody", "NPH");
}

// === the response ===

pub(crate) fn each_piece_is_sent_as_it_is_printed(hosts: &Hosts) {
    let mut conn = hosts.streaming().connect();
    conn.send(Request::new("POST", "/echo").header("Content-Length", "9").bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("begun\n");
    for piece in ["one", "two", "end"] {
        conn.send(piece).chunks_until(piece);
    }
    assert!(conn.chunk().is_ok_and(|last| last.is_empty()));
}

pub(crate) fn a_program_that_fails_is_answered_for(hosts: &Hosts) {
    let host = hosts.plain();
    let fails = |output: &str, then: &str| host.get(&format!("/print?out={}&then={then}", encoded(output)));
    for output in ["", "Content-Type: text/pl", "Content-Type: text/plain\n\n"] {
        let response = fails(output, "exit&code=3");
        response.expect(500);
        host.log().wait_with(&[&response.request_id(), "kind=\"exit\""]);
        fails(output, "panic").expect(500);
    }
    for then in ["exit", "panic"] {
        let response = fails("Content-Type: text/plain\n\nbegun", then);
        assert_eq!((response.status(), response.end), (200, BodyEnd::Cut), "{response:?}");
        assert_eq!(response.body, b"begun");
    }
    fails("Content-Type: text/plain\n\nwhole", "exit&code=0").expect_text("whole");
}

pub(crate) fn a_type_and_a_body_make_a_document(hosts: &Hosts) {
    let response = printed(hosts.plain(), "Content-Type: text/x-test; a=b\n\nbody");
    response.expect_text("body");
    assert_eq!(response.header("Content-Type"), Some("text/x-test; a=b"), "as it was printed");
    printed(hosts.plain(), "Content-Type: text/plain\n\n").expect_text("");
}

/// Two apps, one of which is a program.
fn two() -> Host {
    Host::dir(&["cgi", "conformance"]).args(["--access-log-format", "json"]).start()
}

pub(crate) fn a_path_as_location_is_answered_by_this_server(_: &Hosts) {
    let host = two();
    let to = |target: &str| format!("/cgi/print?out={}", encoded(format!("Location: {target}\n\n")));
    host.post(&to("/cgi/ok"), "a body").expect_text("ok");
    // By another app, to which it looks like a request of the client's.
    let request = Request::post(&to("/conformance/environ?a=b"), "a body").header("Content-Type", "text/plain");
    let response = host.request(&request.header("X-Test", "1"));
    let environ = response.expect(200).json();
    for (name, value) in [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/environ"), ("QUERY_STRING", "a=b")] {
        assert_eq!(environ[name], value, "{name}");
    }
    assert_eq!((&environ["SCRIPT_NAME"], &environ["HTTP_X_TEST"]), (&json!("/conformance"), &json!("1")));
    assert_eq!((environ.get("CONTENT_LENGTH"), environ.get("CONTENT_TYPE")), (None, None));
    let id = format!("\"request_id\":\"{}\"", response.request_id());
    let line = host.access_log().wait(&id);
    for told in ["\"app\":\"conformance\"", "\"path\":\"/cgi/print\""] {
        assert!(line.contains(told), "{told}: {line}");
    }
    host.get(&to("/nowhere")).expect(404);
    let mut conn = host.connect();
    conn.send(Request::new("HEAD", &to("/cgi/ok")).bytes());
    conn.response_to("HEAD").expect(200);
}

pub(crate) fn a_local_redirect_with_more_is_refused(hosts: &Hosts) {
    refused(hosts, "Location: /ok\nX-More: 1\n\n", "beside a path as Location");
    refused(hosts, "Location: /ok\n\nbody", "a body behind a path as Location");
}

pub(crate) fn redirects_without_end_are_refused(hosts: &Hosts) {
    let host = hosts.serving().args(["--redirects-max", "2"]).start();
    // Each goes to the next, as often as it is wrapped.
    let wrapped = |times: usize| {
        (0..times)
            .fold("/ok".to_owned(), |target, _| format!("/print?out={}", encoded(format!("Location: {target}\n\n"))))
    };
    host.get(&wrapped(2)).expect_text("ok");
    let response = host.get(&wrapped(3));
    response.expect(502);
    host.log().wait_with(&[&response.request_id(), "redirects-max"]);
    host.get("/ok").expect_text("ok");
}

pub(crate) fn a_url_as_location_is_a_302(hosts: &Hosts) {
    let response = printed(hosts.plain(), "Location: https://example.org/a?b#c\nX-Test: 1\n\n");
    response.expect(302);
    assert_eq!(response.header("Location"), Some("https://example.org/a?b#c"));
    assert_eq!((response.header("X-Test"), response.text()), (Some("1"), ""));
}

pub(crate) fn a_redirect_may_have_a_document(hosts: &Hosts) {
    for location in ["https://example.org/", "/ok"] {
        let output = format!("Status: 303 See Other\nLocation: {location}\nContent-Type: text/plain\n\nthere");
        let response = printed(hosts.plain(), &output);
        response.expect(303);
        assert_eq!((response.header("Location"), response.text()), (Some(location), "there"));
    }
}

pub(crate) fn a_body_is_sent_as_it_is(hosts: &Hosts) {
    let body: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let response = hosts.plain().post("/echo", &body);
    assert_eq!((response.status(), response.end), (200, BodyEnd::Complete));
    assert_eq!(response.body, [b"begun\n", &body[..]].concat());
    printed(hosts.plain(), "Content-Type: text/plain\n\n\r\n\na: b\n").expect_text("\r\n\na: b\n");
}

pub(crate) fn a_body_is_held_to_its_length(hosts: &Hosts) {
    let of = |length: u32| format!("Content-Type: text/plain\nContent-Length: {length}\n\nfour");
    let response = printed(hosts.plain(), &of(4));
    response.expect_text("four");
    assert_eq!(response.header("Content-Length"), Some("4"));
    let response = printed(hosts.plain(), &of(5));
    assert_eq!((response.status(), response.end), (200, BodyEnd::Cut), "{response:?}");
    printed(hosts.plain(), &of(3)).expect(502);
    printed(hosts.plain(), "Status: 204\n\n").expect(204);
    printed(hosts.plain(), "Status: 204\nContent-Type: text/plain\n\nbody").expect(502);
}

// === the head ===

pub(crate) fn lines_end_in_lf_or_crlf(hosts: &Hosts) {
    for end in ["\n", "\r\n"] {
        let output = ["content-TYPE:text/plain", "STATUS: 201 Made", "X-A:  1 ", "", "body\n\nand"].join(end);
        let response = printed(hosts.plain(), &output);
        response.expect(201);
        assert_eq!((response.header("X-A"), response.text()), (Some("1"), ["body\n\nand"].join(end).as_str()));
    }
}

pub(crate) fn what_is_no_head_is_answered_with_502(hosts: &Hosts) {
    for (output, why) in [
        ("\n\n", "none of Content-Type, Location and Status"),
        ("X-A: 1\n\n", "none of Content-Type, Location and Status"),
        ("Content-Type: text/plain\n", "ends within the head"),
        ("Content-Type: text/plain\nno header\n\n", "is no header"),
        ("Content-Type: text/plain\n folded: 1\n\n", "is no header"),
        ("Content-Type: text/plain\nBad Name: 1\n\n", "not a header name"),
        ("Content-Type: text/plain\nX-A: a\rSet-Cookie: stolen=1\n\n", "control character"),
        ("Content-Type: text/plain\nContent-Type: text/html\n\n", "is there twice"),
    ] {
        refused(hosts, output, why);
    }
    let response = printed(hosts.plain(), "");
    response.expect(502);
    hosts.plain().log().wait_with(&[&response.request_id(), "without a response head"]);
    let host = hosts.serving().args(["--head-size-max", "256B"]).start();
    let of = |length: usize| printed(&host, &format!("Content-Type: text/plain\nX-A: {}\n\n", "a".repeat(length)));
    of(200).expect(200);
    let response = of(250);
    response.expect(502);
    host.log().wait_with(&[&response.request_id(), "head-size-max"]);
}

pub(crate) fn a_body_without_type_is_refused(hosts: &Hosts) {
    refused(hosts, "Status: 200 OK\n\nbody", "a body without Content-Type");
    printed(hosts.plain(), "Status: 404 Not Found\n\n").expect(404);
}

pub(crate) fn a_location_leads_somewhere(hosts: &Hosts) {
    for location in ["", "elsewhere", "/a b", "/a#b"] {
        refused(hosts, &format!("Location: {location}\n\n"), "is no Location");
    }
}

pub(crate) fn the_status_is_as_it_was_printed(hosts: &Hosts) {
    for (status, line) in [("404 Gone Fishing", "404 Gone Fishing"), ("410", "410 Gone"), ("200 OK", "200 OK")] {
        let mut conn = hosts.plain().connect();
        let output = encoded(format!("Status: {status}\n\n"));
        conn.send(Request::get(&format!("/print?out={output}")).bytes());
        let expected = format!("HTTP/1.1 {line}\r\n");
        assert_eq!(String::from_utf8_lossy(&conn.bytes(expected.len())), expected);
    }
    for status in ["", "ok", "99 Low", "100 Continue", "20"] {
        refused(hosts, &format!("Status: {status}\n\n"), "bad status");
    }
}

pub(crate) fn headers_are_handed_on(hosts: &Hosts) {
    let output = "Content-Type: text/plain\nSet-Cookie: a=1\nset-cookie: b=2\nETag: \"x\"\n\nbody";
    let response = printed(hosts.plain(), output);
    response.expect_text("body");
    assert_eq!(response.head.all("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(response.header("ETag"), Some("\"x\""));
}

pub(crate) fn headers_about_the_connection_are_dropped(hosts: &Hosts) {
    let output = "Content-Type: text/plain\nConnection: close\nTransfer-Encoding: gzip\nKeep-Alive: 9\n\nbody";
    let mut conn = hosts.plain().connect();
    for _ in 0..2 {
        conn.send(Request::get(&format!("/print?out={}", encoded(output))).bytes());
        let response = conn.response();
        response.expect_text("body");
        assert_eq!((response.header("Connection"), response.header("Keep-Alive")), (None, None), "{response:?}");
    }
}

pub(crate) fn extensions_of_cgi_do_not_reach_the_client(hosts: &Hosts) {
    let response = printed(hosts.plain(), "Content-Type: text/plain\nX-CGI-Test: 1\n\nbody");
    response.expect_text("body");
    assert_eq!(response.header("X-CGI-Test"), None);
}
