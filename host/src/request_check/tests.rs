use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;

use super::*;

/// An HTTP/1.1 GET of `target` with these headers.
fn request(target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut parts = Request::builder().uri(target).body(()).unwrap().into_parts().0;
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        parts.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    parts
}

fn as_http_2(mut parts: Parts) -> Parts {
    parts.version = Version::HTTP_2;
    parts
}

fn as_http_10(mut parts: Parts) -> Parts {
    parts.version = Version::HTTP_10;
    parts
}

fn checked(parts: &Parts) -> Result<(), BadRequest> {
    check(parts, &HostLimits::default())
}

/// A request to `h` with these headers beside the Host.
fn checked_with(headers: &[(&str, &str)]) -> Result<(), BadRequest> {
    checked(&request("/", &[&[("Host", "h")], headers].concat()))
}

const HOST_ONLY: &[(&str, &str)] = &[("Host", "example.org:80")];

#[test]
fn usual_requests_pass() {
    for target in ["/", "/a?b", "/%ff", "http://example.org:80/"] {
        assert_eq!(checked(&request(target, HOST_ONLY)), Ok(()), "{target}");
    }
    assert_eq!(checked(&as_http_10(request("/", &[]))), Ok(()), "HTTP/1.0 needs no Host");
    assert_eq!(checked(&as_http_2(request("http://example.org/", &[]))), Ok(()));
    assert_eq!(checked(&as_http_2(request("http://Example.org/", &[("Host", "example.ORG")]))), Ok(()));
    assert_eq!(checked(&as_http_2(request("/", HOST_ONLY))), Ok(()), "HTTP/2 by way of a proxy may have Host alone");
    assert_eq!(checked_with(&[("Content-Length", "0")]), Ok(()));
    assert_eq!(checked_with(&[("Content-Length", "5"), ("Content-Length", "05")]), Ok(()), "equal lengths are one");
    assert_eq!(checked_with(&[("Transfer-Encoding", "Chunked")]), Ok(()));
    assert_eq!(checked(&request("/", &[("Host", "")])), Ok(()), "an empty Host is a host not known");
}

#[test]
fn http_1_1_and_2_name_one_valid_host() {
    assert_eq!(checked(&request("/", &[])), Err(BadRequest::NoHost));
    assert_eq!(checked(&request("http://example.org/", &[])), Err(BadRequest::NoHost));
    assert_eq!(checked(&as_http_2(request("/", &[]))), Err(BadRequest::NoHost));
    assert_eq!(checked_with(&[("Host", "other")]), Err(BadRequest::SeveralHosts));
    assert_eq!(checked_with(&[("Host", "h")]), Err(BadRequest::SeveralHosts), "even if they agree");
    for host in ["a b", "a,b", "a/b", "u@a", "a:b", "[::1", "a:70000", "é"] {
        assert_eq!(checked(&request("/", &[("Host", host)])), Err(BadRequest::MalformedHost), "{host}");
        assert_eq!(checked(&as_http_10(request("/", &[("Host", host)]))), Err(BadRequest::MalformedHost), "{host}");
    }
    assert_eq!(checked(&request("http://u:p@example.org/", HOST_ONLY)), Err(BadRequest::MalformedHost));
    let differs = as_http_2(request("http://a.example/", &[("Host", "b.example")]));
    assert_eq!(checked(&differs), Err(BadRequest::HostDiffers));
    let absolute = request("http://a.example/", &[("Host", "b.example")]);
    assert_eq!(checked(&absolute), Ok(()), "in HTTP/1.1 the target counts");
}

#[test]
fn framing_that_two_servers_could_read_differently_is_refused() {
    let chunked = ("Transfer-Encoding", "chunked");
    assert_eq!(checked_with(&[("Content-Length", "5"), chunked]), Err(BadRequest::LengthAndCoding));
    assert_eq!(checked_with(&[("Content-Length", "5"), ("Content-Length", "6")]), Err(BadRequest::SeveralLengths));
    for length in ["", "+5", "-5", "5,5", "5 5", "0x5", "5.0", "18446744073709551616", "é"] {
        assert_eq!(checked_with(&[("Content-Length", length)]), Err(BadRequest::MalformedLength), "{length}");
    }
    for coding in ["gzip", "gzip, chunked", "chunked, chunked", "identity", "", "x chunked", "chunked;q=1"] {
        assert_eq!(checked_with(&[("Transfer-Encoding", coding)]), Err(BadRequest::UnknownCoding), "{coding}");
    }
    assert_eq!(checked_with(&[chunked, chunked]), Err(BadRequest::UnknownCoding));
    let chunked = request("/", &[("Host", "h"), chunked]);
    assert_eq!(checked(&as_http_10(chunked.clone())), Err(BadRequest::MisplacedCoding));
    assert_eq!(checked(&as_http_2(chunked)), Err(BadRequest::MisplacedCoding));
}

#[test]
fn targets_that_are_no_path_are_refused() {
    let mut parts = request("example.org:443", HOST_ONLY);
    parts.method = Method::CONNECT;
    assert_eq!(checked(&parts), Err(BadRequest::Connect));
    let mut parts = request("*", HOST_ONLY);
    parts.method = Method::OPTIONS;
    assert_eq!(checked(&parts), Err(BadRequest::NoPath));
    assert_eq!(checked(&request("example.org:443", HOST_ONLY)), Err(BadRequest::NoPath));
}

#[test]
fn the_request_line_may_be_as_long_as_its_limit() {
    let limits = HostLimits { request_line_max: Size::from_bytes(64), ..HostLimits::default() };
    let path = "/".repeat(64 - "GET  HTTP/1.1".len());
    assert_eq!(check(&request(&path, HOST_ONLY), &limits), Ok(()));
    let line_too_long = Err(BadRequest::LineTooLong(limits.request_line_max));
    assert_eq!(check(&request(&format!("{path}/"), HOST_ONLY), &limits), line_too_long);
    assert_eq!(check(&request(&format!("http://example.org:80{path}"), HOST_ONLY), &limits), line_too_long);
    let mut parts = request("/", HOST_ONLY);
    parts.method = Method::from_bytes("M".repeat(64).as_bytes()).unwrap();
    assert_eq!(check(&parts, &limits), line_too_long, "a long method counts too");
}

#[test]
fn headers_may_be_as_many_and_as_large_as_their_limits() {
    let limits = HostLimits { header_count_max: 2, header_size_max: Size::from_bytes(24), ..HostLimits::default() };
    // "Host: h\r\n" is 9 bytes, "A: \r\n" is 5.
    let (full, over) = ("x".repeat(10), "x".repeat(11));
    assert_eq!(check(&request("/", &[("Host", "h"), ("A", &full)]), &limits), Ok(()));
    let error = check(&request("/", &[("Host", "h"), ("A", &over)]), &limits);
    assert_eq!(error, Err(BadRequest::HeadersTooLarge(limits.header_size_max)));
    let error = check(&request("/", &[("Host", "h"), ("A", ""), ("A", "")]), &limits);
    assert_eq!(error, Err(BadRequest::TooManyHeaders(2)), "each value of a repeated header counts");
}

#[test]
fn each_refusal_has_the_status_that_its_rfc_asks_for() {
    let size = Size::from_kib(8);
    for (error, status) in [
        (BadRequest::LineTooLong(size), 414),
        (BadRequest::TooManyHeaders(1), 431),
        (BadRequest::HeadersTooLarge(size), 431),
        (BadRequest::Connect, 501),
        (BadRequest::UnknownCoding, 501),
        (BadRequest::NoPath, 400),
        (BadRequest::NoHost, 400),
        (BadRequest::SeveralHosts, 400),
        (BadRequest::HostDiffers, 400),
        (BadRequest::MalformedHost, 400),
        (BadRequest::LengthAndCoding, 400),
        (BadRequest::SeveralLengths, 400),
        (BadRequest::MalformedLength, 400),
        (BadRequest::MisplacedCoding, 400),
    ] {
        assert_eq!(error.status(), status, "{error}");
    }
    assert_eq!(BadRequest::LineTooLong(size).to_string(), "the request line is longer than 8KiB");
}

proptest! {
    #[test]
    fn a_length_is_taken_only_if_every_header_says_the_same(lengths in prop::collection::vec("[0-9]{1,3}|\\PC{0,3}", 0..4)) {
        let headers: Vec<(&str, &str)> = lengths.iter().map(|length| ("Content-Length", length.as_str())).collect();
        let taken = content_length(&request("/", &headers).headers);
        let parsed: Vec<Option<u64>> = lengths.iter().map(|length| {
            length.bytes().all(|byte| byte.is_ascii_digit()).then(|| length.parse().ok()).flatten()
        }).collect();
        match parsed.split_first() {
            None => prop_assert_eq!(taken, Ok(None)),
            Some((first, rest)) if first.is_some() && rest.iter().all(|other| other == first) => {
                prop_assert_eq!(taken, Ok(*first));
            }
            _ => prop_assert!(taken.is_err()),
        }
    }
}
