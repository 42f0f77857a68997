//! `wsgi.input`.

use std::io::BufRead;

use guest_fixtures::{Answer, Name as _, error_name, json, log, outcome, text};
use serde_json::json as object;
use wasgi_guest::{Body, Input, InputError};

use crate::Call;
use crate::body::send;

/// One read, in bytes.
const PIECE: u64 = 64 * 1024;

pub(crate) fn answer(call: &Call, rest: &str) -> Option<Answer> {
    let answer = match rest {
        "all" => all(call),
        "read" => read(call),
        "partial" => partial(call),
        "ignored" => text(&call.start_response, "ignored"),
        "zero" => zero(call),
        "after-end" => after_end(call),
        "lines" => lines(call),
        "twice" => twice(call),
        "error" => error(call),
        "echo" => echo(call),
        _ => return None,
    };
    Some(answer)
}

fn all(call: &Call) -> Answer {
    let mut body = Vec::new();
    let result = each_piece(call, PIECE, |piece| body.extend_from_slice(&piece));
    log_error(&result, body.len());
    call.start_response.start(200, [("Content-Type", "application/octet-stream")])?;
    // The SDK writes what is too large to be returned.
    Ok(Body::Bytes(body))
}

fn read(call: &Call) -> Answer {
    let (mut total, mut reads, mut largest) = (0, 0_u64, 0);
    let mut crc = crc32fast::Hasher::new();
    let result = each_piece(call, call.query.number("max", 1024), |piece| {
        total += piece.len();
        reads += 1;
        largest = largest.max(piece.len());
        crc.update(&piece);
    });
    log_error(&result, total);
    let crc = format!("{:08x}", crc.finalize());
    json(&call.start_response, &object!({ "total": total, "reads": reads, "largest": largest, "crc32": crc }))
}

fn partial(call: &Call) -> Answer {
    let wanted = call.query.size("bytes", 1);
    let mut body = Vec::new();
    let result = call.environ.input().and_then(|mut input| {
        while body.len() < wanted {
            let piece = input.read_chunk((wanted - body.len()) as u64)?;
            if piece.is_empty() {
                break;
            }
            body.extend_from_slice(&piece);
        }
        Ok(())
    });
    log_error(&result, body.len());
    text(&call.start_response, body)
}

fn zero(call: &Call) -> Answer {
    let (mut nothing, mut total) = (0, 0);
    let result = call.environ.input().and_then(|mut input| {
        nothing = input.read_chunk(0)?.len();
        total = rest_of(&mut input, |_| {})?;
        Ok(())
    });
    log_error(&result, total);
    json(&call.start_response, &object!({ "zero": nothing, "total": total }))
}

fn after_end(call: &Call) -> Answer {
    let mut total = 0;
    let mut after = Vec::new();
    let result = call.environ.input().and_then(|mut input| {
        total = rest_of(&mut input, |_| {})?;
        for _ in 0..3 {
            after.push(input.read_chunk(PIECE)?.len());
        }
        Ok(())
    });
    log_error(&result, total);
    json(&call.start_response, &object!({ "total": total, "after": after }))
}

fn lines(call: &Call) -> Answer {
    let mut lengths = Vec::new();
    let result = call.environ.input().map(|mut input| {
        let mut line = Vec::new();
        while lengths.len() < 1000 && input.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            lengths.push(line.len());
            line.clear();
        }
    });
    log_error(&result, 0);
    json(&call.start_response, &object!({ "lines": lengths }))
}

fn twice(call: &Call) -> Answer {
    let first = call.environ.input();
    let second = call.environ.input();
    json(&call.start_response, &object!({ "first": outcome(&first), "second": outcome(&second) }))
}

fn error(call: &Call) -> Answer {
    let mut total = 0;
    let result = each_piece(call, PIECE, |piece| total += piece.len());
    match &result {
        Ok(()) => log(&format!("input: end after {total} bytes")),
        Err(error) => log(&format!("input: {} after {total} bytes", error.name())),
    }
    json(&call.start_response, &object!({ "total": total, "error": error_name(&result) }))
}

fn echo(call: &Call) -> Answer {
    let writer = call.start_response.start(200, [("Content-Type", "application/octet-stream")])?;
    let mut written = Ok(());
    let mut total = 0;
    let result = each_piece(call, PIECE, |piece| {
        total += piece.len();
        if written.is_ok() {
            written = send(&writer, &piece);
        }
    });
    log_error(&result, total);
    if let Err(error) = written {
        log(&format!("write: {}", error.name()));
    }
    Ok(Body::empty())
}

/// Takes the input and reads it to the end.
fn each_piece(call: &Call, max: u64, mut each: impl FnMut(Vec<u8>)) -> Result<(), InputError> {
    let mut input = call.environ.input()?;
    loop {
        let piece = input.read_chunk(max)?;
        if piece.is_empty() {
            return Ok(());
        }
        each(piece);
    }
}

/// Reads to the end; how many bytes that were.
pub(crate) fn rest_of(input: &mut Input, mut each: impl FnMut(&[u8])) -> Result<usize, InputError> {
    let mut total = 0;
    loop {
        let piece = input.read_chunk(PIECE)?;
        if piece.is_empty() {
            return Ok(total);
        }
        total += piece.len();
        each(&piece);
    }
}

fn log_error<T>(result: &Result<T, InputError>, total: usize) {
    if let Err(error) = result {
        log(&format!("input: {} after {total} bytes", error.name()));
    }
}
