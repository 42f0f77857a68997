//! `initialize` never returns.

use std::hint::black_box;

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};

#[wasgi_guest::initialize]
fn initialize() {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    text(&start_response, "served without initialize")
}
