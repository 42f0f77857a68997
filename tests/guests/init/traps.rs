//! `initialize` panics.

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};

#[wasgi_guest::initialize]
fn initialize() {
    panic!("no luck in initialize");
}

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    text(&start_response, "served without initialize")
}
