//! `wsgi.errors` and the other ways to the application's log.

use wasgi_harness::{BodyEnd, Host, Request};

use crate::hosts::{Hosts, encoded};

pub(crate) fn errors_are_cut_into_lines_of_the_log(hosts: &Hosts) {
    let host = hosts.plain();
    let id = host.get("/errors/lines").expect(200).request_id();
    for line in ["one", "two and a half", "three"] {
        host.log().wait_with(&[&id, hosts.guest(), line]);
    }
    let mine: Vec<_> = host.log().so_far().into_iter().filter(|line| line.contains(&id)).collect();
    let starts = |text: &str| mine.iter().position(|line| line.contains(text));
    assert!(starts("one") < starts("two and a half") && starts("two and a half") < starts("three"), "{mine:#?}");
}

pub(crate) fn errors_take_any_text(hosts: &Hosts) {
    let host = hosts.plain();
    let id = host.get("/errors/unicode").expect(200).request_id();
    host.log().wait_with(&[&id, "snowman ☃, crab 🦀"]);
    let text = "quoted \"text\" with \\ and \u{7f}";
    let id = host.get(&format!("/errors?text={}", encoded(text))).expect(200).request_id();
    let line = host.log().wait_with(&[&id, "quoted"]);
    assert!(!line.contains('\u{7f}'), "control characters are not passed on: {line:?}");
}

pub(crate) fn each_stream_goes_to_the_log_of_its_application(hosts: &Hosts) {
    let host = Host::dir(&[hosts.guest(), "hello"]).start();
    for (path, text) in [("errors", "to errors"), ("stdout", "to stdout"), ("stderr", "to stderr")] {
        let id = host.get(&hosts.at(&format!("/{path}?text={}", encoded(text)))).expect(200).request_id();
        let line = host.log().wait_with(&[&id, text]);
        assert!(line.contains(hosts.guest()), "it names the app: {line}");
    }
}

pub(crate) fn a_trap_before_the_head_is_logged_and_answered_with_500(hosts: &Hosts) {
    let host = hosts.plain();
    for at in ["call", "start"] {
        let response = host.get(&format!("/trap?at={at}"));
        response.expect(500);
        assert!(!response.text().contains("asked to trap"), "not for the client: {response:?}");
        let id = response.request_id();
        host.log().wait_with(&[&id, "asked to trap"]);
        host.log().wait_with(&[&id, "the guest trapped"]);
    }
}

pub(crate) fn a_trap_after_the_head_cuts_the_connection(hosts: &Hosts) {
    let host = hosts.plain();
    let mut conn = host.connect();
    conn.send(Request::get("/trap?at=write").bytes());
    let response = conn.response();
    response.expect(200);
    assert_eq!(response.body, b"begun\n");
    assert_eq!(response.end, BodyEnd::Cut);
    host.log().wait_with(&[&response.request_id(), "asked to trap"]);
    host.get("/hello").expect_text("hello");
}

pub(crate) fn a_guest_whose_client_leaves_learns_it_and_returns(hosts: &Hosts) {
    let host = hosts.plain();
    let mut conn = host.connect();
    conn.send(Request::get("/write?size=4000000000").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunk().expect("the first chunk");
    drop(conn);
    host.log().wait_with(&[&id, "write: closed after"]);
}
