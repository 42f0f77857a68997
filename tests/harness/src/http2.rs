//! An HTTP/2 client with prior knowledge, for what HTTP/1.1 cannot show: several streams and their resets.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, StatusCode};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::{Address, PATIENCE};

/// A connection. Its requests run beside each other.
#[derive(Debug)]
pub struct Http2 {
    runtime: Arc<Runtime>,
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// One request and its response.
#[derive(Debug)]
pub struct Http2Stream {
    runtime: Arc<Runtime>,
    request: SendStream<Bytes>,
    response: Response,
}

#[derive(Debug)]
enum Response {
    Awaited(ResponseFuture),
    Body(RecvStream),
}

/// A whole response.
#[derive(Debug)]
pub struct Http2Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or what came of it.
    pub body: Vec<u8>,
    /// What followed the body.
    pub trailers: Option<HeaderMap>,
    /// Why the stream was reset, if it did not end properly.
    pub reset: Option<Reason>,
}

impl Http2 {
    /// Connects to `address`, which must be a TCP one.
    pub fn open(address: &Address) -> Self {
        let Address::Tcp(address) = *address else { panic!("HTTP/2 over {address:?} is not needed yet") };
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime starts");
        let (sender, connection) = within(&runtime, async move {
            let stream = tokio::net::TcpStream::connect(address).await.expect("the host accepts");
            let mut client = h2::client::Builder::new();
            // A stream that nobody reads shall not hold up the others.
            client.initial_window_size(65_535).initial_connection_window_size(16 << 20);
            client.handshake(stream).await.expect("the host speaks HTTP/2")
        });
        let connection = runtime.spawn(connection);
        Self { runtime: Arc::new(runtime), sender, connection }
    }

    /// Sends a request without a body and reads its response.
    pub fn get(&mut self, path: &str) -> Http2Response {
        let request = http::Request::get(format!("http://test{path}")).body(()).expect("a valid request");
        self.start(request, true).response()
    }

    /// Sends the head of a request; `ends` says that no body follows.
    ///
    /// # Panics
    /// If the host accepts no further request.
    pub fn start(&mut self, request: http::Request<()>, ends: bool) -> Http2Stream {
        let sender = self.sender.clone();
        let (response, request) = within(&self.runtime, async move {
            let mut sender = sender.ready().await.expect("the host accepts a stream");
            sender.send_request(request, ends).expect("a request can be sent")
        });
        Http2Stream { runtime: Arc::clone(&self.runtime), request, response: Response::Awaited(response) }
    }

    /// How many streams the host allows at the same time, as it has said so far.
    pub fn streams_max(&self) -> usize {
        self.sender.current_max_send_streams()
    }

    /// Waits until the host has ended the connection; tells whether it did so without an error.
    pub fn ended(self) -> Result<(), h2::Error> {
        // The sender is dropped only afterwards: without it, the client would end the connection itself.
        let ended = within(&self.runtime, self.connection).expect("the connection's task ends");
        drop(self.sender);
        ended
    }
}

impl Http2Stream {
    /// Sends a part of the request's body.
    ///
    /// # Errors
    /// Why the host takes no more of it.
    pub fn send(&mut self, data: impl Into<Bytes>, ends: bool) -> Result<(), h2::Error> {
        self.request.send_data(data.into(), ends)
    }

    /// Ends the request's body with trailers.
    ///
    /// # Errors
    /// Why the host takes none.
    pub fn send_trailers(&mut self, trailers: http::HeaderMap) -> Result<(), h2::Error> {
        self.request.send_trailers(trailers)
    }

    /// Breaks the stream off.
    pub fn reset(mut self, reason: Reason) {
        self.request.send_reset(reason);
    }

    /// Waits for the head of the response.
    ///
    /// # Errors
    /// Why there is none.
    pub fn head(&mut self) -> Result<http::response::Parts, h2::Error> {
        let Response::Awaited(response) = &mut self.response else { panic!("the head was read before") };
        let (head, body) = within(&self.runtime, response)?.into_parts();
        self.response = Response::Body(body);
        Ok(head)
    }

    /// Waits for the next bytes of the body; none at its end.
    ///
    /// # Errors
    /// Why it was cut.
    pub fn data(&mut self) -> Result<Option<Bytes>, h2::Error> {
        let Response::Body(body) = &mut self.response else { panic!("the head is not read yet") };
        while let Some(data) = within(&self.runtime, body.data()).transpose()? {
            body.flow_control().release_capacity(data.len())?;
            // The end may come in a frame without bytes.
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// The trailers of a body that has ended.
    fn trailers(&mut self) -> Option<HeaderMap> {
        let Response::Body(body) = &mut self.response else { panic!("the head is not read yet") };
        within(&self.runtime, body.trailers()).expect("the body ended well")
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// Why it was cut.
    pub fn rest(mut self) -> Result<Vec<u8>, h2::Error> {
        let mut rest = Vec::new();
        while let Some(data) = self.data()? {
            rest.extend_from_slice(&data);
        }
        Ok(rest)
    }

    /// Reads the whole response.
    ///
    /// # Panics
    /// If the stream is reset before there is a head.
    pub fn response(mut self) -> Http2Response {
        let head = self.head().expect("a response has a head");
        let mut response =
            Http2Response { status: head.status, headers: head.headers, body: Vec::new(), trailers: None, reset: None };
        loop {
            match self.data() {
                Ok(Some(data)) => response.body.extend_from_slice(&data),
                Ok(None) => {
                    response.trailers = self.trailers();
                    return response;
                }
                Err(error) => {
                    response.reset = Some(error.reason().unwrap_or(Reason::NO_ERROR));
                    return response;
                }
            }
        }
    }
}

/// What `future` gives, if it does so within [`PATIENCE`].
fn within<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("nothing came for {PATIENCE:?}"))
    })
}
