//! Asks others over `wasi:http/outgoing-handler`, and tells what came of it.

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, OutgoingRequest};

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_authority(Some("example.com"));
    let _ = request.set_path_with_query(Some("/"));
    text(&start_response, format!("{:?}", ask(request)))
}

/// The status that was answered.
fn ask(request: OutgoingRequest) -> Result<u16, ErrorCode> {
    let future = handle(request, None)?;
    future.subscribe().block();
    match future.get() {
        Some(Ok(response)) => response.map(|response| response.status()),
        // It is ready, and asked once.
        None | Some(Err(())) => Err(ErrorCode::InternalError(None)),
    }
}
