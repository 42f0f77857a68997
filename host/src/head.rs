//! The head of a response as an app gives it to start_response, checked at once (PEP 3333 rules 43
//! to 49 and 56). Pure.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE, SERVER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::environ::is_hop_by_hop;
use crate::limits::AppLimits;
use crate::native;

#[cfg(test)]
mod tests;

/// Status and headers that may go to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// From 200 to 999.
    pub status: StatusCode,
    /// The reason phrase where it is not the usual one of the status. HTTP/2 has no place for it.
    pub reason: Option<Bytes>,
    /// The headers; repeated ones keep their order.
    pub headers: HeaderMap,
    /// What the Content-Length header says. For the answer to HEAD, and for 304, it is the length of a body that is
    /// not sent.
    pub content_length: Option<u64>,
}

/// Why a head was refused; one for one the `start-error` of the WIT. The text is for the app's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The status is malformed.
    #[error("bad status: {0}")]
    BadStatus(String),
    /// A header is malformed or not the app's to set.
    #[error("bad header: {0}")]
    BadHeader(String),
    /// More headers or bytes than the app's limits allow.
    #[error("head too large: {0}")]
    TooLarge(String),
}

impl Head {
    /// Checks what an app gave to start_response.
    ///
    /// `status` is `NNN Reason`, both parts required (rule 43), and each header a token with a Latin-1 value
    /// without control characters (rules 45, 46, 56). Space around a value is cut off, as HTTP/2 wants it.
    pub fn parse(status: &str, headers: &[(String, String)], limits: &AppLimits) -> Result<Self, HeadError> {
        check_size(status, headers, limits)?;
        let (status, reason) = parse_status(status)?;
        let mut head = Self {
            status,
            reason,
            headers: HeaderMap::with_capacity(headers.len() + HOST_HEADERS),
            content_length: None,
        };
        for (name, value) in headers {
            head.add(name, value)?;
        }
        Ok(head)
    }

    /// Checks what an app of `wasi:http` answers with, by the same rules. Its names and values have no other than valid
    /// characters already; there is no reason phrase.
    pub fn of_response(status: StatusCode, headers: HeaderMap, limits: &AppLimits) -> Result<Self, HeadError> {
        let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        check_sizes("NNN".len(), sizes, limits)?;
        if status < StatusCode::OK {
            let message = format!("{status} is not from 200 to 999; codes under 200 are the host's to send");
            return Err(HeadError::BadStatus(message));
        }
        let mut head = Self { status, reason: None, headers, content_length: None };
        if let Some(name) = head.headers.keys().find(|name| is_hop_by_hop(name)) {
            return Err(about_the_connection(name));
        }
        let lengths: Vec<_> = head.headers.get_all(CONTENT_LENGTH).iter().cloned().collect();
        for length in &lengths {
            head.add_length(length.as_bytes())?;
        }
        if let Some(only) = lengths.into_iter().next() {
            head.headers.insert(CONTENT_LENGTH, only);
        }
        Ok(head)
    }

    /// Whether the status has no body by its nature: 204 and 304 (RFC 9110 section 6.4.1).
    pub fn forbids_body(&self) -> bool {
        matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    /// Adds `Date` and `Server` unless the app has set them (rule 49), and takes the Content-Length off a 204, where
    /// it is forbidden (RFC 9110 section 8.6).
    pub fn finish(&mut self, date: HeaderValue) {
        if self.status == StatusCode::NO_CONTENT {
            self.headers.remove(CONTENT_LENGTH);
            self.content_length = None;
        }
        self.headers.entry(DATE).or_insert(date);
        self.headers.entry(SERVER).or_insert(HeaderValue::from_static("wasgi"));
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), HeadError> {
        let bytes = check_value(name, value)?;
        let name = check_name(name)?;
        // Neither fails after the checks above; should they ever part, the app gets the error.
        let value = HeaderValue::from_bytes(&bytes)
            .map_err(|_| HeadError::BadHeader(format!("the value of {name} cannot be sent")))?;
        if name == CONTENT_LENGTH && !self.add_length(&bytes)? {
            return Ok(());
        }
        self.headers.append(name, value);
        Ok(())
    }

    /// Takes note of a Content-Length; false if the same one is there already.
    fn add_length(&mut self, digits: &[u8]) -> Result<bool, HeadError> {
        let length = std::str::from_utf8(digits)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                HeadError::BadHeader(format!("Content-Length {} is not a decimal number", shown_bytes(digits)))
            })?;
        match self.content_length.replace(length) {
            None => Ok(true),
            Some(earlier) if earlier == length => Ok(false),
            Some(earlier) => {
                Err(HeadError::BadHeader(format!("Content-Length is given twice, as {earlier} and as {length}")))
            }
        }
    }
}

/// Headers that the host adds to each response: Date, Server, X-Request-Id, and Content-Length.
const HOST_HEADERS: usize = 4;

/// `HeaderMap` panics at 24576 names, so no limit may allow them.
const HEADERS_MAX: u32 = 16 * 1024;

fn check_size(status: &str, headers: &[(String, String)], limits: &AppLimits) -> Result<(), HeadError> {
    check_sizes(status.len(), headers.iter().map(|(name, value)| name.len() + value.len()), limits)
}

/// Checks the sizes of the names and values together.
fn check_sizes(status: usize, headers: impl Iterator<Item = usize>, limits: &AppLimits) -> Result<(), HeadError> {
    let (mut count, mut size) = (0_u32, status);
    for header in headers {
        count = count.saturating_add(1);
        // Each pair counts with the bytes that HTTP/1 puts around it.
        size = size.saturating_add(header + ": ".len() + "\r\n".len());
    }
    let count_max = limits.head_count_max.min(HEADERS_MAX);
    if count > count_max {
        return Err(HeadError::TooLarge(format!("{count} headers are over head-count-max, {count_max}")));
    }
    if size > limits.head_size_max.to_usize() {
        let message = format!("{size} bytes are over head-size-max, {}", limits.head_size_max);
        return Err(HeadError::TooLarge(message));
    }
    Ok(())
}

fn parse_status(status: &str) -> Result<(StatusCode, Option<Bytes>), HeadError> {
    let refused = |why: &str| HeadError::BadStatus(format!("{} {why}", shown(status)));
    let form = "is not of the form \"200 OK\": a code of three digits, one space, and a reason";
    let Some((digits, reason)) = status.split_once(' ') else { return Err(refused(form)) };
    if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) || reason.is_empty() {
        return Err(refused(form));
    }
    if reason.starts_with(' ') || reason.ends_with(' ') {
        return Err(refused("has a space too many; one stands between code and reason, none at the end"));
    }
    let bytes = native::to_bytes(reason).map_err(|char| refused(&past_latin_1(char)))?;
    if bytes.iter().any(u8::is_ascii_control) {
        return Err(refused("has a control character"));
    }
    let code = digits.parse::<u16>().ok().filter(|code| *code >= 200);
    let status = code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| refused("is not from 200 to 999; codes under 200 are the host's to send"))?;
    let is_usual = status.canonical_reason().is_some_and(|usual| usual.as_bytes() == &*bytes);
    Ok((status, (!is_usual).then(|| Bytes::copy_from_slice(&bytes))))
}

fn check_name(name: &str) -> Result<HeaderName, HeadError> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        HeadError::BadHeader(format!("{} is not a header name; letters, digits and `-` make one", shown(name)))
    })?;
    if is_hop_by_hop(&parsed) {
        return Err(about_the_connection(&parsed));
    }
    if parsed == "status" {
        let message = "status is no header; it is the first argument of start_response";
        return Err(HeadError::BadHeader(message.to_owned()));
    }
    Ok(parsed)
}

fn about_the_connection(name: &HeaderName) -> HeadError {
    HeadError::BadHeader(format!("{name} is about the connection, which is the host's"))
}

fn check_value<'a>(name: &str, value: &'a str) -> Result<std::borrow::Cow<'a, [u8]>, HeadError> {
    let refused = |why: &str| HeadError::BadHeader(format!("the value of {} {why}", shown(name)));
    let bytes = native::to_bytes(value.trim_matches(' ')).map_err(|char| refused(&past_latin_1(char)))?;
    match bytes.iter().find(|byte| byte.is_ascii_control()) {
        Some(control) => Err(refused(&format!("has the control character {:?}", char::from(*control)))),
        None => Ok(bytes),
    }
}

fn past_latin_1(char: char) -> String {
    format!("has {:?} (U+{:04X}); only chars up to U+00FF, each one byte, can be sent", char, u32::from(char))
}

/// Text of the app in a message: quoted, without anything that could forge a line, and short.
fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn shown_bytes(bytes: &[u8]) -> String {
    shown(&native::from_bytes(bytes))
}
