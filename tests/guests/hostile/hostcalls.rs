//! Host calls: too many of them, or too large ones.

use std::hint::black_box;
use std::time::Instant;

use guest_fixtures::{Answer, json, text};
use serde_json::json as object;
use wasgi_guest::errors;

use crate::Call;

const MIB: usize = 1024 * 1024;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let answer = match path {
        "/hostcalls" => for_ever(call),
        "/giant-name" => giant_name(call),
        "/giant-errors" => giant_errors(call),
        "/many-pollables" => many_pollables(call),
        _ => return None,
    };
    Some(answer)
}

fn for_ever(call: &Call) -> ! {
    let kind = call.query.text("kind", "environ");
    loop {
        match kind.as_str() {
            "entries" => drop(black_box(call.environ.entries())),
            "errors" => drop(std::io::Write::write(&mut errors(), b"again\n")),
            "clock" => drop(black_box(Instant::now())),
            "random" => drop(black_box(wasip2::random::random::get_random_u64())),
            "start" => drop(call.start_response.replace(200, [("X-Call", "again")], "again")),
            _ => drop(black_box(call.environ.get("REQUEST_METHOD"))),
        }
    }
}

fn giant_name(call: &Call) -> Answer {
    let name = "N".repeat(call.query.size("mib", 32) * MIB);
    let present = call.environ.get(&name).is_some();
    json(&call.start_response, &object!({ "present": present }))
}

fn giant_errors(call: &Call) -> Answer {
    let giant = "e".repeat(call.query.size("mib", 32) * MIB);
    let _ = std::io::Write::write(&mut errors(), giant.as_bytes());
    text(&call.start_response, "ok")
}

fn many_pollables(call: &Call) -> Answer {
    let pollables: Vec<_> = (0..call.query.number("count", 100_000))
        .map(|_| wasip2::clocks::monotonic_clock::subscribe_duration(3_600_000_000_000))
        .collect();
    json(&call.start_response, &object!({ "pollables": pollables.len() }))
}
