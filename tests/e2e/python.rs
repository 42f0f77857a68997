//! What a snapshot of a Python interpreter must not carry into its instances, and what an instance cannot do.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use wasgi_harness::{Host, HostBuilder};

fn python() -> HostBuilder {
    Host::serving("conformance-python")
}

#[test]
pub(crate) fn what_is_made_by_chance_differs_in_each_instance() {
    let host = python().start();
    let (one, other) = (host.get("/chance").json(), host.get("/chance").json());
    for name in ["random", "unseeded", "uuid1", "uuid4", "urandom", "tempfile"] {
        assert_ne!(one[name], other[name], "{name}");
    }
    assert_eq!(one["seeded"], other["seeded"], "the application's own seed is kept");
}

#[test]
fn the_environment_is_what_the_operator_grants_and_the_application_adds() {
    let host = python().env("WASGI_TEST_SECRET", "hunter2").args(["--env", "COLOUR=blue"]).start();
    assert_eq!(host.get("/environment").json(), json!({"COLOUR": "blue", "SET_AT_IMPORT": "yes"}));
    let host = python().args(["--env", "SET_AT_IMPORT=by the operator"]).start();
    assert_eq!(host.get("/environment").json(), json!({"SET_AT_IMPORT": "by the operator"}));
}

#[test]
fn clocks_are_those_of_the_request() {
    let since_epoch =
        || SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs_f64()).unwrap_or_default();
    let host = python().start();
    let before = since_epoch();
    let now = host.get("/now").json();
    let time = now["time"].as_f64().unwrap_or_default();
    assert!(before <= time && time <= since_epoch(), "{now}");
    assert_eq!(now["local"], 0, "UTC");
}

#[test]
fn a_thread_is_refused_with_its_place_and_the_mend() {
    let host = python().start();
    let response = host.get("/thread");
    response.expect(500);
    host.log().wait_with(&[&response.request_id(), "outside.py:", "starts a thread", "do the work in the request"]);
}

#[test]
fn a_connection_is_refused_with_its_place_and_the_mend() {
    let host = python().start();
    let response = host.get("/connect");
    response.expect(500);
    host.log().wait_with(&[&response.request_id(), "outside.py:", "opens a connection"]);
}

#[test]
fn a_module_that_is_imported_late_works_and_is_named_with_the_mend() {
    let host = python().start();
    let response = host.get("/late-import");
    response.expect_text("xml.dom.minidom");
    host.log().wait_with(&[&response.request_id(), "outside.py:", "xml.dom.minidom", "`imports` under [build]"]);
}

#[test]
fn temporary_files_want_a_directory_and_say_which() {
    let host = python().start();
    let response = host.get("/temporary");
    response.expect(500);
    host.log().wait_with(&[&response.request_id(), "outside.py:", "--dir ./tmp:/tmp"]);
    let host = python().grant("tmp", "/tmp").start();
    host.get("/temporary").expect_text("kept for a while");
}

#[test]
fn an_application_finds_its_own_files() {
    let host = python().start();
    let response = host.get("/own-source");
    let line = response.text();
    assert!(line.starts_with("\"\"\"`wsgi.errors`, the standard streams"), "{line}");
}

#[test]
fn what_is_printed_goes_to_the_log_of_the_request() {
    let host = python().start();
    for stream in ["stdout", "stderr"] {
        let id = host.get(&format!("/{stream}?text=printed")).expect(200).request_id();
        host.log().wait_with(&[&id, "printed", stream]);
    }
}

#[test]
pub(crate) fn an_application_needs_no_framework() {
    let host = Host::serving("raw-wsgi").start();
    let response = host.get("/");
    response.expect_text("Hello, world!\n");
    assert_eq!(response.header("Content-Type"), Some("text/plain"));
    assert_eq!(response.header("Content-Length"), Some("14"));
}
