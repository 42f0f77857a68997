//! The response body.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use guest_fixtures::{Answer, Name as _, log, text};
use wasgi_guest::{Body, WriteError, Writer};

use crate::Call;
use crate::input::rest_of;

/// The largest body that is returned in one piece, in bytes: the host's default `body-oneshot-max`.
const RETURN: usize = 1024 * 1024;

/// One write, in bytes.
const CHUNK: usize = 64 * 1024;

pub(crate) fn answer(call: &Call, first: &str, rest: &str) -> Option<Answer> {
    let answer = match (first, rest) {
        ("return", "") => text(&call.start_response, vec![b'r'; call.query.size("size", 5)]),
        ("write", "") => write(call),
        ("write-then-return", "") => write_then_return(call),
        ("writers", "") => writers(call),
        ("binary", "") => binary(call),
        ("content-length", "") => content_length(call),
        ("content-length", "chunks") => content_length_chunks(call),
        ("no-body", "") => no_body(call),
        ("gate", "input") => gate_input(call),
        ("gate", "file") => gate_file(call),
        ("file", "") => file(call),
        _ => return None,
    };
    Some(answer)
}

/// Sends all of it, in chunks.
pub(crate) fn send(writer: &Writer, bytes: &[u8]) -> Result<(), WriteError> {
    bytes.chunks(CHUNK).try_for_each(|chunk| writer.send(chunk))
}

/// One write; a refusal is logged.
pub(crate) fn send_logged(writer: &Writer, chunk: &[u8]) {
    if let Err(error) = writer.send(chunk) {
        log(&format!("write: {}", error.name()));
    }
}

fn write(call: &Call) -> Answer {
    let writer = call.start_response.start(200, [("Content-Type", "text/plain")])?;
    let size = call.query.size("size", 5);
    let chunk = vec![b'w'; call.query.size("chunk", CHUNK).max(1)];
    let mut written = 0;
    while written < size {
        let count = chunk.len().min(size - written);
        if let Err(error) = writer.send(&chunk[..count]) {
            log(&format!("write: {} after {written} bytes", error.name()));
            return Ok(Body::empty());
        }
        written += count;
    }
    log(&format!("wrote {written} bytes"));
    Ok(Body::empty())
}

fn write_then_return(call: &Call) -> Answer {
    let writer = call.start_response.start(200, [("Content-Type", "text/plain")])?;
    send_logged(&writer, b"written,");
    Ok("returned".into())
}

fn writers(call: &Call) -> Answer {
    let headers = [("Content-Type", "text/plain")];
    let first = call.start_response.start(200, headers)?;
    let second = call.start_response.replace(200, headers, "a second writer")?;
    send_logged(&first, b"a");
    send_logged(&second, b"b");
    send_logged(&first, b"c");
    Ok("d".into())
}

fn binary(call: &Call) -> Answer {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(call.query.size("size", 256)).collect();
    let writer = call.start_response.start(200, [("Content-Type", "application/octet-stream")])?;
    if bytes.len() <= RETURN {
        return Ok(bytes.into());
    }
    if let Err(error) = send(&writer, &bytes) {
        log(&format!("write: {}", error.name()));
    }
    Ok(Body::empty())
}

fn content_length(call: &Call) -> Answer {
    let headers = [("Content-Type", "text/plain".to_owned()), ("Content-Length", call.query.text("set", "5"))];
    let writer = call.start_response.start(200, headers)?;
    let bytes = vec![b'c'; call.query.size("send", 5)];
    match call.query.text("via", "return").as_str() {
        "write" => {
            send_logged(&writer, &bytes);
            Ok(Body::empty())
        }
        "both" => {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            send_logged(&writer, first);
            Ok(second.into())
        }
        _ => Ok(bytes.into()),
    }
}

fn content_length_chunks(call: &Call) -> Answer {
    let headers = [("Content-Type", "text/plain".to_owned()), ("Content-Length", call.query.text("set", "5"))];
    let writer = call.start_response.start(200, headers)?;
    let chunk = vec![b'c'; call.query.size("chunk", 1).max(1)];
    let mut written = 0;
    loop {
        if let Err(error) = writer.send(&chunk) {
            log(&format!("write: {} after {written} bytes", error.name()));
            return Ok(Body::empty());
        }
        written += chunk.len();
    }
}

fn no_body(call: &Call) -> Answer {
    let status = if call.query.number("status", 204) == 304 { 304 } else { 204 };
    let writer = call.start_response.start(status, [("X-Path", "no-body")])?;
    let bytes = vec![b'n'; call.query.size("send", 0)];
    if call.query.text("via", "return") == "write" {
        send_logged(&writer, &bytes);
        return Ok(Body::empty());
    }
    Ok(bytes.into())
}

fn gate_input(call: &Call) -> Answer {
    let writer = call.start_response.start(200, [("Content-Type", "text/plain")])?;
    send_logged(&writer, b"first\n");
    let result = call.environ.input().and_then(|mut input| {
        input.read_chunk(1)?;
        send_logged(&writer, b"second\n");
        rest_of(&mut input, |_| {})
    });
    if let Err(error) = result {
        log(&format!("input: {}", error.name()));
    }
    Ok("last\n".into())
}

/// Looks every 5 ms whether the test has made the file: there is no call of WASI that waits for one.
fn gate_file(call: &Call) -> Answer {
    let writer = call.start_response.start(200, [("Content-Type", "text/plain")])?;
    if call.query.text("at", "write") == "write" {
        send_logged(&writer, b"first\n");
    }
    let path = call.query.text("path", "");
    let start = Instant::now();
    while !Path::new(&path).exists() {
        if start.elapsed() > Duration::from_secs(10) {
            log(&format!("gate: {path} did not come"));
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok("last\n".into())
}

fn file(call: &Call) -> Answer {
    call.start_response.start(200, [("Content-Type", "text/html")])?;
    Ok(Body::File { path: call.query.text("path", "/app/index.html"), offset: 0, length: None })
}
