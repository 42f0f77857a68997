//! A CGI program's standard input and output: the request's body on the one, the response on the other.
//!
//! The response takes the same way as that of a gateway app: through the state machine of `start_response.rs` and the
//! outlet of `host_calls.rs`, so that all that holds there holds here.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use http::uri::PathAndQuery;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::sync::PollSender;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::cgi::{CgiError, HeadReader, Printed};
use crate::client::Client;
use crate::head::Head;
use crate::input::{Input, InputError};
use crate::limits::AppLimits;
use crate::reply::{Cut, Last, Reply};
use crate::sandbox::fault::Fault;
use crate::sandbox::host_calls::Outlet;
use crate::sandbox::start_response::{Finish, Misuse, StartResponse};

/// Both streams of one request. Clones share them.
#[derive(Clone)]
pub(crate) struct Program {
    stdin: Stdin,
    stdout: Stdout,
}

/// How a program's run ends.
pub(crate) enum Ended {
    /// With this head and no body.
    Bare(Box<Head>),
    /// All of it is on its way.
    Sent,
    /// With a local redirect.
    Elsewhere(PathAndQuery),
}

impl Program {
    /// Streams for a request with this body, whose head goes out through `head`.
    pub(crate) fn new(
        limits: &AppLimits,
        input: Input,
        (client, head_only): (&Arc<Client>, bool),
        head: oneshot::Sender<Reply>,
    ) -> Self {
        let reader = Reader { state: State::Resting(input), client: Arc::clone(client) };
        let writer = Writer {
            stage: Stage::Head(HeadReader::new(limits.head_size_max)),
            limits: limits.clone(),
            response: StartResponse::new(head_only),
            outlet: Outlet::new(head),
            chunks: None,
            has_room: false,
            client: Arc::clone(client),
            told_closed: false,
        };
        Self { stdin: Stdin(Arc::new(Mutex::new(reader))), stdout: Stdout(Arc::new(Mutex::new(Some(writer)))) }
    }

    pub(crate) fn stdin(&self) -> Stdin {
        self.stdin.clone()
    }

    pub(crate) fn stdout(&self) -> Stdout {
        self.stdout.clone()
    }

    /// The program has ended, so that nothing more is printed.
    ///
    /// # Errors
    /// Its own fault, or one of what it printed. The body is cut.
    pub(crate) fn end(&self, run: Result<(), Fault>) -> Result<Ended, Fault> {
        // Taken out: the guest may hold streams for as long as its store lives.
        let writer = lock(&self.stdout.0).take();
        writer.map_or(Err(Misuse::NoHead(None).into()), |writer| writer.end(run))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves behind is a stream that is broken off.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken_off() -> StreamError {
    StreamError::LastOperationFailed(io::Error::new(io::ErrorKind::ConnectionReset, "the client has left").into())
}

// === standard input ===

/// Standard input of a program.
#[derive(Clone)]
pub(crate) struct Stdin(Arc<Mutex<Reader>>);

struct Reader {
    state: State,
    client: Arc<Client>,
}

/// Where the reading of a body stands.
enum State {
    Resting(Input),
    /// A read that was begun is finished, whoever stops waiting for it.
    Reading(Reading),
    Read(Bytes, Input),
    Ended(Result<(), InputError>),
}

type Reading = Pin<Box<dyn Future<Output = (Input, Result<Vec<u8>, InputError>)> + Send>>;

/// Bytes that are read ahead of what the program asks for.
const READ: u64 = 64 * 1024;

impl Reader {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let (next, polled) = match std::mem::replace(&mut self.state, State::Ended(Ok(()))) {
                State::Resting(mut input) => {
                    let read = async move {
                        let read = input.read(READ).await;
                        (input, read)
                    };
                    (State::Reading(Box::pin(read)), None)
                }
                State::Reading(mut reading) => match reading.as_mut().poll(context) {
                    Poll::Pending => (State::Reading(reading), Some(Poll::Pending)),
                    Poll::Ready((_, Ok(bytes))) if bytes.is_empty() => (State::Ended(Ok(())), None),
                    Poll::Ready((input, Ok(bytes))) => (State::Read(bytes.into(), input), None),
                    Poll::Ready((_, Err(error))) => (State::Ended(Err(error)), None),
                },
                state => (state, Some(Poll::Ready(()))),
            };
            self.state = next;
            if let State::Ended(Err(InputError::Closed)) = self.state {
                self.client.leave();
            }
            if let Some(polled) = polled {
                return polled;
            }
        }
    }

    /// What has been read, at most `size` bytes; none if nothing has.
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.client.has_left() {
            return Err(broken_off());
        }
        match &mut self.state {
            State::Resting(_) | State::Reading(_) => Ok(Bytes::new()),
            State::Ended(Ok(())) => Err(StreamError::Closed),
            // Not the program's to handle: half a body is no body.
            State::Ended(Err(error @ InputError::Spool(_))) => Err(StreamError::Trap(error.clone().into())),
            State::Ended(Err(error)) => Err(StreamError::LastOperationFailed(io::Error::other(error.clone()).into())),
            State::Read(bytes, _) => {
                let taken = bytes.split_to(bytes.len().min(size));
                if bytes.is_empty() {
                    self.rest();
                }
                Ok(taken)
            }
        }
    }

    fn rest(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended(Ok(()))) {
            State::Read(_, input) => State::Resting(input),
            state => state,
        };
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| lock(&self.0).poll_ready(context)).await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        lock(&self.0).read(size)
    }
}

impl AsyncRead for Stdin {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut reader = lock(&self.0);
        ready!(reader.poll_ready(context));
        match reader.read(buffer.remaining()) {
            Ok(bytes) => buffer.put_slice(&bytes),
            Err(StreamError::Closed) => {}
            Err(error) => return Poll::Ready(Err(io::Error::other(error.to_string()))),
        }
        Poll::Ready(Ok(()))
    }
}

// === standard output ===

/// Standard output of a program.
#[derive(Clone)]
pub(crate) struct Stdout(Arc<Mutex<Option<Writer>>>);

struct Writer {
    stage: Stage,
    limits: AppLimits,
    response: StartResponse,
    outlet: Outlet,
    /// Where the body goes, once there is one.
    chunks: Option<PollSender<Bytes>>,
    /// Whether there is room for one more chunk.
    has_room: bool,
    client: Arc<Client>,
    /// Whether the program knows that its client is gone.
    told_closed: bool,
}

/// What is being printed.
enum Stage {
    Head(HeadReader),
    /// Only what has a type may have a body.
    Body {
        is_typed: bool,
    },
    Elsewhere(PathAndQuery),
}

impl Writer {
    /// Resolves when a write would be taken, or would fail.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_room || self.client.has_left() {
            return Poll::Ready(());
        }
        if let Some(chunks) = &mut self.chunks {
            self.has_room = ready!(chunks.poll_reserve(context)).is_ok();
        }
        Poll::Ready(())
    }

    /// How many bytes would be taken now.
    fn check(&mut self) -> StreamResult<usize> {
        let room = self.limits.write_chunk_max.to_usize();
        if self.chunks.is_none() {
            return if self.client.has_left() { self.closed() } else { Ok(room) };
        }
        let polled = self.poll_ready(&mut Context::from_waker(Waker::noop()));
        match polled {
            _ if self.client.has_left() => self.closed(),
            Poll::Ready(()) if self.has_room => Ok(room),
            // The stream was dropped, which is how a client leaves.
            Poll::Ready(()) => self.closed(),
            Poll::Pending => Ok(0),
        }
    }

    fn closed<T>(&mut self) -> StreamResult<T> {
        self.told_closed = true;
        Err(StreamError::Closed)
    }

    fn write(&mut self, mut bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check()? {
            return Err(StreamError::trap("a write to stdout is larger than the room that it was told of"));
        }
        let misuse = |misuse: Misuse| StreamError::Trap(misuse.into());
        if let Stage::Head(reader) = &mut self.stage {
            let Some(end) = reader.push(&bytes).map_err(|error| misuse(error.into()))? else { return Ok(()) };
            bytes.advance(end);
            self.stage = match reader.finish(&self.limits).map_err(|error| misuse(error.into()))? {
                Printed::Document { head, is_typed } => {
                    // The first call with a head that was parsed: never refused.
                    let _ = self.response.call(Ok(*head), false);
                    Stage::Body { is_typed }
                }
                Printed::Elsewhere(target) => Stage::Elsewhere(target),
            };
        }
        if bytes.is_empty() { Ok(()) } else { self.write_body(bytes).map_err(misuse) }
    }

    fn write_body(&mut self, bytes: Bytes) -> Result<(), Misuse> {
        match self.stage {
            Stage::Elsewhere(_) => return Err(CgiError::BodyElsewhere.into()),
            Stage::Body { is_typed: false } => return Err(CgiError::Untyped.into()),
            Stage::Head(_) | Stage::Body { is_typed: true } => {}
        }
        let write = self.response.write(bytes.len() as u64)?;
        if let Some(head) = write.commit {
            self.outlet.commit(*head, &self.client, write.send);
            self.chunks = self.outlet.chunks().map(PollSender::new);
            // The first chunk of an empty channel.
            let _ = self.poll_ready(&mut Context::from_waker(Waker::noop()));
        }
        if let Some(chunks) = self.chunks.as_mut().filter(|_| write.send) {
            self.has_room = false;
            // Fails if the client has gone meanwhile, which the next write is told.
            let _ = chunks.send_item(bytes);
        }
        Ok(())
    }

    fn end(mut self, run: Result<(), Fault>) -> Result<Ended, Fault> {
        let ended = match run {
            Ok(()) => self.finish(),
            Err(fault) => Err(fault),
        };
        // The stream ends when nobody can send to it any more.
        drop(self.chunks);
        match ended {
            Ok(ended) => {
                self.outlet.end(Ok(Last::Bytes(Bytes::new())));
                Ok(ended)
            }
            Err(fault) => {
                self.outlet.end(Err(Cut));
                // To give up in any way is what a program does whose writes fail.
                let gives_up = matches!(fault, Fault::Failed(_) | Fault::Trap(_) | Fault::Misuse(_));
                Err(if self.told_closed && gives_up { Fault::ClientLeft } else { fault })
            }
        }
    }

    fn finish(&mut self) -> Result<Ended, Fault> {
        match std::mem::replace(&mut self.stage, Stage::Body { is_typed: false }) {
            Stage::Head(reader) if reader.is_empty() => Err(Misuse::NoHead(None).into()),
            Stage::Head(_) => Err(Misuse::from(CgiError::Unended).into()),
            Stage::Elsewhere(target) => Ok(Ended::Elsewhere(target)),
            Stage::Body { .. } => Ok(match self.response.finish(0)? {
                Finish::Whole(head) => Ended::Bare(head),
                Finish::Rest { .. } => Ended::Sent,
            }),
        }
    }
}

impl Stdout {
    fn with<T>(&self, act: impl FnOnce(&mut Writer) -> StreamResult<T>) -> StreamResult<T> {
        lock(&self.0).as_mut().map_or(Err(StreamError::Closed), act)
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        lock(&self.0).as_mut().map_or(Poll::Ready(()), |writer| writer.poll_ready(context))
    }
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }
}

impl OutputStream for Stdout {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.with(|writer| writer.write(bytes))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.with(Writer::check)
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll(context));
        let written = self.with(|writer| {
            let taken = writer.check()?.min(bytes.len());
            writer.write(Bytes::copy_from_slice(&bytes[..taken]))?;
            Ok(taken)
        });
        Poll::Ready(written.map_err(|error| io::Error::other(error.to_string())))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
