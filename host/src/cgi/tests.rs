use super::*;

fn printed(output: &str) -> Result<Printed, CgiError> {
    let limits = AppLimits::default();
    let mut reader = HeadReader::new(limits.head_size_max);
    let end = reader.push(output.as_bytes())?.ok_or(CgiError::Unended)?;
    assert_eq!(end, output.len(), "all of it is the head");
    reader.finish(&limits)
}

fn document(output: &str) -> (Head, bool) {
    match printed(output) {
        Ok(Printed::Document { head, is_typed }) => (*head, is_typed),
        other => panic!("{output:?}: {other:?}"),
    }
}

#[test]
fn a_type_alone_makes_a_document() {
    let (head, is_typed) = document("Content-Type: text/plain\n\n");
    assert_eq!((head.status.as_u16(), is_typed), (200, true));
    assert_eq!(head.headers["content-type"], "text/plain");
}

#[test]
fn lines_may_end_in_crlf_and_names_are_of_any_case() {
    let (head, _) = document("CONTENT-type:text/plain\r\nSTATUS:404 Gone Away\r\nX-A: 1\r\nX-A:\t2 \r\n\r\n");
    assert_eq!(head.status, 404);
    assert_eq!(head.reason.as_deref(), Some(&b"Gone Away"[..]));
    assert_eq!(head.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert!(!head.headers.contains_key("status"));
}

#[test]
fn a_status_needs_no_reason_and_no_type() {
    let (head, is_typed) = document("Status: 204\n\n");
    assert_eq!((head.status.as_u16(), head.reason, is_typed), (204, None, false));
    assert_eq!(document("Status: 299\n\n").0.status, 299);
    for bad in ["Status: 99\n\n", "Status: ok\n\n", "Status: 100 Continue\n\n", "Status:\n\n"] {
        assert!(matches!(printed(bad), Err(CgiError::Head(HeadError::BadStatus(_)))), "{bad:?}");
    }
}

#[test]
fn the_head_may_come_in_any_pieces() {
    let limits = AppLimits::default();
    for output in ["Status: 201 Made\r\nX-A: b\r\n\r\nbody\n\n", "Status: 201 Made\nX-A: b\n\nbody\r\n\r\n"] {
        let at = output.find("body").unwrap();
        for size in 1..=output.len() {
            let mut reader = HeadReader::new(limits.head_size_max);
            let (mut taken, mut whole) = (0, None);
            for piece in output.as_bytes().chunks(size) {
                if let Some(end) = reader.push(piece).unwrap() {
                    whole = Some(taken + end);
                    break;
                }
                taken += piece.len();
            }
            assert_eq!(whole, Some(at), "in pieces of {size}");
            let Ok(Printed::Document { head, .. }) = reader.finish(&limits) else { panic!("pieces of {size}") };
            assert_eq!((head.status.as_u16(), &head.headers["x-a"]), (201, &http::HeaderValue::from_static("b")));
        }
    }
}

#[test]
fn a_head_is_bounded_and_must_end() {
    let limits = AppLimits { head_size_max: "256".parse().unwrap(), ..AppLimits::default() };
    let mut reader = HeadReader::new(limits.head_size_max);
    assert_eq!(reader.push(&[b'a'; 256]), Ok(None));
    assert_eq!(reader.push(b"a"), Err(CgiError::TooLarge(limits.head_size_max)));
    assert_eq!(printed("Content-Type: text/plain\n"), Err(CgiError::Unended));
}

#[test]
fn a_script_that_speaks_http_itself_is_refused() {
    assert_eq!(printed("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"), Err(CgiError::Nph));
}

#[test]
fn what_is_no_head_is_refused() {
    assert_eq!(printed("\n"), Err(CgiError::NoField));
    assert_eq!(printed("X-A: 1\n\n"), Err(CgiError::NoField));
    assert_eq!(printed("Status: 200 OK\nstatus: 404 No\n\n"), Err(CgiError::Twice("Status")));
    for line in ["no header", ": empty", " Folded: 1"] {
        let output = format!("Content-Type: text/plain\n{line}\n\n");
        assert_eq!(printed(&output), Err(CgiError::NoHeader(format!("{line:?}"))));
    }
    for line in ["Bad Name: 1", "X-Name : 1", "X-A: a\u{1}b", "X-A: a\rb"] {
        let output = format!("Content-Type: text/plain\n{line}\n\n");
        assert!(matches!(printed(&output), Err(CgiError::Head(HeadError::BadHeader(_)))), "{line:?}");
    }
}

#[test]
fn what_is_about_the_connection_is_dropped() {
    let (head, _) = document("Content-Type: a/b\nConnection: close\nTransfer-Encoding: x\nX-CGI-Own: 1\nX-B: 1\n\n");
    assert_eq!(head.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["content-type", "x-b"]);
}

#[test]
fn a_url_as_location_is_a_redirect_by_the_client() {
    let (head, is_typed) = document("Location: https://example.org/a?b#c\n\n");
    assert_eq!((head.status.as_u16(), is_typed), (302, false));
    assert_eq!(head.headers["location"], "https://example.org/a?b#c");
    let (head, is_typed) = document("Location: /a\nStatus: 303 See Other\nContent-Type: a/b\n\n");
    assert_eq!((head.status.as_u16(), is_typed), (303, true));
    assert_eq!(head.headers["location"], "/a");
}

#[test]
fn a_path_as_location_is_a_response_of_this_server() {
    assert_eq!(printed("Location: /a/b?c=d\n\n"), Ok(Printed::Elsewhere("/a/b?c=d".parse().unwrap())));
    assert_eq!(printed("Location: /a\nX-B: 1\n\n"), Err(CgiError::Beside("\"X-B\"".into())));
    assert_eq!(printed("Location: /a\nContent-Type: b/c\n\n"), Err(CgiError::Beside("Content-Type".into())));
    for bad in ["", "a/b", "/a b", "/a#b", ":a", "1a:b", "http:"] {
        let output = format!("Location: {bad}\n\n");
        assert_eq!(printed(&output), Err(CgiError::Location(format!("{bad:?}"))), "{bad:?}");
    }
}

#[test]
fn a_program_gets_text_or_nothing() {
    assert_eq!(text("A", "\u{c3}\u{a9}"), Ok("é".into()));
    for bytes in ["\u{e9}", "a\0b", "\u{20ac}"] {
        assert_eq!(text("PATH_INFO", bytes), Err(NotText("PATH_INFO".into())), "{bytes:?}");
    }
}
