//! Whether bytes are what a server of HTTP may send on one connection.

use std::collections::BTreeSet;

/// Frames of HTTP/2 begin with nine bytes (RFC 9113 section 4.1).
const FRAME_HEAD: usize = 9;
const SETTINGS: u8 = 4;

/// Whether the bytes are responses of HTTP/1, one after the other.
///
/// Only the last body may be cut. `with_head` tells whether the client may have sent HEAD, whose answers have a length
/// and no body.
pub(crate) fn is_http1(bytes: &[u8], with_head: bool) -> bool {
    let mut tried = BTreeSet::new();
    let mut ends = vec![0];
    while let Some(start) = ends.pop() {
        if start == bytes.len() {
            return true;
        }
        if !tried.insert(start) {
            continue;
        }
        let Some((head, body)) = response(&bytes[start..]) else { continue };
        if with_head || body == Body::None {
            ends.push(start + head);
        }
        let rest = &bytes[start + head..];
        match body {
            Body::None => {}
            Body::UntilClose => return true,
            Body::Length(length) if length <= rest.len() => ends.push(start + head + length),
            Body::Length(_) => return true,
            Body::Chunked => match chunked(rest) {
                Chunks::End(length) => ends.push(start + head + length),
                Chunks::Cut => return true,
                Chunks::Malformed => {}
            },
        }
    }
    false
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// The length of a head and the framing of the body that follows it (RFC 9112 section 6.3).
fn response(bytes: &[u8]) -> Option<(usize, Body)> {
    let mut slots = [httparse::EMPTY_HEADER; 256];
    let mut response = httparse::Response::new(&mut slots);
    let Ok(httparse::Status::Complete(length)) = response.parse(bytes) else { return None };
    let values = |name: &str| -> Vec<&[u8]> {
        let named = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let body = match (&*values("transfer-encoding"), &*values("content-length"), response.code?) {
        (.., 100..200 | 204 | 304) => Body::None,
        ([b"chunked"], [], _) => Body::Chunked,
        ([], [length], _) => Body::Length(std::str::from_utf8(length).ok()?.parse().ok()?),
        ([], [], _) => Body::UntilClose,
        // Several lengths are what lets responses be smuggled.
        _ => return None,
    };
    Some((length, body))
}

enum Chunks {
    End(usize),
    Cut,
    Malformed,
}

fn chunked(bytes: &[u8]) -> Chunks {
    let mut at = 0;
    loop {
        let Ok(size) = httparse::parse_chunk_size(&bytes[at..]) else { return Chunks::Malformed };
        let httparse::Status::Complete((head, size)) = size else { return Chunks::Cut };
        at += head;
        let Some(end) = usize::try_from(size).ok().and_then(|size| at.checked_add(size)) else {
            return Chunks::Malformed;
        };
        match bytes.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => at = end + 2,
            [] | [b'\r'] => return Chunks::Cut,
            _ => return Chunks::Malformed,
        }
        if size == 0 {
            return Chunks::End(at);
        }
    }
}

/// Whether the bytes are frames of HTTP/2, of which the first is the server's settings; only the last may be cut.
pub(crate) fn is_http2(mut bytes: &[u8]) -> bool {
    let mut is_first = true;
    while let [high, middle, low, kind, ..] = bytes {
        if is_first && *kind != SETTINGS {
            return false;
        }
        is_first = false;
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        // The largest that a peer takes unless it said otherwise.
        if length > 1 << 24 {
            return false;
        }
        bytes = bytes.get(FRAME_HEAD + length..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_told_from_what_is_none() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        for sent in ["", ok, chunked, &format!("{ok}{chunked}{ok}"), "HTTP/1.0 400 Bad\r\n\r\nuntil the end"] {
            assert!(is_http1(sent.as_bytes(), false), "{sent:?}");
        }
        // The last may be cut, within its body.
        for cut in ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", &chunked[..chunked.len() - 2]] {
            assert!(is_http1(cut.as_bytes(), false), "{cut:?}");
        }
        for odd in [
            "HTTP",
            "ok",
            &format!("{ok}x"),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n",
        ] {
            assert!(!is_http1(odd.as_bytes(), false), "{odd:?}");
        }
    }

    #[test]
    fn only_the_answer_to_head_has_a_length_and_no_body() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        let two = format!("{head}{head}ok");
        assert!(is_http1(two.as_bytes(), true));
        assert!(!is_http1(two.as_bytes(), false));
    }

    #[test]
    fn frames_begin_with_settings() {
        let settings = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
        let data = [0, 0, 1, 0, 0, 0, 0, 0, 1, b'x'];
        assert!(is_http2(&[&settings[..], &data].concat()));
        assert!(!is_http2(&data));
    }
}
