//! Response bodies that are too long, too short, too large, or not allowed.

use guest_fixtures::{Answer, Name as _, log};
use wasgi_guest::__internal::app as raw;
use wasgi_guest::{Body, StartResponse, WriteError, Writer};

use crate::Call;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let answer = match path {
        "/endless" => endless(call),
        "/past-content-length" => sized(call, "5", b"too much"),
        "/short-content-length" => sized(call, "100", b"short"),
        "/huge-chunk" => huge_chunk(call),
        "/body-without-room" => without_room(&call.start_response),
        _ => return None,
    };
    Some(answer)
}

/// Sends, and does not care.
pub(crate) fn send(writer: &Writer, chunk: &[u8]) {
    let _ = writer.send(chunk);
}

fn endless(call: &Call) -> Answer {
    let writer = call.start()?;
    let chunk = vec![b'e'; call.query.size("chunk", 64 * 1024).max(1)];
    let mut sent = 0_u64;
    let error = loop {
        match writer.send(&chunk) {
            Ok(()) => sent += chunk.len() as u64,
            Err(_) if call.query.is_on("ignore") => {}
            Err(error) => break error,
        }
    };
    log(&format!("endless: {} after {sent} bytes", error.name()));
    Ok(Body::empty())
}

fn sized(call: &Call, length: &str, bytes: &[u8]) -> Answer {
    let writer = call.start_response.start(200, [("Content-Type", "text/plain"), ("Content-Length", length)])?;
    if call.query.text("via", "write") == "return" {
        return Ok(bytes.into());
    }
    send(&writer, bytes);
    Ok(Body::empty())
}

/// In one piece, where the SDK would write the most of it first.
pub(crate) fn huge_return(environ: &raw::Environ, start_response: &raw::StartResponse) -> raw::Body {
    let query = environ.get("QUERY_STRING").unwrap_or_default();
    let bytes = query.strip_prefix("bytes=").and_then(|bytes| bytes.parse().ok()).unwrap_or(2 * 1024 * 1024);
    let _ = start_response.call("200 OK", &[("Content-Type".to_owned(), "text/plain".to_owned())], None);
    raw::Body::Bytes(vec![b'h'; bytes])
}

fn huge_chunk(call: &Call) -> Answer {
    let writer = call.start()?;
    let outcome = match writer.send(&vec![b'h'; call.query.size("bytes", 1024 * 1024)]) {
        Ok(()) => "ok".to_owned(),
        Err(WriteError::TooLarge(most)) => format!("too-large {most}"),
        Err(error) => error.name().to_owned(),
    };
    log(&format!("huge-chunk: {outcome}"));
    Ok("done".into())
}

fn without_room(start_response: &StartResponse) -> Answer {
    let writer = start_response.start(204, [("X-Path", "body-without-room")])?;
    send(&writer, b"written");
    Ok("returned".into())
}
