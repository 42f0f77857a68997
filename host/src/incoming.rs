//! From a request to the head that an app of `wasi:http` is given. Pure.
//!
//! The app is told of its own part of the path, as if it were alone on its host; the route's prefix is in
//! [`PREFIX_HEADER`], where most frameworks look for it.

#[cfg(test)]
mod tests;

use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Request, Uri};

use crate::authority;
use crate::environ::{Endpoint, Scheme};
use crate::native;
use crate::request_id::{self, RequestId};

/// Tells the prefix of the route; absent for an app that is routed at `/`.
pub const PREFIX_HEADER: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What the head tells that is not in the request itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The route's prefix, decoded: empty, or starts with `/` and does not end in it.
    pub script_name: &'a str,
    /// How the client speaks to this host.
    pub scheme: Scheme,
    /// Where the connection was accepted; names the server if the request does not.
    pub local: Endpoint,
    /// The id of the request.
    pub request_id: &'a RequestId,
}

/// The head for the app: its target is absolute, its path what follows the route's prefix.
pub fn head(request: &Parts, context: &Context<'_>) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = request.method.clone();
    head.version = request.version;
    head.headers = request.headers.clone();
    // Whoever sends these speaks for the host.
    head.headers.remove(PREFIX_HEADER);
    head.headers.insert(request_id::HEADER, context.request_id.to_header());
    if let Some(prefix) = prefix(context.script_name) {
        head.headers.insert(PREFIX_HEADER, prefix);
    }
    head.uri = target(request, context);
    head
}

/// The route's prefix as it may stand in a header.
fn prefix(script_name: &str) -> Option<HeaderValue> {
    let bytes = native::to_bytes(script_name).ok().filter(|bytes| !bytes.is_empty())?;
    HeaderValue::from_bytes(&bytes).ok()
}

fn target(request: &Parts, context: &Context<'_>) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(match context.scheme {
        Scheme::Http => http::uri::Scheme::HTTP,
        Scheme::Https => http::uri::Scheme::HTTPS,
    });
    parts.authority = Some(authority_of(request, context.local));
    parts.path_and_query = Some(path_and_query(&request.uri, context.script_name));
    // Never refused: all three are there.
    Uri::from_parts(parts).unwrap_or_default()
}

fn authority_of(request: &Parts, local: Endpoint) -> Authority {
    let named = authority::of(request).filter(|named| !named.is_empty()).and_then(|named| named.parse().ok());
    let of_server = || match local {
        Endpoint::Tcp(address) => address.to_string().parse().ok(),
        Endpoint::Unix => None,
    };
    named.or_else(of_server).unwrap_or_else(|| Authority::from_static("localhost"))
}

fn path_and_query(uri: &Uri, script_name: &str) -> PathAndQuery {
    // A char of a native string is a byte.
    let path = match after(uri.path(), script_name.chars().count()) {
        "" => "/",
        path => path,
    };
    let parsed = match uri.query() {
        Some(query) => format!("{path}?{query}").parse(),
        None => path.parse(),
    };
    // Never refused: it is a part of what was parsed.
    parsed.unwrap_or_else(|_| PathAndQuery::from_static("/"))
}

/// What follows so many decoded bytes of a raw path.
fn after(path: &str, decoded: usize) -> &str {
    let bytes = path.as_bytes();
    let mut at = 0;
    for _ in 0..decoded {
        let is_escape = matches!(bytes.get(at..at + 3), Some([b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
        at += if is_escape { 3 } else { 1 };
    }
    path.get(at..).unwrap_or_default()
}
