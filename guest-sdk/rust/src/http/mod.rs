//! Answers with `http::Response`s: from a function, or from any tower service.
//!
//! ```no_run
#![doc = include_str!("../../../../examples/axum/src/lib.rs")]
//! ```

use std::fmt::Display;
use std::future::poll_fn;

use ::http::{Request, Response};
use bytes::Buf;
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::run::fail;
use crate::{Body, Environ, StartResponse};

mod block_on;
mod body;
mod request;
mod response;

pub use body::RequestBody;
pub use request::Variables;

use block_on::block_on;

/// Answers the request with what `handler` returns.
///
/// The URI is the path below the application's mount point, with the query; the mount point and all else that
/// a server knows is in the request's extensions, as [`Variables`].
pub fn respond<H, B>(environ: Environ, start_response: StartResponse, handler: H) -> Body
where
    H: FnOnce(Request<RequestBody>) -> Response<B>,
    B: HttpBody,
    B::Error: Display,
{
    match request::from_environ(&environ) {
        Ok(request) => response::send(&start_response, handler(request)),
        Err(error) => fail(&start_response, &error),
    }
}

/// Answers the request with what `service` responds, such as an axum `Router`.
///
/// The service runs on this one thread until it is done. It may read the request's body and wait for futures of
/// its own making; one that waits for what nothing in the guest can bring about, such as a timer of
/// tokio's, is an error. An error of the service is answered with 500 and goes to the log.
///
/// # Panics
/// If the response's body fails after the head was sent: only a trap tells the client that it is cut off.
pub fn serve<S, B>(environ: Environ, start_response: StartResponse, mut service: S) -> Body
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Display,
    B: HttpBody,
    B::Error: Display,
{
    let request = match request::from_environ(&environ) {
        Ok(request) => request,
        Err(error) => return fail(&start_response, &error),
    };
    let answer = block_on(async {
        poll_fn(|context| service.poll_ready(context)).await?;
        service.call(request).await
    });
    match answer {
        Ok(Ok(response)) => response::send(&start_response, response),
        Ok(Err(error)) => fail(&start_response, &error.to_string()),
        Err(stalled) => fail(&start_response, &stalled.to_string()),
    }
}

/// All bytes of one frame of a body, without copying where they are in one piece.
fn chunk_of(mut data: impl Buf) -> bytes::Bytes {
    data.copy_to_bytes(data.remaining())
}
