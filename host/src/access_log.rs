//! The access log: one line for each request, in Gunicorn's format language or as JSON. Pure.
//!
//! Whatever a client may have chosen is escaped, so that no request can forge a line, end a quoted
//! field or drive a terminal.

mod escape;
mod format;
mod json;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::environ::{Endpoint, Variable};
use crate::request_id::RequestId;

pub use format::{Format, FormatError};

/// What is known of a request once its response has ended.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Where it came from.
    pub peer: Endpoint,
    /// The request; none if it was so malformed that it could not be read.
    pub request: Option<&'a Parts>,
    /// When its head was read.
    pub started: SystemTime,
    /// From then to the end of the response.
    pub elapsed: Duration,
    /// The status that was sent; 499 if the client went away before that.
    pub status: StatusCode,
    /// Bytes of body that were sent.
    pub body_bytes: u64,
    /// The response's headers, for `%({name}o)s`; see [`Format::wants_response_headers`].
    pub response_headers: Option<&'a HeaderMap>,
    /// The environ, for `%({name}e)s`; see [`Format::wants_environ`].
    pub environ: &'a [Variable],
    /// The app that was asked, if there was a route.
    pub app: Option<&'a str>,
    /// CPU time that the guest has used, if the app was called.
    pub cpu_time: Option<Duration>,
    /// The id of the request.
    pub request_id: &'a RequestId,
    /// What went wrong, as the kind of error; none if nothing did.
    pub error: Option<&'a str>,
}
