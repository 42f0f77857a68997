use proptest::prelude::*;

use super::*;
use crate::limits::Size;

fn parse(status: &str, headers: &[(&str, &str)]) -> Result<Head, HeadError> {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Head::parse(status, &headers, &AppLimits::default())
}

/// Why a status is refused.
#[track_caller]
fn bad_status(status: &str) -> String {
    match parse(status, &[]) {
        Err(HeadError::BadStatus(why)) => why,
        other => panic!("{status:?} gave {other:?}"),
    }
}

/// Why a header is refused.
#[track_caller]
fn bad_header(name: &str, value: &str) -> String {
    match parse("200 OK", &[(name, value)]) {
        Err(HeadError::BadHeader(why)) => why,
        other => panic!("{name:?}: {value:?} gave {other:?}"),
    }
}

#[test]
fn a_usual_head_is_taken_as_it_is() {
    let head =
        parse("200 OK", &[("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]).unwrap();
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.reason, None);
    assert_eq!(head.content_length, None);
    assert_eq!(head.headers["content-type"], "text/plain");
    let cookies: Vec<_> = head.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"], "repeated headers stay apart and in order");
}

#[test]
fn a_reason_of_the_apps_own_is_kept_as_bytes() {
    let head = parse("404 Nicht gefunden \u{fc}berall", &[]).unwrap();
    assert_eq!(head.status, 404);
    assert_eq!(head.reason.as_deref(), Some(&b"Nicht gefunden \xfcberall"[..]));
    assert_eq!(parse("799 Whatever", &[]).unwrap().reason.as_deref(), Some(&b"Whatever"[..]));
    assert_eq!(parse("404 Not Found", &[]).unwrap().reason, None);
    assert_eq!(parse("404 not found", &[]).unwrap().reason.as_deref(), Some(&b"not found"[..]));
}

#[test]
fn rule_43_a_status_is_a_code_one_space_and_a_reason() {
    for status in
        ["", "200", "200 ", "OK", "200OK", " 200 OK", "20 OK", "2000 OK", "2O0 OK", "+20 OK", "２００ OK", "200\tOK"]
    {
        assert!(bad_status(status).contains("is not of the form"), "{status}");
    }
    for status in ["200  OK", "200 OK ", "200  "] {
        assert!(bad_status(status).contains("a space too many"), "{status}");
    }
    for status in ["200 OK\r\n", "200 OK\n", "200 O\tK", "200 \0", "200 O\u{7f}K", "200 OK\r\nX: y"] {
        assert!(bad_status(status).contains("a control character"), "{status}");
    }
}

#[test]
fn codes_from_200_to_999_are_the_apps() {
    for status in ["200 OK", "451 x", "600 x", "999 x"] {
        assert!(parse(status, &[]).is_ok(), "{status}");
    }
    for status in ["000 x", "099 x", "100 Continue", "101 Switching Protocols", "199 x"] {
        assert!(bad_status(status).contains("is not from 200 to 999"), "{status}");
    }
}

#[test]
fn rule_45_names_are_tokens() {
    for name in ["", " ", "X Y", "X:", ":X", "X\r\nY", "X\n", "X\0", "X(Y)", "X,Y", "Ünicode", "X\u{e9}", "\"X\""] {
        assert!(bad_header(name, "v").contains("is not a header name"), "{name}");
    }
    for name in ["X", "x-y", "X_Y", "x.y", "1", "!#$%&'*+-.^_`|~"] {
        assert!(parse("200 OK", &[(name, "v")]).is_ok(), "{name}");
    }
}

#[test]
fn rule_46_values_have_no_control_characters() {
    for value in ["a\r\nX: y", "a\n", "\r", "a\tb", "a\0b", "\u{7f}", "\u{1b}[2J"] {
        assert!(bad_header("X", value).contains("the control character"), "{value:?}");
    }
    assert!(bad_header("X", "a\nb").contains(r"'\n'"));
}

#[test]
fn rule_47_the_connection_is_the_hosts() {
    for name in [
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "UPGRADE",
        "upgrade",
    ] {
        assert!(bad_header(name, "x").contains("is about the connection"), "{name}");
    }
    assert!(parse("200 OK", &[("Proxy-Status", "x")]).is_ok(), "it is for the client, RFC 9209");
}

#[test]
fn status_is_no_header() {
    for name in ["Status", "status", "STATUS"] {
        assert!(bad_header(name, "200 OK").contains("status is no header"), "{name}");
    }
}

#[test]
fn rule_56_chars_past_latin_1_are_refused_and_named() {
    assert!(bad_status("200 \u{20ac}").contains("(U+20AC)"));
    assert!(bad_header("X", "\u{100}").contains("(U+0100)"));
    let head = parse("200 OK", &[("X", "caf\u{e9} \u{80}\u{ff}")]).unwrap();
    assert_eq!(head.headers["x"].as_bytes(), b"caf\xe9 \x80\xff");
}

#[test]
fn space_around_a_value_is_cut_off() {
    let head = parse("200 OK", &[("X", "  a b "), ("Y", " "), ("Content-Length", " 5 ")]).unwrap();
    assert_eq!((head.headers["x"].as_bytes(), head.headers["y"].as_bytes()), (&b"a b"[..], &b""[..]));
    assert_eq!(head.content_length, Some(5));
}

#[test]
fn content_length_is_one_decimal_number() {
    assert_eq!(parse("200 OK", &[("Content-Length", "0")]).unwrap().content_length, Some(0));
    let twice = parse("200 OK", &[("Content-Length", "5"), ("content-length", "5")]).unwrap();
    assert_eq!(twice.content_length, Some(5));
    assert_eq!(twice.headers.get_all("content-length").iter().count(), 1);
    for value in ["", "-1", "+1", "1.0", "1,1", "1 1", "0x1", "a", "18446744073709551616", "\u{b2}"] {
        assert!(bad_header("Content-Length", value).contains("is not a decimal number"), "{value}");
    }
    let differing = parse("200 OK", &[("Content-Length", "5"), ("Content-Length", "6")]).unwrap_err();
    assert!(differing.to_string().contains("given twice, as 5 and as 6"), "{differing}");
}

#[test]
fn a_head_may_be_as_large_as_its_limits() {
    let limits = AppLimits { head_count_max: 2, head_size_max: Size::from_bytes(32), ..AppLimits::default() };
    let parse = |headers: &[(&str, usize)]| {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, size)| ((*name).to_owned(), "v".repeat(*size))).collect();
        Head::parse("200 OK", &headers, &limits)
    };
    // "200 OK" is 6 bytes, "A: \r\n" is 5.
    assert!(parse(&[("A", 8), ("A", 8)]).is_ok());
    let error = parse(&[("A", 8), ("A", 9)]).unwrap_err();
    assert_eq!(error, HeadError::TooLarge("33 bytes are over head-size-max, 32".to_owned()));
    let error = parse(&[("A", 0), ("A", 0), ("A", 0)]).unwrap_err();
    assert_eq!(error, HeadError::TooLarge("3 headers are over head-count-max, 2".to_owned()));
}

#[test]
fn no_limit_lets_in_more_headers_than_can_be_held() {
    let limits = AppLimits { head_count_max: u32::MAX, head_size_max: Size::from_gib(1), ..AppLimits::default() };
    let headers: Vec<(String, String)> = (0..=HEADERS_MAX).map(|n| (format!("x-{n}"), String::new())).collect();
    assert!(matches!(Head::parse("200 OK", &headers, &limits), Err(HeadError::TooLarge(_))));
    let mut head = Head::parse("200 OK", &headers[1..], &limits).unwrap();
    head.finish(HeaderValue::from_static("now"));
    assert_eq!(head.headers.len(), headers.len() + 1);
}

#[test]
fn a_204_and_a_304_have_no_body() {
    for (status, forbids) in
        [("204 No Content", true), ("304 Not Modified", true), ("200 OK", false), ("205 Reset Content", false)]
    {
        assert_eq!(parse(status, &[]).unwrap().forbids_body(), forbids, "{status}");
    }
}

#[test]
fn rule_49_the_host_adds_date_and_server_unless_the_app_did() {
    let now = HeaderValue::from_static("Mon, 23 Nov 2026 12:51:20 GMT");
    let mut head = parse("200 OK", &[]).unwrap();
    head.finish(now.clone());
    assert_eq!((&head.headers["date"], head.headers["server"].as_bytes()), (&now, &b"wasgi"[..]));
    let mut head = parse("200 OK", &[("DATE", "then"), ("SERVER", "mine")]).unwrap();
    head.finish(now);
    assert_eq!((head.headers["date"].as_bytes(), head.headers["server"].as_bytes()), (&b"then"[..], &b"mine"[..]));
    assert_eq!(head.headers.len(), 2);
}

#[test]
fn a_204_loses_its_content_length_and_a_304_keeps_it() {
    let finished = |status: &str| {
        let mut head = parse(status, &[("Content-Length", "5")]).unwrap();
        head.finish(HeaderValue::from_static("now"));
        (head.content_length, head.headers.contains_key(CONTENT_LENGTH))
    };
    assert_eq!(finished("204 No Content"), (None, false));
    assert_eq!(finished("304 Not Modified"), (Some(5), true));
}

#[test]
fn messages_show_what_the_app_gave_on_one_short_line() {
    let message = bad_status(&format!("2\n\u{1b}{}", "x".repeat(1000)));
    assert!(message.len() < 300 && !message.contains(['\n', '\u{1b}']) && message.contains('…'), "{message}");
    let message = bad_header(&"x y\r\n".repeat(100), "v");
    assert!(message.len() < 300 && !message.contains('\n'), "{message}");
}

/// Whether HTTP/1.1 could carry this byte in a field value, tabs aside.
fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | 0x80..)
}

proptest! {
    #[test]
    fn what_is_accepted_can_be_sent(status in "[0-9]{3} \\PC{1,8}|\\PC*|[ -~\r\n\t]{0,9}", headers in any_headers()) {
        if let Ok(mut head) = Head::parse(&status, &headers, &AppLimits::default()) {
            head.finish(HeaderValue::from_static("now"));
            prop_assert!((200..=999).contains(&head.status.as_u16()));
            prop_assert!(head.reason.iter().flatten().all(|byte| is_value_byte(*byte)));
            for (name, value) in &head.headers {
                prop_assert!(!is_hop_by_hop(name) && name != "status");
                prop_assert!(value.as_bytes().iter().all(|byte| is_value_byte(*byte)));
            }
            let told = head.headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
            prop_assert_eq!(told, head.content_length);
        }
    }

    #[test]
    fn any_latin_1_value_without_controls_arrives_byte_by_byte(bytes in prop::collection::vec(prop_oneof![0x21_u8..0x7f, 0x80_u8..=0xff], 0..40)) {
        let head = parse("200 OK", &[("X", &native::from_bytes(&bytes))]).unwrap();
        prop_assert_eq!(head.headers["x"].as_bytes(), &bytes[..]);
    }

    #[test]
    fn one_control_character_anywhere_refuses_the_head(before in "[ -~]{0,5}", control in prop_oneof![0_u8..0x20, Just(0x7f_u8)], after in "[ -~]{0,5}") {
        let text = format!("{before}{}{after}", char::from(control));
        prop_assert!(matches!(parse("200 OK", &[("X", &text)]), Err(HeadError::BadHeader(_))));
        prop_assert!(matches!(parse("200 OK", &[(&text, "v")]), Err(HeadError::BadHeader(_))));
        let status = format!("200 x{text}");
        prop_assert!(matches!(parse(&status, &[]), Err(HeadError::BadStatus(_))));
    }
}

/// Headers as an app may give them, odd ones among them.
fn any_headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "[A-Za-z-]{1,8}",
        "\\PC{0,4}",
        prop::sample::select(vec!["Content-Length", "Status", "Connection", "TE", "Date", "Server"])
            .prop_map(str::to_owned),
    ];
    let value = prop_oneof!["[0-9]{1,3}", "[ -~\u{80}-\u{ff}]{0,8}", "\\PC{0,4}", "[\r\n\t a]{0,3}"];
    prop::collection::vec((name, value), 0..4)
}
