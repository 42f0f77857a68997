//! What the application is told of the request.

use std::collections::BTreeMap;

use guest_fixtures::{Answer, json, text};
use serde_json::json as object;

use crate::Call;

pub(crate) fn answer(call: &Call, first: &str, rest: &str) -> Option<Answer> {
    match (first, rest) {
        ("environ", "") => Some(all(call)),
        ("environ", "get") => Some(get(call)),
        ("environ", "copy") => Some(copy(call)),
        ("url", "") => Some(text(&call.start_response, call.environ.url())),
        _ => None,
    }
}

fn all(call: &Call) -> Answer {
    let variables: BTreeMap<String, String> = call.environ.entries().into_iter().collect();
    json(&call.start_response, &object!(variables))
}

fn get(call: &Call) -> Answer {
    let value = call.environ.get(&call.query.native("name"));
    json(&call.start_response, &object!({ "present": value.is_some(), "value": value }))
}

/// Rule 3: the copy is the application's; the server's own is not touched by what it does there.
fn copy(call: &Call) -> Answer {
    let sorted = || {
        let mut entries = call.environ.entries();
        entries.sort();
        entries
    };
    let before = sorted();
    let mut mine = call.environ.entries();
    for (_, value) in &mut mine {
        value.push_str(" changed");
    }
    mine.clear();
    json(&call.start_response, &object!({ "same": before == sorted() }))
}
