//! The id of a request: in every log line, in `wasgi.request_id` and in the `X-Request-Id` header.

use std::fmt::{self, Display};

use arrayvec::ArrayString;
use http::HeaderValue;
use uuid::Uuid;

/// The header that carries the id, from trusted peers and to every client.
pub const HEADER: http::HeaderName = http::HeaderName::from_static("x-request-id");

/// An id of 1 to 64 characters of `[A-Za-z0-9._-]`, safe in a log line and in a header.
///
/// Kept in place, not on the heap: the log, the guest and the reply each hold one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(ArrayString<LENGTH_MAX>);

impl RequestId {
    /// A new id that no other request has: a UUID of version 7, which sorts by time.
    pub fn generate() -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text: &str = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
        // A UUID has 36 characters; the empty id cannot come out.
        Self(ArrayString::from(text).unwrap_or_default())
    }

    /// The id that a trusted peer has sent, or none if it is not a valid one.
    pub fn from_header(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let valid = !text.is_empty() && text.bytes().all(is_id_byte);
        ArrayString::from(text).ok().filter(|_| valid).map(Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the value of [`HEADER`].
    pub fn to_header(&self) -> HeaderValue {
        // Both constructors admit only bytes that are valid in a header; the fallback cannot happen.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

impl Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Longer than a UUID or a trace id, too short to flood a log.
const LENGTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &[u8]) -> bool {
        RequestId::from_header(&HeaderValue::from_bytes(text).unwrap()).is_some()
    }

    #[test]
    fn new_ids_differ_and_are_valid_headers() {
        let (first, second) = (RequestId::generate(), RequestId::generate());
        assert_ne!(first, second);
        assert_eq!(RequestId::from_header(&first.to_header()), Some(first.clone()));
        assert_eq!(first.to_string().len(), 36);
        assert!(first.as_str() < second.as_str(), "{first} was made before {second}");
    }

    #[test]
    fn a_peers_id_is_taken_only_if_it_is_short_and_plain() {
        assert!(accepted(b"a"));
        assert!(accepted(b"0af7651916cd43dd8448eb211c80319c.A_b-9"));
        assert!(accepted(&[b'x'; 64]));
        assert!(!accepted(&[b'x'; 65]));
        for refused in [&b""[..], b"a b", b"a\tb", b"a,b", b"a\"", b"a=b", b"a/b", b"\xe9", b"%0a"] {
            assert!(!accepted(refused), "{refused:?}");
        }
    }
}
