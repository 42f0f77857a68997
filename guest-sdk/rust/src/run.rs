//! From the exported function to the author's and back.

use crate::bindings::app as raw;
use crate::{Answer, Body, Environ, StartError, StartResponse};

/// A body up to this size is returned in one piece, in bytes; a larger one is written first.
const RETURN: usize = 256 * 1024;

/// Runs the author's function for one request.
pub fn application<A: Answer>(
    environ: raw::Environ,
    start_response: raw::StartResponse,
    application: impl FnOnce(Environ, StartResponse) -> A,
) -> raw::Body {
    let start_response = StartResponse::new(start_response);
    let answer = application(Environ::new(environ), start_response.clone());
    let body = match answer.into_body() {
        Ok(body) => body,
        Err(error) => fail(&start_response, &error),
    };
    returned(&start_response, body)
}

/// Answers 500 in place of whatever was started, with the error to the log.
///
/// # Panics
/// With the error, if the head is with the client: only a trap can tell the client that the body is
/// cut off (rules 53 and 68).
pub(crate) fn fail(start_response: &StartResponse, error: &str) -> Body {
    let started = start_response.replace(500, [("Content-Type", "text/plain")], error);
    match started {
        Ok(_) => "Internal Server Error\n".into(),
        Err(StartError::HeadSent) => stop(error),
        // Gone, or refused: nobody is left to be told.
        Err(_) => Body::empty(),
    }
}

/// Ends the request by a trap, with the error on stderr.
pub(crate) fn stop(error: &str) -> ! {
    panic!("the application failed after its head was sent: {error}");
}

/// The body as the host takes it: what is too large for one piece has been written.
fn returned(start_response: &StartResponse, body: Body) -> raw::Body {
    let bytes = match body {
        Body::Bytes(bytes) => bytes,
        Body::File { path, offset, length } => {
            return raw::Body::File(raw::wasgi::gateway::gateway::FileRange { path, offset, length });
        }
    };
    if bytes.len() <= RETURN {
        return raw::Body::Bytes(bytes);
    }
    let Some(writer) = start_response.writer() else {
        // No head, so no body: the host answers 502.
        return raw::Body::Bytes(Vec::new());
    };
    let (first, last) = bytes.split_at(bytes.len() - RETURN);
    match writer.send_all(first) {
        Ok(()) => raw::Body::Bytes(last.to_vec()),
        // The host has logged why, and refuses or drops the rest likewise.
        Err(_) => raw::Body::Bytes(Vec::new()),
    }
}
