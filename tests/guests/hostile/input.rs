//! Ways not to read the request.

use std::thread;
use std::time::Duration;

use guest_fixtures::{Answer, Name as _, error_name, json, log, text};
use serde_json::json as object;

use crate::Call;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let answer = match path {
        "/never-reads" => text(&call.start_response, "ok"),
        "/takes-and-drops" => takes_and_drops(call),
        "/giant-read" => giant_read(call),
        "/slow-reads" => slow_reads(call),
        _ => return None,
    };
    Some(answer)
}

fn takes_and_drops(call: &Call) -> Answer {
    drop(call.environ.input());
    text(&call.start_response, "ok")
}

fn giant_read(call: &Call) -> Answer {
    let (mut total, mut largest) = (0, 0);
    let result = call.environ.input().and_then(|mut input| {
        loop {
            let piece = input.read_chunk(u64::MAX)?;
            if piece.is_empty() {
                return Ok(());
            }
            total += piece.len();
            largest = largest.max(piece.len());
        }
    });
    if let Err(error) = result {
        log(&format!("giant-read: {}", error.name()));
    }
    json(&call.start_response, &object!({ "total": total, "largest": largest }))
}

fn slow_reads(call: &Call) -> Answer {
    let (bytes, pause) = (call.query.number("bytes", 1024), Duration::from_millis(call.query.number("ms", 10)));
    let mut total = 0;
    let result = call.environ.input().and_then(|mut input| {
        loop {
            let piece = input.read_chunk(bytes)?;
            if piece.is_empty() {
                return Ok(());
            }
            total += piece.len();
            thread::sleep(pause);
        }
    });
    json(&call.start_response, &object!({ "total": total, "error": error_name(&result) }))
}
