//! Heads that are missing, malformed or too many.

use guest_fixtures::{Answer, Name as _, json};
use serde_json::json as object;

use crate::Call;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let answer = match path {
        "/no-start" => Ok("lost".into()),
        "/start-twice" => twice(call),
        "/bad-status" => ignored(call, "200", Vec::new()),
        "/bad-header" => ignored(call, "200 OK", vec![("X-Bad".to_owned(), "a\r\nSet-Cookie: stolen=1".to_owned())]),
        "/many-headers" => many_headers(call),
        "/many-starts" => many_starts(call),
        _ => return None,
    };
    Some(answer)
}

/// Starts, and goes on as if all were well.
fn ignored(call: &Call, status: &str, headers: Vec<(String, String)>) -> Answer {
    let _ = call.start_response.call(status, &headers, None);
    Ok("lost".into())
}

fn twice(call: &Call) -> Answer {
    call.start()?;
    let _ = call.start_response.start(500, [("X-Call", "second")]);
    Ok("first head".into())
}

fn many_headers(call: &Call) -> Answer {
    let value = "v".repeat(call.query.size("size", 10));
    let headers = (0..call.query.size("count", 1000)).map(|n| (format!("X-{n}"), value.clone())).collect();
    ignored(call, "200 OK", headers)
}

fn many_starts(call: &Call) -> Answer {
    let mut writers = Vec::new();
    let mut error = None;
    for _ in 0..call.query.number("count", 100_000) {
        match call.start_response.replace(200, [("X-Call", "again")], "once more") {
            Ok(writer) => writers.push(writer),
            Err(refused) => {
                error = Some(refused.name());
                break;
            }
        }
    }
    let started = writers.len();
    drop(writers);
    let value = object!({ "started": started, "error": error });
    // The head is there already; this one tells what the body is.
    let _ = call.start_response.replace(200, [("Content-Type", "application/json")], "the last");
    if started == 0 { json(&call.start_response, &value) } else { Ok(value.to_string().into()) }
}
