//! What guests print, in the host's log.

use serde_json::Value;
use wasgi_harness::{Host, guest};

use crate::common::encoded;

fn host() -> Host {
    Host::dir(&["conformance", "hostile"]).start()
}

/// What stands behind the time, the level and the target in the lines of this request.
fn lines_of(host: Host, id: &str) -> Vec<String> {
    host.stop().log.into_iter().filter(|line| line.contains(id)).collect()
}

#[test]
fn each_line_has_the_app_the_request_and_the_channel() {
    let host = host();
    for (path, channel) in [("stdout", "stdout"), ("stderr", "stderr"), ("errors", "wsgi.errors")] {
        let id = host.get(&format!("/conformance/{path}?text=some+words")).expect(200).request_id();
        host.log().wait_with(&["some+words", "conformance", &id, channel]);
    }
}

#[test]
fn an_unfinished_line_comes_when_the_request_ends() {
    let host = host();
    let id = host.get("/conformance/errors?text=unfinished").expect(200).request_id();
    host.log().wait_with(&["unfinished", &id]);
}

#[test]
fn what_could_forge_a_line_or_drive_a_terminal_is_escaped() {
    let host = host();
    let text = "begin\u{1b}[2J\r\u{7f}\u{202e}\u{2028}2030-01-01T00:00:00Z ERROR forged";
    for path in ["stdout", "stderr", "errors"] {
        let id = host.get(&format!("/conformance/{path}?text={}", encoded(text))).expect(200).request_id();
        let line = host.log().wait_with(&["begin", &id]);
        assert!(line.contains("forged"), "on the same line: {line:?}");
        assert!(
            !line.contains(|char: char| char.is_control() || ('\u{2028}'..='\u{202e}').contains(&char)),
            "{line:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let host = host();
    let id = host.get("/hostile/flood?to=stdout&kind=control&bytes=200").expect(200).request_id();
    let lines = lines_of(host, &id);
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| !line.contains(|char: char| char.is_control())), "{lines:#?}");
}

#[test]
pub(crate) fn output_past_log_max_is_dropped_and_counted() {
    for channel in ["stdout", "stderr", "errors"] {
        let host = Host::serving("hostile").args(["--log-max", "1000B"]).start();
        let id = host.get(&format!("/flood?to={channel}&bytes=100000")).expect(200).request_id();
        let dropped = host.log().wait_with(&[&id, "dropped", "log-max"]);
        assert!(dropped.contains("99000"), "it says how many bytes: {dropped}");
        let shown = lines_of(host, &id).len();
        assert!((2..=16).contains(&shown), "{shown} lines");
    }
}

#[test]
pub(crate) fn a_line_past_log_line_max_is_cut() {
    let host = Host::serving("hostile").args(["--log-line-max", "1KiB", "--log-max", "10KiB"]).start();
    let id = host.get("/flood?to=stdout&kind=one-line&bytes=5000").expect(200).request_id();
    let lines = lines_of(host, &id);
    assert!(lines.iter().all(|line| line.len() < 1500), "{:?}", lines.iter().map(String::len).collect::<Vec<_>>());
    assert!(!lines.is_empty());
}

#[test]
fn empty_lines_are_bounded_too() {
    let host = Host::serving("hostile").args(["--log-max", "1000B"]).start();
    let id = host.get("/flood?to=errors&kind=empty&bytes=1000000").expect(200).request_id();
    host.log().wait_with(&[&id, "dropped"]);
    let shown = lines_of(host, &id).len();
    assert!(shown <= 1001, "{shown} lines");
}

#[test]
fn a_trap_is_told_with_the_functions_of_the_guest() {
    let host = host();
    let id = host.get("/hostile/trap").expect(500).request_id();
    let line = host.log().wait_with(&["ERROR", &id, "hostile_trap_here"]);
    assert!(line.contains("unreachable") && line.contains("hostile"), "{line}");
    let id = host.get("/hostile/panic").expect(500).request_id();
    host.log().wait_with(&[&id, "hostile: a panic with a message", "stderr"]);
    let id = host.get("/hostile/recurse").expect(500).request_id();
    host.log().wait_with(&["ERROR", &id, "stack"]);
}

#[test]
fn each_fault_is_told_once_under_its_request() {
    let host = Host::serving("hostile").args(["--cpu-max", "300ms", "--wall-max", "2s"]).start();
    let paths =
        ["/trap", "/no-start", "/spin", "/sleep", "/exit", "/huge-return", "/trap?at=write", "/short-content-length"];
    let ids: Vec<_> = paths.iter().map(|path| host.get(path).request_id()).collect();
    let log = host.stop().log;
    for (path, id) in paths.iter().zip(ids) {
        let errors = log.iter().filter(|line| line.contains(&id) && line.contains("ERROR"));
        assert_eq!(errors.count(), 1, "{path}");
    }
}

#[test]
fn a_request_that_goes_well_leaves_nothing_in_the_log() {
    let host = host();
    let id = host.get("/conformance/hello").expect(200).request_id();
    let lines = lines_of(host, &id);
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn the_log_can_be_json() {
    let host = Host::serving("conformance").args(["--log-format", "json"]).start();
    let id = host.get("/errors?text=words").expect(200).request_id();
    let line = host.log().wait_with(&[&id, "words"]);
    let entry: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
    for (key, value) in [("message", "words"), ("app", "conformance"), ("request_id", &id), ("channel", "wsgi.errors")]
    {
        assert_eq!(entry[key], value, "{entry}");
    }
    let log = host.stop().log;
    assert!(log.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log:#?}");
}

#[test]
fn the_log_can_be_filtered() {
    let host = Host::serving("conformance").log_filter("warn").start();
    host.get("/errors?text=words").expect(200);
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("words")), "{log:#?}");
}

#[test]
fn the_choice_of_how_slots_are_reset_is_logged() {
    let host = Host::serving_file(&guest("hello")).start();
    let line = host.log().wait("reset");
    assert!(line.contains("agemap") || line.contains("advise"), "{line}");
}
