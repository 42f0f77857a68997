//! Prints, reads the clocks and draws random numbers in `initialize`, and again in each request.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use guest_fixtures::{Answer, Query, json, secret};
use serde_json::{Value, json as object};
use wasgi_guest::{Environ, StartResponse};

static INIT: OnceLock<Value> = OnceLock::new();
static INITIALIZED: AtomicU32 = AtomicU32::new(0);

#[wasgi_guest::initialize]
fn initialize() {
    println!("init: out");
    eprintln!("init: err");
    INITIALIZED.fetch_add(1, Ordering::Relaxed);
    INIT.get_or_init(sample);
    secret::prepare();
}

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Answer {
    if let Some(value) = secret::answer(&Query::of(&environ), &environ.path()) {
        return json(&start_response, &value);
    }
    println!("request: out");
    eprintln!("request: err");
    let initialized = INITIALIZED.load(Ordering::Relaxed);
    let value = object!({ "initialized": initialized, "init": INIT.get(), "request": sample() });
    json(&start_response, &value)
}

/// By WASI itself, so that what is seen is what the host gives and nothing in between keeps.
fn sample() -> Value {
    let wall = wasip2::clocks::wall_clock::now();
    object!({
        "wall-ns": wall.seconds * 1_000_000_000 + u64::from(wall.nanoseconds),
        "monotonic-ns": wasip2::clocks::monotonic_clock::now(),
        "bundle": std::fs::read_to_string("/app/init.txt").ok(),
        "random": [random(), random()],
        "hash": format!("{:016x}", RandomState::new().hash_one("wasgi")),
    })
}

fn random() -> String {
    format!("{:016x}", wasip2::random::random::get_random_u64())
}
