//! The conformance guest; README.md has the table of its paths.

use std::sync::atomic::{AtomicU64, Ordering};

use guest_fixtures::{Answer, Query, json, not_found, text};
use serde_json::json as object;
use wasgi_guest::{Environ, StartResponse};

mod body;
mod environ;
mod errors;
mod head;
mod input;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// One request, as the handlers get it.
struct Call {
    environ: Environ,
    start_response: StartResponse,
    query: Query,
}

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Answer {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let path = environ.path();
    let query = Query::of(&environ);
    let call = Call { environ, start_response, query };
    let (first, rest) =
        path.strip_prefix('/').unwrap_or(&path).split_once('/').unwrap_or((&path[1.min(path.len())..], ""));
    let answer = match first {
        "hello" => Some(text(&call.start_response, "hello")),
        "calls" => Some(json(&call.start_response, &object!({ "calls": calls }))),
        "environ" | "url" => environ::answer(&call, first, rest),
        "input" => input::answer(&call, rest),
        "status" | "header" | "headers" | "start-twice" | "start-exc-info" | "no-start" => {
            head::answer(&call, first, rest)
        }
        "errors" | "stdout" | "stderr" | "trap" => errors::answer(&call, first, rest),
        _ => body::answer(&call, first, rest),
    };
    answer.unwrap_or_else(|| not_found(&call.start_response, &path))
}
