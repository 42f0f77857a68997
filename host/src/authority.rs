//! The host and port that a request was sent to: its Host header or `:authority`.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::request::Parts;

/// The host of a request, with its port if it has one.
///
/// The authority of an absolute target comes before the Host header (RFC 9112 section 3.2.2); in
/// HTTP/2 it is `:authority`. None if there is neither, or if the header is no text.
pub fn of(request: &Parts) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(HOST)?.to_str().ok(),
    }
}

/// `authority` as host and port. The brackets of an IPv6 address belong to the host; a port may be empty.
pub fn split_port(authority: &str) -> (&str, Option<&str>) {
    let end_of_address = if authority.starts_with('[') { authority.find(']').unwrap_or(0) } else { 0 };
    match authority[end_of_address..].find(':') {
        Some(colon) => (&authority[..end_of_address + colon], Some(&authority[end_of_address + colon + 1..])),
        None => (authority, None),
    }
}

/// Whether `authority` is a host with an optional port and without user (RFC 9112 section 3.2).
///
/// The empty one is valid: it is what a client sends that knows no host. A comma is valid in the
/// RFC's grammar, yet refused: it is the trace of two Host headers that something has joined.
pub fn is_valid(authority: &[u8]) -> bool {
    let Ok(authority) = std::str::from_utf8(authority) else { return false };
    let (host, port) = split_port(authority);
    let port_is_valid = match port {
        None | Some("") => true,
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    };
    let host_is_valid = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => host.bytes().all(is_host_byte),
    };
    host_is_valid && port_is_valid
}

/// Bytes of a `reg-name` (RFC 3986 section 3.2.2).
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_split_off_names_and_addresses() {
        for (authority, host, port) in [
            ("", "", None),
            ("example.org", "example.org", None),
            ("example.org:", "example.org", Some("")),
            ("example.org:80", "example.org", Some("80")),
            ("127.0.0.1:80", "127.0.0.1", Some("80")),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some("80")),
            (":80", "", Some("80")),
        ] {
            assert_eq!(split_port(authority), (host, port), "{authority}");
        }
    }

    #[test]
    fn only_hosts_with_a_port_in_range_are_valid() {
        for valid in ["", "a", "a.b-c_d.", "A:80", "a:", "[::1]", "[::1]:65535", "1.2.3.4:0"] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        for invalid in [
            "a b",
            "a,b",
            "a/b",
            "a?b",
            "a#b",
            "u@a",
            "a:b",
            "a:65536",
            "a:1:2",
            "a:+1",
            "[::1",
            "[]",
            "[::1]a",
            "[a]",
            "[fe80::1%25eth0]",
            "::1",
            "a\\b",
            "a\"",
            "a<b>",
            "a\u{e9}",
        ] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
        assert!(!is_valid(b"a\xff"));
        assert!(!is_valid(b"a\0"));
    }

    #[test]
    fn the_authority_of_the_target_comes_before_the_host_header() {
        let request = |target: &str| {
            http::Request::builder().uri(target).header("Host", "header.example").body(()).unwrap().into_parts().0
        };
        assert_eq!(of(&request("/")), Some("header.example"));
        assert_eq!(of(&request("http://target.example:81/")), Some("target.example:81"));
        let mut without = request("/");
        without.headers.clear();
        assert_eq!(of(&without), None);
    }
}
