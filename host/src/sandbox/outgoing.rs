//! What a guest asks of others over HTTP.

use http::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::limits::AppLimits;

/// The requests of one instance to the outside. None is let through.
pub(crate) struct Outgoing {
    chunk_max: usize,
}

/// Most bytes that one write to a body takes. Two of them wait in the host for each body that a guest has begun, out of reach of
/// `memory-max`, and it may begin hundreds.
const CHUNK_MAX: usize = 16 * 1024;

impl Outgoing {
    pub(crate) fn new(limits: &AppLimits) -> Self {
        Self { chunk_max: limits.write_chunk_max.to_usize().min(CHUNK_MAX) }
    }
}

/// How a request ends that was sent: with its response, and with what is left of the exchange.
type Sent = Result<(Response<WasiBody>, Ending), Error>;
type Ending = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _ending: Ending,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        self.chunk_max
    }
}
