//! Whether a request is one that may be served at all: what a proxy and this host could read
//! differently is refused, and so is what passes the host's limits. Pure.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use crate::authority;
use crate::limits::{HostLimits, Size};

#[cfg(test)]
mod tests;

/// Why a request is refused before any app is asked. The text is fit for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// CONNECT asks for a tunnel (RFC 9110 section 9.3.6).
    #[error("CONNECT is not served: this is no proxy")]
    Connect,
    /// `OPTIONS *`, or another target that is no path.
    #[error("the target is no path; no app answers for the whole server")]
    NoPath,
    /// A request line over `request-line-max`.
    #[error("the request line is longer than {0}")]
    LineTooLong(Size),
    /// More headers than `header-count-max`.
    #[error("the request has more than {0} headers")]
    TooManyHeaders(u32),
    /// Header bytes over `header-size-max`.
    #[error("the headers of the request are longer than {0}")]
    HeadersTooLarge(Size),
    /// HTTP/1.1 without Host, or HTTP/2 without `:authority` and Host (RFC 9112 section 3.2).
    #[error("the request names no host; send a Host header")]
    NoHost,
    /// More than one Host header (RFC 9112 section 3.2).
    #[error("the request has more than one Host header")]
    SeveralHosts,
    /// A Host that differs from `:authority` (RFC 9113 section 8.3.1).
    #[error("the Host header differs from the request's authority")]
    HostDiffers,
    /// A host that is none, or one with a user.
    #[error("the request's host is malformed")]
    MalformedHost,
    /// Content-Length beside Transfer-Encoding, the mark of request smuggling (RFC 9112 section 6.1).
    /// hyper's HTTP/1 never lets it come here: it goes by the coding and closes the connection after the
    /// reply, as the RFC also allows. This is for requests that an embedder hands over.
    #[error("the request has both Transfer-Encoding and Content-Length")]
    LengthAndCoding,
    /// Content-Length headers that differ (RFC 9112 section 6.3).
    #[error("the request has several lengths")]
    SeveralLengths,
    /// A Content-Length that is no decimal number.
    #[error("the request's Content-Length is malformed")]
    MalformedLength,
    /// A Transfer-Encoding outside HTTP/1.1, where it has no meaning (RFC 9112 section 6.1).
    #[error("Transfer-Encoding is for HTTP/1.1 alone")]
    MisplacedCoding,
    /// A transfer coding other than `chunked` (RFC 9112 section 6.1).
    #[error("the only transfer coding that is served is `chunked`")]
    UnknownCoding,
}

impl BadRequest {
    /// The status of the reply.
    pub fn status(self) -> StatusCode {
        match self {
            Self::LineTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::TooManyHeaders(_) | Self::HeadersTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            // Both as the RFC asks: the request is well-formed, this server does not do it.
            Self::Connect | Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::NoPath
            | Self::NoHost
            | Self::SeveralHosts
            | Self::HostDiffers
            | Self::MalformedHost
            | Self::LengthAndCoding
            | Self::SeveralLengths
            | Self::MalformedLength
            | Self::MisplacedCoding => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks a request before it is routed. Sizes first, so that no later check reads too much.
///
/// After each of these errors the connection should be closed: what follows on it may be no request.
pub fn check(request: &Parts, limits: &HostLimits) -> Result<(), BadRequest> {
    check_sizes(request, limits)?;
    if request.method == Method::CONNECT {
        return Err(BadRequest::Connect);
    }
    if !request.uri.path().starts_with('/') {
        return Err(BadRequest::NoPath);
    }
    check_host(request)?;
    check_framing(request)
}

/// The length that a request's Content-Length tells, if there is one and it is well-formed.
///
/// Several equal headers are one (RFC 9110 section 8.6).
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>, BadRequest> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        // `u64::from_str` would take a plus sign.
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let this = digits.and_then(|digits| digits.parse().ok()).ok_or(BadRequest::MalformedLength)?;
        if *length.get_or_insert(this) != this {
            return Err(BadRequest::SeveralLengths);
        }
    }
    Ok(length)
}

fn check_sizes(request: &Parts, limits: &HostLimits) -> Result<(), BadRequest> {
    let line = request.method.as_str().len() + target_length(request) + "  HTTP/1.1".len();
    if line > limits.request_line_max.to_usize() {
        return Err(BadRequest::LineTooLong(limits.request_line_max));
    }
    if u32::try_from(request.headers.len()).is_ok_and(|count| count > limits.header_count_max) {
        return Err(BadRequest::TooManyHeaders(limits.header_count_max));
    }
    let header_size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + ": ".len() + value.len() + "\r\n".len()
    };
    if request.headers.iter().map(header_size).sum::<usize>() > limits.header_size_max.to_usize() {
        return Err(BadRequest::HeadersTooLarge(limits.header_size_max));
    }
    Ok(())
}

/// The length of the target as it stood in the request line; in HTTP/2, of its pseudo-headers.
fn target_length(request: &Parts) -> usize {
    let uri = &request.uri;
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    scheme + authority + uri.path_and_query().map_or(0, |target| target.as_str().len())
}

fn check_host(request: &Parts) -> Result<(), BadRequest> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(BadRequest::SeveralHosts);
    }
    if header.is_some_and(|host| !authority::is_valid(host.as_bytes())) {
        return Err(BadRequest::MalformedHost);
    }
    match (request.uri.authority(), header) {
        (Some(authority), _) if !authority::is_valid(authority.as_str().as_bytes()) => Err(BadRequest::MalformedHost),
        (Some(authority), Some(host)) if request.version == Version::HTTP_2 => {
            let equal = authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes());
            if equal { Ok(()) } else { Err(BadRequest::HostDiffers) }
        }
        // HTTP/1.1 wants the header even beside an absolute target, which then counts.
        (_, None) if request.version == Version::HTTP_11 => Err(BadRequest::NoHost),
        (None, None) if request.version == Version::HTTP_2 => Err(BadRequest::NoHost),
        _ => Ok(()),
    }
}

fn check_framing(request: &Parts) -> Result<(), BadRequest> {
    let length = content_length(&request.headers)?;
    let mut codings = request.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if length.is_some() {
        return Err(BadRequest::LengthAndCoding);
    }
    if request.version != Version::HTTP_11 {
        return Err(BadRequest::MisplacedCoding);
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(BadRequest::UnknownCoding);
    }
    Ok(())
}
