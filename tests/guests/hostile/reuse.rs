//! Handles of one request, used in another.

use std::cell::RefCell;

use guest_fixtures::{Answer, Name as _, json, outcome, text};
use serde_json::{Value, json as object};
use wasgi_guest::{Environ, Input, InputError, StartResponse, Writer};

use crate::Call;

struct Kept {
    environ: Environ,
    start_response: StartResponse,
    writer: Writer,
    input: Result<Input, InputError>,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    match path {
        "/use-kept" => Some(use_kept(call)),
        "/drop-kept" => {
            KEPT.take();
            Some(text(&call.start_response, "dropped"))
        }
        _ => None,
    }
}

pub(crate) fn keep(environ: Environ, start_response: StartResponse) -> Answer {
    let writer = start_response.start(200, [("Content-Type", "text/plain")])?;
    crate::bodies::send(&writer, b"k");
    let input = environ.input();
    KEPT.replace(Some(Kept { environ, start_response, writer, input }));
    Ok("ept".into())
}

fn use_kept(call: &Call) -> Answer {
    let value = KEPT.with_borrow_mut(|kept| kept.as_mut().map_or_else(|| object!({ "kept": false }), used));
    json(&call.start_response, &value)
}

fn used(kept: &mut Kept) -> Value {
    let read = match &mut kept.input {
        Ok(input) => input.read_chunk(1024).map_or_else(|error| object!(error.name()), |piece| object!(piece.len())),
        Err(error) => object!(error.name()),
    };
    object!({
        "environ": kept.environ.entries().len(),
        "get": kept.environ.get("REQUEST_METHOD"),
        "take": outcome(&kept.environ.input()),
        "read": read,
        "start": outcome(&kept.start_response.replace(200, [("X-Stale", "1")], "a stale start_response")),
        "write": outcome(&kept.writer.send(b"stale")),
    })
}
