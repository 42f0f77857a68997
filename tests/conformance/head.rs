//! Status and headers, checked when start_response is called.

use serde_json::Value;
use wasgi_harness::{Host, Response};

use crate::hosts::{Hosts, encoded};

/// What the guest says of a refused call: the name of the error, and its text.
fn refusal(response: &Response) -> (String, String) {
    let report = response.expect(200).json();
    let text = |key: &str| report[key].as_str().unwrap_or_else(|| panic!("no {key}: {report}")).to_owned();
    (text("error"), text("detail"))
}

fn status(host: &Host, line: impl AsRef<[u8]>) -> Response {
    host.get(&format!("/status?line={}", encoded(line)))
}

fn header(host: &Host, name: &str, value: impl AsRef<[u8]>) -> Response {
    host.get(&format!("/header?name={}&value={}", encoded(name), encoded(value)))
}

pub(crate) fn a_well_formed_status_goes_out_as_it_is(hosts: &Hosts) {
    for (line, status_code, reason) in [
        ("200 OK", 200, "OK"),
        ("200 Fine by me", 200, "Fine by me"),
        ("299 X", 299, "X"),
        ("404 Not Found", 404, "Not Found"),
        ("418 I'm a teapot", 418, "I'm a teapot"),
        ("599 Who knows?", 599, "Who knows?"),
        ("999 \u{41}", 999, "A"),
    ] {
        let response = status(hosts.plain(), line);
        response.expect(status_code);
        assert_eq!(response.head.reason, reason);
        assert_eq!(response.text(), "started");
    }
}

pub(crate) fn a_malformed_status_is_refused_at_once(hosts: &Hosts) {
    for line in [
        "",
        "200",
        "200 ",
        "OK",
        " 200 OK",
        "200 OK ",
        "200  OK",
        "20 OK",
        "2000 OK",
        "2x0 OK",
        "200\tOK",
        "200-OK",
        "200 O\rK",
        "200 OK\r\n",
        "200 O\0K",
        "200 O\u{7f}K",
        "100 Continue",
        "101 Switching Protocols",
        "199 X",
        "000 X",
        "099 X",
        "+20 OK",
    ] {
        let (error, detail) = refusal(&status(hosts.plain(), line));
        assert_eq!(error, "bad-status", "{line:?}");
        assert!(!detail.is_empty() && !detail.contains(char::is_control), "{line:?}: {detail:?}");
    }
}

pub(crate) fn headers_go_out_in_their_order_and_each_by_itself(hosts: &Hosts) {
    let response = hosts.plain().get("/headers/repeat");
    response.expect(200);
    assert_eq!(response.head.all("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(response.header("X-Case"), Some("Kept"));
}

pub(crate) fn names_that_are_no_tokens_are_refused(hosts: &Hosts) {
    for name in ["", "X:Y", "X Y", " X", "X ", "X(Y)", "X/Y", "X\"Y", "X,Y", "X\r\nY", "X\0", "X\u{7f}", "@", "[X]"] {
        let (error, detail) = refusal(&header(hosts.plain(), name, "v"));
        assert_eq!(error, "bad-header", "{name:?}");
        assert!(!detail.contains(char::is_control), "{name:?}: {detail:?}");
    }
    let response = hosts.plain().get("/header?name=X-%C3%A9&value=v");
    assert_eq!(refusal(&response).0, "bad-header", "a name has no Latin-1 letters beside ASCII");
}

pub(crate) fn names_that_are_tokens_are_taken(hosts: &Hosts) {
    for name in ["X", "X-Y", "x_y", "X.Y", "1", "X!#$%&'*+.^_`|~", "Status-Text"] {
        let response = header(hosts.plain(), name, "v");
        assert_eq!(response.expect(200).header(name), Some("v"));
    }
}

pub(crate) fn values_with_control_characters_are_refused(hosts: &Hosts) {
    for value in ["a\r\nSet-Cookie: stolen=1", "a\nb", "a\rb", "a\0b", "a\u{1b}[2J", "a\u{7f}", "\u{1}", "a\r\n"] {
        let response = header(hosts.plain(), "X-Test", value);
        assert_eq!(response.header("Set-Cookie"), None);
        let (error, detail) = refusal(&response);
        assert_eq!(error, "bad-header", "{value:?}");
        assert!(detail.contains("X-Test") && !detail.contains(char::is_control), "it names the header: {detail:?}");
    }
}

pub(crate) fn headers_about_the_connection_are_refused(hosts: &Hosts) {
    for name in [
        "Connection",
        "connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Trailers",
        "Transfer-Encoding",
        "Upgrade",
    ] {
        let (error, detail) = refusal(&header(hosts.plain(), name, "close"));
        assert_eq!(error, "bad-header", "{name}");
        assert!(detail.to_lowercase().contains(&name.to_lowercase()), "it names the header: {detail:?}");
    }
}

pub(crate) fn a_length_that_is_no_number_is_refused(hosts: &Hosts) {
    for value in ["", "x", "-1", "+1", "1.0", "0x10", "1, 1", "99999999999999999999999"] {
        assert_eq!(refusal(&header(hosts.plain(), "Content-Length", value)).0, "bad-header", "{value:?}");
    }
}

pub(crate) fn a_refused_head_that_is_not_replaced_gives_502(hosts: &Hosts) {
    let host = hosts.plain();
    let response = host.get("/status?line=oops&quiet=1");
    response.expect(502);
    let line = host.log().wait_with(&[&response.request_id(), "start_response"]);
    assert!(line.contains("oops"), "the log says what was refused: {line}");
}

pub(crate) fn a_head_over_the_limits_is_refused_at_once(hosts: &Hosts) {
    let host = hosts.serving().args(["--head-count-max", "10", "--head-size-max", "1KiB"]).start();
    host.get("/headers?count=8").expect(200);
    for path in ["/headers?count=11", "/headers?count=3&size=400"] {
        let (error, detail) = refusal(&host.get(path));
        assert_eq!(error, "too-large", "{path}");
        assert!(detail.contains("head-count-max") || detail.contains("head-size-max"), "it names the limit: {detail}");
    }
}

pub(crate) fn the_server_adds_date_and_name(hosts: &Hosts) {
    let response = hosts.plain().get("/hello");
    let date = response.header("Date").expect("a Date");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    let server = response.header("Server").expect("a Server");
    assert!(server.starts_with("wasgi"), "{server}");
}

pub(crate) fn the_server_adds_nothing_that_is_there(hosts: &Hosts) {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    // Names are the same whatever their case.
    assert_eq!(header(hosts.plain(), "dAtE", date).expect(200).header("Date"), Some(date));
    assert_eq!(header(hosts.plain(), "SERVER", "mine").expect(200).header("Server"), Some("mine"));
}

pub(crate) fn text_past_latin_1_is_refused(hosts: &Hosts) {
    let host = hosts.plain();
    for char in ['\u{100}', '\u{2603}', '\u{1f980}'] {
        let path = format!("/header?name=X-Test&value-utf8={}", encoded(char.to_string()));
        let (error, detail) = refusal(&host.get(&path));
        assert_eq!(error, "bad-header");
        assert!(detail.contains(&format!("U+{:04X}", u32::from(char))), "it names the char: {detail}");
    }
}

pub(crate) fn text_in_latin_1_goes_out_as_bytes(hosts: &Hosts) {
    let bytes: Vec<u8> = (0xa0..=0xff).collect();
    let expected: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let response = header(hosts.plain(), "X-Test", [b"x", bytes.as_slice(), b"x"].concat());
    assert_eq!(response.expect(200).header("X-Test"), Some(format!("x{expected}x").as_str()));
    let response = status(hosts.plain(), b"200 G\xfcnstig");
    assert_eq!(response.expect(200).head.reason, "G\u{fc}nstig");
}

pub(crate) fn a_type_is_the_applications_to_give(hosts: &Hosts) {
    let response = hosts.plain().get("/header?name=X-Test&value=1&only=1");
    response.expect_text("started");
    assert_eq!(response.header("Content-Type"), None, "the server does not guess");
}

pub(crate) fn a_status_header_is_refused(hosts: &Hosts) {
    let report: Value = header(hosts.plain(), "Status", "200 OK").expect(200).json();
    assert_eq!(report["error"], "bad-header", "it is CGI's way, not this one's");
}
