//! The request body as a guest reads it: `wsgi.input`, wherever its bytes lie.

use std::fs::File;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::{Buf as _, Bytes};
use futures_util::{Stream, StreamExt as _};
use http::HeaderMap;

use crate::own_threads;

/// Most bytes that one read returns, whatever the guest asks for: bounds the copy that is made.
const READ_MAX: usize = 256 * 1024;

/// Why the body cannot be read on. Final: every later read says the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The client left or broke off the body.
    #[error("the client broke off the request body")]
    Closed,
    /// A streamed body has passed `body-max`.
    #[error("the request body is over body-max")]
    TooLarge,
    /// The client sent nothing for longer than `body-idle-max`.
    #[error("the client sent no part of the request body for body-idle-max")]
    TimedOut,
    /// The host could not read back what it had spooled.
    #[error("the spooled request body cannot be read: {0}")]
    Spool(String),
}

/// Body bytes as they arrive, for an app that asked for streaming.
pub type InputStream = Pin<Box<dyn Stream<Item = Result<Bytes, InputError>> + Send>>;

/// What a spooled body counts against, given back when the body is dropped.
pub trait Reservation: Send + Sync + std::fmt::Debug {}

/// What follows a body: set, if there is anything, by the time the body has ended.
pub type Trailers = OnceLock<HeaderMap>;

/// The request body: at most one per request, read once from start to end.
pub struct Input {
    source: Source,
    trailers: Option<Arc<Trailers>>,
}

enum Source {
    Memory(Bytes),
    Spooled { file: File, left: u64, _reservation: Box<dyn Reservation> },
    Streamed { stream: InputStream, rest: Bytes },
    Failed(InputError),
}

impl Input {
    /// A body that lies in memory; empty for a request without one.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::of(Source::Memory(bytes))
    }

    /// A body of `length` bytes in `file`, read from its present position.
    pub fn from_file(file: File, length: u64, reservation: Box<dyn Reservation>) -> Self {
        Self::of(Source::Spooled { file, left: length, _reservation: reservation })
    }

    /// A body that is still arriving.
    pub fn from_stream(stream: InputStream) -> Self {
        Self::of(Source::Streamed { stream, rest: Bytes::new() })
    }

    fn of(source: Source) -> Self {
        Self { source, trailers: None }
    }

    /// The same body, followed by what will be in `trailers`.
    #[must_use]
    pub fn with_trailers(mut self, trailers: Arc<Trailers>) -> Self {
        self.trailers = Some(trailers);
        self
    }

    /// What follows the body, if anything does. Only after its end is that known for sure.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()?.get()
    }

    /// The body's length, if it is known before reading.
    pub fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Memory(bytes) => Some(bytes.len() as u64),
            Source::Spooled { left, .. } => Some(*left),
            Source::Streamed { .. } | Source::Failed(_) => None,
        }
    }

    /// The next 1 to `max` bytes, or none at the end of the body and ever after (PEP 3333 rules 32
    /// and 34). Waits only for a streamed body's client and for the disk.
    ///
    /// # Errors
    /// [`InputError`], which every later read repeats.
    pub async fn read(&mut self, max: u64) -> Result<Vec<u8>, InputError> {
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(READ_MAX);
        if max == 0 {
            return Ok(Vec::new());
        }
        let read = match &mut self.source {
            Source::Memory(bytes) => Ok(take(bytes, max)),
            Source::Spooled { file, left, .. } => read_file(file, left, max).await,
            Source::Streamed { stream, rest } => read_stream(stream, rest, max).await,
            Source::Failed(error) => Err(error.clone()),
        };
        match &read {
            Err(error) => self.source = Source::Failed(error.clone()),
            // A stream must not be asked again after its end.
            Ok(bytes) if bytes.is_empty() => self.source = Source::Memory(Bytes::new()),
            Ok(_) => {}
        }
        read
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match &self.source {
            Source::Memory(_) => "memory",
            Source::Spooled { .. } => "spooled",
            Source::Streamed { .. } => "streamed",
            Source::Failed(_) => "failed",
        };
        f.debug_struct("Input").field("place", &place).field("length", &self.length()).finish()
    }
}

fn take(bytes: &mut Bytes, max: usize) -> Vec<u8> {
    let taken = bytes[..bytes.len().min(max)].to_vec();
    bytes.advance(taken.len());
    taken
}

async fn read_stream(stream: &mut InputStream, rest: &mut Bytes, max: usize) -> Result<Vec<u8>, InputError> {
    while rest.is_empty() {
        match stream.next().await {
            Some(chunk) => *rest = chunk?,
            None => return Ok(Vec::new()),
        }
    }
    Ok(take(rest, max))
}

async fn read_file(file: &mut File, left: &mut u64, max: usize) -> Result<Vec<u8>, InputError> {
    if *left == 0 {
        return Ok(Vec::new());
    }
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(max);
    let mut file = file.try_clone().map_err(spool_error)?;
    // Clones share the position, so the read on the blocking thread moves the original on too.
    let bytes = own_threads::spawn(move || {
        fail::fail_point!("spool_read", |_| Err(std::io::Error::other("failure point")));
        let mut bytes = vec![0; wanted];
        file.read_exact(&mut bytes).map(|()| bytes)
    })
    .await
    .map_err(spool_error)?
    .map_err(spool_error)?;
    *left -= bytes.len() as u64;
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn spool_error(error: impl ToString) -> InputError {
    InputError::Spool(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use futures_util::stream;

    use super::*;

    #[derive(Debug)]
    struct Nothing;
    impl Reservation for Nothing {}

    async fn read_all(input: &mut Input, max: u64) -> Result<Vec<u8>, InputError> {
        let mut all = Vec::new();
        loop {
            let bytes = input.read(max).await?;
            if bytes.is_empty() {
                assert_eq!(input.read(max).await, Ok(Vec::new()), "the end stays the end");
                return Ok(all);
            }
            assert!(bytes.len() as u64 <= max);
            all.extend(bytes);
        }
    }

    #[tokio::test]
    async fn all_sources_read_alike() {
        let body: Vec<u8> = (0..=255).cycle().take(3 * READ_MAX + 7).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&body).unwrap();
        file.rewind().unwrap();
        let chunks: Vec<_> = body.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let sources = [
            Input::from_bytes(body.clone().into()),
            Input::from_file(file, body.len() as u64, Box::new(Nothing)),
            // `unfold` panics when it is polled after its end.
            Input::from_stream(Box::pin(stream::unfold(chunks.into_iter(), async |mut chunks| {
                chunks.next().map(|chunk| (chunk, chunks))
            }))),
        ];
        for mut input in sources {
            assert_eq!(input.read(0).await, Ok(Vec::new()));
            assert_eq!(input.read(1).await, Ok(vec![0]));
            assert_eq!(read_all(&mut input, 70_000).await.unwrap(), body[1..]);
        }
    }

    #[tokio::test]
    async fn an_error_is_final() {
        let chunks = [Ok(Bytes::from_static(b"ab")), Err(InputError::TooLarge), Ok(Bytes::from_static(b"c"))];
        let mut input = Input::from_stream(Box::pin(stream::iter(chunks)));
        assert_eq!(input.read(9).await, Ok(b"ab".to_vec()));
        assert_eq!(input.read(9).await, Err(InputError::TooLarge));
        assert_eq!(input.read(9).await, Err(InputError::TooLarge));
    }
}
