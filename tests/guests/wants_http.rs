//! Imports `wasi:http/outgoing-handler`, which nothing grants.

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, OutgoingRequest};

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    let request = OutgoingRequest::new(Fields::new());
    let sent = handle(request, None).is_ok();
    text(&start_response, format!("sent: {sent}"))
}
