//! The body of a request as an app of `wasi:http` reads it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::client::Client;
use crate::input::{Input, InputError};

/// Bytes that are read ahead of what the app asks for.
const READ: u64 = 64 * 1024;

/// Why the host could not read a body that it had spooled, if it could not.
pub(super) type SpoolFailure = Arc<OnceLock<String>>;

/// The body that reads `input`.
pub(super) fn of(input: Input, client: &Arc<Client>, failure: &SpoolFailure) -> WasiBody {
    if input.length() == Some(0) && input.trailers().is_none() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let reader = Reader { input, client: Arc::clone(client), failure: Arc::clone(failure), ended: false };
    StreamBody::new(stream::unfold(reader, |reader| reader.next().boxed())).boxed_unsync()
}

struct Reader {
    input: Input,
    client: Arc<Client>,
    failure: SpoolFailure,
    ended: bool,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Error>, Self)> {
        if self.ended {
            return None;
        }
        let frame = match self.input.read(READ).await {
            Ok(bytes) if bytes.is_empty() => {
                self.ended = true;
                Ok(Frame::trailers(self.input.trailers()?.clone()))
            }
            Ok(bytes) => Ok(Frame::data(bytes.into())),
            Err(error) => {
                self.ended = true;
                Err(self.failed(error))
            }
        };
        Some((frame, self))
    }

    fn failed(&self, error: InputError) -> Error {
        match error {
            InputError::Closed => {
                self.client.leave();
                Error::ConnectionTerminated
            }
            InputError::TooLarge => Error::HttpRequestBodySize(None),
            InputError::TimedOut => Error::ConnectionReadTimeout,
            InputError::Spool(why) => {
                let told = Error::InternalError(Some("the host lost the body of the request".to_owned()));
                let _ = self.failure.set(why);
                told
            }
        }
    }
}
