//! Heads as a guest gives them to `start_response`.

use wasgi::head::{Head, HeadError};
use wasgi::limits::AppLimits;

use crate::input::{assert_is_one_line, pairs, texts};

/// A status and headers: `STATUS`, then `NAME`, `VALUE`, and so on, with 0xff between.
///
/// A head that is taken can be written as HTTP/1 and comes back as it was; one that is refused breaks a rule that is
/// told here in other words.
///
/// # Panics
/// If that is not so.
pub fn head(data: &[u8]) {
    let mut texts = texts(data);
    let status = texts.next().unwrap_or_default();
    let headers = pairs(texts);
    let limits = AppLimits::default();
    match Head::parse(&status, &headers, &limits) {
        Ok(head) => {
            assert!(breaks_no_rule(&status, &headers, &limits), "taken: {status:?} {headers:?}");
            assert_survives_the_wire(&head);
        }
        Err(error) => {
            assert!(!breaks_no_rule(&status, &headers, &limits), "refused ({error}): {status:?} {headers:?}");
            assert_is_one_line(&error.to_string());
            let (HeadError::BadStatus(text) | HeadError::BadHeader(text) | HeadError::TooLarge(text)) = error;
            assert!(text.len() < 1024, "a message of {} bytes", text.len());
        }
    }
}

/// Rules 43 to 49 and 56 of PEP 3333 once more.
fn breaks_no_rule(status: &str, headers: &[(String, String)], limits: &AppLimits) -> bool {
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let fits =
        headers.len() <= limits.head_count_max as usize && (size + status.len()) as u64 <= limits.head_size_max.bytes();
    let lengths: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim_matches(' '))
        .collect();
    let lengths_agree = lengths.iter().all(|length| is_length(length))
        && lengths.iter().all(|length| length.parse::<u64>().ok() == lengths[0].parse().ok());
    fits && is_status(status) && headers.iter().all(|(name, value)| is_header(name, value)) && lengths_agree
}

fn is_status(status: &str) -> bool {
    let mut chars = status.chars();
    let code: String = chars.by_ref().take(3).collect();
    let rest: String = chars.collect();
    let Some(reason) = rest.strip_prefix(' ') else { return false };
    code.bytes().all(|byte| byte.is_ascii_digit())
        && (200..=999).contains(&code.parse().unwrap_or(0))
        && !reason.is_empty()
        && reason.trim_matches(' ') == reason
        && is_latin_1_text(reason)
}

fn is_header(name: &str, value: &str) -> bool {
    const NOT_THE_APPS: [&str; 13] = [
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "status",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    ];
    let is_token =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    is_token && !NOT_THE_APPS.contains(&&*name.to_ascii_lowercase()) && is_latin_1_text(value)
}

/// Bytes of Latin-1, none of which is an ASCII control.
fn is_latin_1_text(text: &str) -> bool {
    text.chars().all(|char| u32::from(char) < 0x100 && !char.is_ascii_control())
}

fn is_length(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

/// Writes the head as HTTP/1.1 and has another parser read it.
fn assert_survives_the_wire(head: &Head) {
    let usual = head.status.canonical_reason().unwrap_or_default();
    let reason = head.reason.as_deref().unwrap_or(usual.as_bytes());
    let mut wire = format!("HTTP/1.1 {} ", head.status.as_str()).into_bytes();
    wire.extend([reason, b"\r\n"].concat());
    for (name, value) in &head.headers {
        wire.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    wire.extend(b"\r\n");

    let mut slots = [httparse::EMPTY_HEADER; 256];
    let mut read = httparse::Response::new(&mut slots);
    let length = read.parse(&wire).unwrap_or_else(|error| panic!("{error}: {head:?}"));
    assert_eq!(length, httparse::Status::Complete(wire.len()), "{head:?}");
    assert_eq!(read.code, Some(head.status.as_u16()), "{head:?}");
    let written: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let read: Vec<_> = read.headers.iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(read, written, "{head:?}");
    let lengths: Vec<_> = head.headers.get_all(http::header::CONTENT_LENGTH).iter().collect();
    assert!(lengths.len() <= 1, "{head:?}");
    let told = lengths.first().map(|value| value.to_str().unwrap().parse().unwrap());
    assert_eq!(told, head.content_length, "{head:?}");
}
