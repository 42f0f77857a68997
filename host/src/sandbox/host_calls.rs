//! The calls of `wasgi:gateway`: what a guest can ask of the host.
//!
//! The reps of the four resources are *request serials*, not table slots: a handle that a reused
//! instance kept from an earlier request names that request, so it can never reach the next one.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::Resource;

use crate::client::Client;
use crate::environ::Environ;
use crate::head::{Head, HeadError};
use crate::input::{Input, InputError};
use crate::reply::{BodySender, BodyStream, Cut, Last, Reply, ReplyBody};
use crate::sandbox::bindings::wasgi::gateway::gateway;
use crate::sandbox::instance::Exchange;
use crate::sandbox::output::Channel;
use crate::sandbox::start_response::{StartRefused, StartResponse, WriteRefused};
use crate::sandbox::store::Guest;

/// Names the `environ` resource; its rep is a request serial.
pub enum EnvironHandle {}
/// Names the `input` resource; its rep is a request serial.
pub enum InputHandle {}
/// Names the `start-response` resource; its rep is a request serial.
pub enum StartResponseHandle {}
/// Names the `writer` resource; its rep is a request serial.
pub enum WriterHandle {}

/// The request that an instance has in hand.
#[derive(Debug)]
pub(crate) struct Request {
    /// Tells the handles of this request from those of the instance's earlier ones.
    pub(crate) serial: u32,
    pub(crate) environ: Environ,
    pub(crate) input: Input,
    input_taken: bool,
    pub(crate) response: StartResponse,
    pub(crate) outlet: Outlet,
    pub(crate) client: Arc<Client>,
}

/// The way of a response out of the sandbox.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// Takes the head when it is committed while the guest still runs.
    head: Option<oneshot::Sender<Reply>>,
    /// There once a head with a body is committed.
    body: Option<BodySender>,
}

impl Request {
    /// A request with `serial`, whose head goes out through `head`.
    pub(crate) fn new(serial: u32, environ: Environ, exchange: Exchange, head: oneshot::Sender<Reply>) -> Self {
        Self {
            serial,
            environ,
            input: exchange.input,
            input_taken: false,
            response: StartResponse::new(exchange.head_only),
            outlet: Outlet::new(head),
            client: exchange.client,
        }
    }
}

impl Outlet {
    /// An outlet whose head goes out through `head`.
    pub(crate) fn new(head: oneshot::Sender<Reply>) -> Self {
        Self { head: Some(head), body: None }
    }

    /// Where chunks of the body go; none before the head, or if there is no body.
    pub(crate) fn chunks(&self) -> Option<mpsc::Sender<Bytes>> {
        self.body.as_ref().map(|body| body.chunks.clone())
    }

    /// Sends a head on its way; its body, if `streams`, will follow chunk by chunk.
    pub(crate) fn commit(&mut self, head: Head, client: &Arc<Client>, streams: bool) {
        let body = if streams {
            let (sender, stream) = BodyStream::channel(Arc::clone(client));
            self.body = Some(sender);
            ReplyBody::Stream(stream)
        } else {
            ReplyBody::None
        };
        if let Some(sender) = self.head.take() {
            // Nobody takes it if the client has gone; then the stream is dropped and says so.
            let _ = sender.send(Reply { head, body });
        }
    }

    /// Ends a streamed body, with its last bytes or with a cut.
    pub(crate) fn end(self, last: Result<Last, Cut>) {
        if let Some(body) = self.body {
            drop(body.chunks);
            let _ = body.end.send(last);
        }
    }
}

impl Guest {
    /// Takes a request in hand; the handles that the guest is called with.
    pub(crate) fn begin(&mut self, request: Request) -> (Resource<EnvironHandle>, Resource<StartResponseHandle>) {
        let serial = request.serial;
        self.request = Some(request);
        (self.own(serial), self.own(serial))
    }

    /// A new handle for the guest, which names the request `serial`.
    fn own<T: 'static>(&mut self, serial: u32) -> Resource<T> {
        self.gateway_handles += 1;
        Resource::new_own(serial)
    }

    /// The guest has dropped a handle, of whichever request.
    fn disown(&mut self) {
        self.gateway_handles = self.gateway_handles.saturating_sub(1);
    }

    /// The request in hand, if the handle belongs to it.
    fn request(&mut self, rep: u32) -> Option<&mut Request> {
        self.request.as_mut().filter(|request| request.serial == rep)
    }
}

impl gateway::Host for Guest {
    fn write_errors(&mut self, text: String) -> wasmtime::Result<()> {
        self.output.write(Channel::Errors, text.as_bytes());
        Ok(())
    }
}

impl gateway::HostEnviron for Guest {
    fn get(&mut self, this: Resource<EnvironHandle>, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.request(this.rep()).and_then(|request| request.environ.get(&name).map(str::to_owned)))
    }

    fn entries(&mut self, this: Resource<EnvironHandle>) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.request(this.rep()).map(|request| request.environ.to_entries()).unwrap_or_default())
    }

    fn input(
        &mut self,
        this: Resource<EnvironHandle>,
    ) -> wasmtime::Result<Result<Resource<InputHandle>, gateway::InputError>> {
        let rep = this.rep();
        match self.request(rep) {
            None => return Ok(Err(gateway::InputError::Closed)),
            Some(request) if request.client.has_left() => return Ok(Err(gateway::InputError::Closed)),
            Some(request) if request.input_taken => return Ok(Err(gateway::InputError::Taken)),
            Some(request) => request.input_taken = true,
        }
        Ok(Ok(self.own(rep)))
    }

    fn drop(&mut self, _this: Resource<EnvironHandle>) -> wasmtime::Result<()> {
        self.disown();
        Ok(())
    }
}

impl gateway::HostInput for Guest {
    async fn read(
        &mut self,
        this: Resource<InputHandle>,
        max: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, gateway::InputError>> {
        let Some(request) = self.request(this.rep()) else { return Ok(Err(gateway::InputError::Closed)) };
        if request.client.has_left() {
            return Ok(Err(gateway::InputError::Closed));
        }
        match request.input.read(max).await {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(InputError::Closed) => {
                request.client.leave();
                Ok(Err(gateway::InputError::Closed))
            }
            Err(InputError::TooLarge) => Ok(Err(gateway::InputError::TooLarge)),
            Err(InputError::TimedOut) => Ok(Err(gateway::InputError::TimedOut)),
            // Not the guest's to handle: half a body is no body.
            Err(error @ InputError::Spool(_)) => Err(error.into()),
        }
    }

    fn drop(&mut self, _this: Resource<InputHandle>) -> wasmtime::Result<()> {
        self.disown();
        Ok(())
    }
}

impl gateway::HostStartResponse for Guest {
    fn call(
        &mut self,
        this: Resource<StartResponseHandle>,
        status: String,
        headers: Vec<(String, String)>,
        exc_info: Option<String>,
    ) -> wasmtime::Result<Result<Resource<WriterHandle>, gateway::StartError>> {
        if let Some(error) = &exc_info {
            self.output.write(Channel::Errors, format!("start_response was told of an error: {error}\n").as_bytes());
        }
        let terms = Arc::clone(&self.terms);
        let rep = this.rep();
        let Some(request) = self.request(rep).filter(|request| !request.client.has_left()) else {
            return Ok(Err(gateway::StartError::Closed));
        };
        let head = Head::parse(&status, &headers, &terms.limits);
        Ok(match request.response.call(head, exc_info.is_some()) {
            Ok(()) => Ok(self.own(rep)),
            Err(refused) => Err(refused.into()),
        })
    }

    fn drop(&mut self, _this: Resource<StartResponseHandle>) -> wasmtime::Result<()> {
        self.disown();
        Ok(())
    }
}

impl gateway::HostWriter for Guest {
    async fn write(
        &mut self,
        this: Resource<WriterHandle>,
        chunk: Vec<u8>,
    ) -> wasmtime::Result<Result<(), gateway::WriteError>> {
        let chunk_max = self.terms.limits.write_chunk_max.bytes();
        let Some(request) = self.request(this.rep()) else { return Ok(Err(gateway::WriteError::Closed)) };
        let length = chunk.len() as u64;
        if length > chunk_max {
            return Ok(Err(gateway::WriteError::TooLarge(chunk_max)));
        }
        if length == 0 {
            return Ok(if request.client.has_left() { Err(gateway::WriteError::Closed) } else { Ok(()) });
        }
        let write = match request.response.write(length) {
            Ok(write) => write,
            Err(refused) => return Ok(Err(refused.into())),
        };
        // Last, since a client that has the whole body counts as gone too: what is past it is refused the same way
        // whether the client was told of the end a moment before or not.
        if request.client.has_left() {
            return Ok(Err(gateway::WriteError::Closed));
        }
        if let Some(head) = write.commit {
            request.outlet.commit(*head, &request.client, write.send);
        }
        if !write.send {
            return Ok(Ok(()));
        }
        match &request.outlet.body {
            Some(body) => Ok(body.chunks.send(Bytes::from(chunk)).await.map_err(|_gone| gateway::WriteError::Closed)),
            None => Ok(Err(gateway::WriteError::Closed)),
        }
    }

    fn drop(&mut self, _this: Resource<WriterHandle>) -> wasmtime::Result<()> {
        self.disown();
        Ok(())
    }
}

impl From<StartRefused> for gateway::StartError {
    fn from(refused: StartRefused) -> Self {
        match refused {
            StartRefused::AlreadyCalled => Self::AlreadyCalled,
            StartRefused::HeadSent => Self::HeadSent,
            StartRefused::Head(HeadError::BadStatus(why)) => Self::BadStatus(why),
            StartRefused::Head(HeadError::BadHeader(why)) => Self::BadHeader(why),
            StartRefused::Head(HeadError::TooLarge(why)) => Self::TooLarge(why),
        }
    }
}

impl From<WriteRefused> for gateway::WriteError {
    fn from(refused: WriteRefused) -> Self {
        match refused {
            WriteRefused::PastContentLength => Self::PastContentLength,
            WriteRefused::NoBodyAllowed => Self::NoBodyAllowed,
        }
    }
}
