//! `wsgi.errors`, the standard streams, and errors that escape.

use std::io::Write as _;

use guest_fixtures::{Answer, text};
use wasgi_guest::errors;

use crate::Call;

pub(crate) fn answer(call: &Call, first: &str, rest: &str) -> Option<Answer> {
    match (first, rest) {
        ("errors", "") => write_errors(&[&call.query.text("text", "")]),
        ("errors", "lines") => write_errors(&["one\ntwo", " and a half\n", "three"]),
        ("errors", "unicode") => write_errors(&["snowman ☃, crab 🦀"]),
        ("stdout", "") => println!("{}", call.query.text("text", "")),
        ("stderr", "") => eprintln!("{}", call.query.text("text", "")),
        ("trap", "") => return Some(trap(call)),
        _ => return None,
    }
    Some(text(&call.start_response, "ok"))
}

/// Each text is one call.
fn write_errors(texts: &[&str]) {
    for text in texts {
        // It never fails.
        let _ = write!(errors(), "{text}");
    }
}

fn trap(call: &Call) -> Answer {
    let at = call.query.text("at", "call");
    if at != "call" {
        let writer = call.start_response.start(200, [("Content-Type", "text/plain")])?;
        if at == "write" {
            crate::body::send_logged(&writer, b"begun\n");
        }
    }
    panic!("asked to trap")
}
