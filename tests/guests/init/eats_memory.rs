//! `initialize` allocates until it dies.

use std::hint::black_box;

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};

#[wasgi_guest::initialize]
fn initialize() {
    let mut all = Vec::new();
    loop {
        // Not zeroes, which the host would give without touching memory.
        all.push(vec![1_u8; 1024 * 1024]);
        black_box(&all);
    }
}

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    text(&start_response, "served without initialize")
}
