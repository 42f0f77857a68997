//! `initialize` refuses the deployment.

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};

#[wasgi_guest::initialize]
fn initialize() -> Result<(), &'static str> {
    Err("the registry is empty: put words.txt into it")
}

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    text(&start_response, "served without initialize")
}
