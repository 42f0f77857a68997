//! The smallest component of wasi:http: what every request gets is the same.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

const BODY: &[u8] = b"Hello, world!\n";

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let headers = Fields::new();
        // Names and values that every host allows. With its length the body need not be chunked.
        let _ = headers.append("content-type", b"text/plain");
        let _ = headers.append("content-length", BODY.len().to_string().as_bytes());
        let response = OutgoingResponse::new(headers);
        // The body of a new response can be taken, once.
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(outparam, Ok(response));
        if let Ok(stream) = body.write() {
            // The client may have left; then there is nobody to tell.
            let _ = stream.blocking_write_and_flush(BODY);
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Hello);
