//! CPU, memory, stack and traps.

use std::hint::black_box;
use std::time::{Duration, Instant};

use guest_fixtures::{Answer, json, text};
use serde_json::json as object;

use crate::Call;

const MIB: usize = 1024 * 1024;

/// What wasm memory is granted in, in bytes: writing one byte to each touches all of them.
const PAGE: usize = 64 * 1024;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let answer = match path {
        "/spin" => call.advance("after").map(|()| spin()),
        "/spin/ms" => spin_for(call),
        "/work" => work(call),
        "/memory" => memory(),
        "/memory/take" => take(call),
        "/recurse" => text(&call.start_response, recursed(call).to_string()),
        "/trap" => call.advance("at").map(|()| hostile_trap_here()),
        "/panic" => call.advance("at").map(|()| panic!("hostile: a panic with a message")),
        "/exit" => exit(call),
        "/sleep" => sleep(call),
        "/drip" => drip(call),
        _ => return None,
    };
    Some(answer)
}

pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn spin_for(call: &Call) -> Answer {
    let time = Duration::from_millis(call.query.number("cpu", 10));
    let start = Instant::now();
    while start.elapsed() < time {
        // So that it is work, and not host calls, that takes the time.
        for turn in 0..10_000 {
            black_box(turn);
        }
    }
    text(&call.start_response, "ok")
}

/// The same work each time, however long it takes.
fn work(call: &Call) -> Answer {
    for turn in 0..call.query.number("kilo", 10_000) * 1_000 {
        black_box(turn);
    }
    if call.query.is_on("sleep") { sleep(call) } else { text(&call.start_response, "ok") }
}

fn memory() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(touched(MIB));
        black_box(&all);
    }
}

fn take(call: &Call) -> Answer {
    let mib = call.query.size("mib", 64);
    black_box(touched(mib * MIB));
    json(&call.start_response, &object!({ "mib": mib }))
}

/// Zeroed memory comes untouched from the host.
pub(crate) fn touched(bytes: usize) -> Vec<u8> {
    let mut memory = vec![0; bytes];
    for page in memory.iter_mut().step_by(PAGE) {
        *page = 1;
    }
    memory
}

fn recursed(call: &Call) -> usize {
    if call.query.text("stack", "wasm") == "memory" { recurse_in_memory(0) } else { recurse(0) }
}

/// Ends the stack that the host gives to wasm: small frames of Rust's own.
#[expect(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
fn recurse(depth: usize) -> usize {
    // Used after the call, so that this is none in tail position.
    recurse(black_box(depth.wrapping_add(1))).wrapping_add(depth)
}

/// Ends the stack that Rust keeps in memory: large frames, so that it is the first to end.
#[expect(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
fn recurse_in_memory(depth: usize) -> usize {
    let frame = black_box([depth; 1024]);
    recurse_in_memory(depth.wrapping_add(1)).wrapping_add(frame[depth % frame.len()])
}

/// The log names it when it traps.
#[inline(never)]
fn hostile_trap_here() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

fn exit(call: &Call) -> Answer {
    let code = i32::try_from(call.query.number("code", 0)).unwrap_or(1);
    std::process::exit(code)
}

fn sleep(call: &Call) -> Answer {
    let writer = call.query.text("after", "call");
    call.advance("after")?;
    std::thread::sleep(Duration::from_millis(call.query.number("ms", 60_000)));
    if writer == "call" {
        call.start()?;
    }
    Ok("slept".into())
}

/// A byte now and then, for ever.
fn drip(call: &Call) -> Answer {
    let writer = call.start()?;
    loop {
        crate::bodies::send(&writer, b".");
        std::thread::sleep(Duration::from_millis(call.query.number("ms", 10)));
    }
}
