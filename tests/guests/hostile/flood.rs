//! Too much to say.

use std::io::{self, Write};

use guest_fixtures::{Answer, text};
use wasgi_guest::errors;

use crate::Call;

/// Colours, a bell, a carriage return, an attempt to write a line of the log's own, a NUL.
const CONTROL: &[u8] = b"\x1b[31mred\x1b[0m\x07\r2026-01-01 ERROR forged\x00\x08\x7f\n";

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    match path {
        "/flood" => Some(flood(call)),
        "/flood/endless" => endless(call),
        _ => None,
    }
}

fn to(call: &Call) -> Box<dyn Write> {
    match call.query.text("to", "stdout").as_str() {
        "stderr" => Box::new(io::stderr()),
        "errors" => Box::new(errors()),
        _ => Box::new(io::stdout()),
    }
}

fn flood(call: &Call) -> Answer {
    let mut to = to(call);
    let bytes = call.query.size("bytes", 1024 * 1024);
    let line = format!("{}\n", "f".repeat(79));
    let unit: &[u8] = match call.query.text("kind", "lines").as_str() {
        "one-line" => &line.as_bytes()[..79],
        "control" => CONTROL,
        "empty" => b"\n",
        _ => line.as_bytes(),
    };
    // In calls of a size that a program would make, not one per line.
    let block: Vec<u8> = unit.iter().copied().cycle().take(unit.len() * (4096 / unit.len())).collect();
    let mut left = bytes;
    while left > 0 {
        let count = left.min(block.len());
        if to.write_all(&block[..count]).is_err() {
            break;
        }
        left -= count;
    }
    let _ = to.flush();
    text(&call.start_response, "ok")
}

fn endless(call: &Call) -> ! {
    let mut to = to(call);
    loop {
        let _ = to.write_all(b"on and on and on\n");
    }
}
