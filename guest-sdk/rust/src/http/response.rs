//! `http::Response` → start_response, writes and the returned body.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::{Pin, pin};

use ::http::header::CONTENT_LENGTH;
use ::http::{Response, response::Parts};
use bytes::Bytes;
use http_body::Body as HttpBody;

use super::block_on::block_on;
use super::chunk_of;
use crate::run::{fail, stop};
use crate::{Body, StartResponse, Status, WriteError, native};

/// A body whose length is known to be no more than this many bytes is collected and returned in one piece.
const COLLECT: u64 = 256 * 1024;

/// Sends the response; what is left of its body is returned.
pub(super) fn send<B: HttpBody>(start_response: &StartResponse, response: Response<B>) -> Body
where
    B::Error: Display,
{
    let (parts, body) = response.into_parts();
    let length = body.size_hint().exact();
    match length {
        Some(length) if length <= COLLECT => send_collected(start_response, &parts, body),
        _ => send_frames(start_response, &parts, length, body),
    }
}

/// Nothing is sent before the whole body is there, so an error can still be answered with 500.
fn send_collected<B: HttpBody>(start_response: &StartResponse, parts: &Parts, body: B) -> Body
where
    B::Error: Display,
{
    let mut body = pin!(body);
    let mut collected = Vec::new();
    loop {
        match next_chunk(body.as_mut()) {
            Ok(Some(chunk)) => collected.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return fail(start_response, &format!("the response body failed: {error}")),
        }
    }
    // Without a Content-Length of its own the response gets it from the host (rule 59).
    match start(start_response, parts, None) {
        Ok(_) => collected.into(),
        Err(error) => fail(start_response, &error.to_string()),
    }
}

/// Each frame goes out as it comes (rule 57).
fn send_frames<B: HttpBody>(start_response: &StartResponse, parts: &Parts, length: Option<u64>, body: B) -> Body
where
    B::Error: Display,
{
    let writer = match start(start_response, parts, length) {
        Ok(writer) => writer,
        Err(error) => return fail(start_response, &error.to_string()),
    };
    let mut body = pin!(body);
    loop {
        let chunk = match next_chunk(body.as_mut()) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Body::empty(),
            // Answered with 500 if nothing was written yet, else a trap.
            Err(error) => return fail(start_response, &format!("the response body failed: {error}")),
        };
        match writer.send_all(&chunk) {
            Ok(()) => {}
            // The client has gone, or wants no body: dropping ours is its end (rule 65).
            Err(WriteError::Closed | WriteError::NoBodyAllowed) => return Body::empty(),
            Err(error) => stop(&error.to_string()),
        }
    }
}

fn start(
    start_response: &StartResponse,
    parts: &Parts,
    length: Option<u64>,
) -> Result<crate::Writer, crate::StartError> {
    let status = match parts.status.canonical_reason() {
        Some(reason) => Status::from(format!("{} {reason}", parts.status.as_str())),
        None => Status::from(parts.status.as_u16()),
    };
    let mut headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), native::from_bytes(value.as_bytes())))
        .collect();
    if let Some(length) = length
        && !parts.headers.contains_key(CONTENT_LENGTH)
        && !matches!(parts.status.as_u16(), 204 | 304)
    {
        headers.push((CONTENT_LENGTH.as_str().to_owned(), length.to_string()));
    }
    start_response.call(status.as_str(), &headers, None)
}

/// The next bytes of the body. Trailers are left out: the gateway has none.
fn next_chunk<B: HttpBody>(mut body: Pin<&mut B>) -> Result<Option<Bytes>, String>
where
    B::Error: Display,
{
    loop {
        match block_on(poll_fn(|context| body.as_mut().poll_frame(context))) {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(chunk_of(data)));
                }
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Ok(None),
            Err(stalled) => return Err(stalled.to_string()),
        }
    }
}
