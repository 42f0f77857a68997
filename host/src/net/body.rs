//! Takes a request body off the connection, so that a slow client holds no instance.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body::Body;
use http_body_util::BodyExt as _;

use crate::config::RequestBody;
use crate::input::{Input, InputError, Trailers};
use crate::limits::Size;
use crate::net::spool::{Held, Spool, SpoolFull};
use crate::own_threads;

/// Why a body could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Longer than the app's `body-max`.
    #[error("the request body is over body-max ({0})")]
    TooLarge(Size),
    /// Nothing came for `body-idle-max`.
    #[error("no part of the request body came within body-idle-max")]
    TooSlow,
    /// The client left, or what it sent is no body.
    #[error("the request body broke off: {0}")]
    Broken(String),
    /// No room on the spool for now.
    #[error(transparent)]
    SpoolFull(#[from] SpoolFull),
    /// The spool's disk failed.
    #[error("cannot spool the request body: {0}")]
    Spool(io::Error),
}

/// How a body is to be taken.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Whether the guest waits for the whole body.
    pub mode: RequestBody,
    /// What the request's Content-Length says.
    pub length: Option<u64>,
    /// Longest body.
    pub body_max: Size,
    /// Longest body that is kept in memory.
    pub memory_max: Size,
    /// Longest wait for the next part of it.
    pub idle_max: Duration,
    /// Where larger bodies go.
    pub spool: &'a Spool,
}

impl Plan<'_> {
    /// Refuses what its length alone refuses. Called before the body is touched, since it is the
    /// first read that makes hyper send `100 Continue` (PEP 3333 rule 69).
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] or [`BodyError::SpoolFull`].
    pub fn admit(&self) -> Result<(), BodyError> {
        let Some(length) = self.length else { return Ok(()) };
        if length > self.body_max.bytes() {
            return Err(BodyError::TooLarge(self.body_max));
        }
        if self.mode == RequestBody::Buffer && length > self.memory_max.bytes() {
            self.spool.hold().grow(length)?;
        }
        Ok(())
    }

    /// Takes the body: all of it, or a stream of it if the app asked for that.
    ///
    /// # Errors
    /// [`BodyError`]; the connection can then serve no more requests.
    pub async fn receive<B>(&self, body: B) -> Result<Input, BodyError>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        fail::fail_point!("body_read", |_| Err(BodyError::Broken("failure point".into())));
        if body.is_end_stream() {
            return Ok(Input::from_bytes(Bytes::new()));
        }
        let trailers = Arc::<Trailers>::default();
        let source = Source {
            body: Box::pin(body),
            idle_max: self.idle_max,
            left: self.body_max.bytes(),
            max: self.body_max,
            trailers: Arc::clone(&trailers),
        };
        let input = match self.mode {
            RequestBody::Stream => source.into_input(),
            // Boxed, so that requests without a body carry no room for this.
            RequestBody::Buffer => Box::pin(self.buffer(source)).await?,
        };
        Ok(input.with_trailers(trailers))
    }

    async fn buffer<B>(&self, mut source: Source<B>) -> Result<Input, BodyError>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync>,
    {
        let Some(first) = source.next().await? else { return Ok(Input::from_bytes(Bytes::new())) };
        // Most bodies come in one piece, which then is never copied.
        let Some(second) = source.next().await? else { return self.single(first).await };
        let mut memory = BytesMut::from(first);
        memory.extend_from_slice(&second);
        while memory.len() as u64 <= self.memory_max.bytes() {
            match source.next().await? {
                Some(chunk) => memory.extend_from_slice(&chunk),
                None => return Ok(Input::from_bytes(memory.freeze())),
            }
        }
        self.spool(memory, source).await
    }

    async fn single(&self, only: Bytes) -> Result<Input, BodyError> {
        if only.len() as u64 <= self.memory_max.bytes() {
            return Ok(Input::from_bytes(only));
        }
        let mut spooling = Spooling::start(self.spool).await?;
        spooling.write(only).await?;
        spooling.finish().await
    }

    async fn spool<B>(&self, mut memory: BytesMut, mut source: Source<B>) -> Result<Input, BodyError>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync>,
    {
        let mut spooling = Spooling::start(self.spool).await?;
        loop {
            // On its way to disk a body takes no more memory than one that stays in it.
            if memory.len() as u64 > self.memory_max.bytes() {
                spooling.write(memory.split().freeze()).await?;
            }
            match source.next().await? {
                Some(chunk) => memory.extend_from_slice(&chunk),
                None => break,
            }
        }
        spooling.write(memory.freeze()).await?;
        spooling.finish().await
    }
}

/// The body as it arrives, held to its length and pace.
struct Source<B> {
    body: Pin<Box<B>>,
    idle_max: Duration,
    left: u64,
    max: Size,
    trailers: Arc<Trailers>,
}

impl<B> Source<B>
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync>,
{
    /// The next part, never empty; trailers are put aside.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let frame =
                tokio::time::timeout(self.idle_max, self.body.frame()).await.map_err(|_elapsed| BodyError::TooSlow)?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    // There are none but the first.
                    frame.into_trailers().into_iter().for_each(|trailers| drop(self.trailers.set(trailers)));
                    continue;
                }
            };
            self.left = self.left.checked_sub(data.len() as u64).ok_or(BodyError::TooLarge(self.max))?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    fn into_input(self) -> Input
    where
        B: Send + 'static,
    {
        let parts = stream::unfold(self, |mut source| async {
            let part = source.next().await.map_err(|error| match error {
                BodyError::TooLarge(_) => InputError::TooLarge,
                BodyError::TooSlow => InputError::TimedOut,
                BodyError::Broken(_) | BodyError::SpoolFull(_) | BodyError::Spool(_) => InputError::Closed,
            });
            part.transpose().map(|part| (part, source))
        });
        Input::from_stream(Box::pin(parts))
    }
}

/// A body on its way to disk. The writes happen on the host's own threads, one at a time.
struct Spooling {
    file: File,
    held: Held,
    length: u64,
}

impl Spooling {
    async fn start(spool: &Spool) -> Result<Self, BodyError> {
        let held = spool.hold();
        let maker = spool.clone();
        let file = blocking(move || maker.file()).await?;
        Ok(Self { file, held, length: 0 })
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), BodyError> {
        self.held.grow(bytes.len() as u64)?;
        self.length += bytes.len() as u64;
        let mut file = self.file.try_clone().map_err(BodyError::Spool)?;
        blocking(move || {
            fail::fail_point!("body_write", |_| Err(io::Error::other("failure point")));
            file.write_all(&bytes)
        })
        .await
    }

    async fn finish(mut self) -> Result<Input, BodyError> {
        self.file.rewind().map_err(BodyError::Spool)?;
        Ok(Input::from_file(self.file, self.length, Box::new(self.held)))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, BodyError> {
    match own_threads::spawn(work).await {
        Ok(done) => done.map_err(BodyError::Spool),
        Err(error) => Err(BodyError::Spool(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::HeaderMap;
    use http_body_util::StreamBody;
    use tempfile::TempDir;

    use super::*;

    fn chunks(count: usize, size: usize) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
        let frames = (0..count).map(move |_| Ok(http_body::Frame::data(Bytes::from(vec![b'x'; size]))));
        StreamBody::new(stream::iter(frames))
    }

    fn plan(spool: &Spool, mode: RequestBody) -> Plan<'_> {
        Plan {
            mode,
            length: None,
            body_max: Size::from_bytes(1000),
            memory_max: Size::from_bytes(100),
            idle_max: Duration::from_secs(5),
            spool,
        }
    }

    fn spool(max: u64) -> (TempDir, Spool) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), Size::from_bytes(max)).unwrap();
        (dir, spool)
    }

    async fn length(input: &mut Input) -> Result<usize, InputError> {
        let mut length = 0;
        loop {
            match input.read(64).await?.len() {
                0 => return Ok(length),
                read => length += read,
            }
        }
    }

    #[tokio::test]
    async fn bodies_stay_in_memory_up_to_the_limit_and_spool_past_it() {
        let (_dir, spool) = spool(1000);
        for (count, size, spooled) in
            [(0, 0, false), (1, 100, false), (2, 50, false), (1, 101, true), (3, 50, true), (10, 100, true)]
        {
            let mut input = plan(&spool, RequestBody::Buffer).receive(chunks(count, size)).await.unwrap();
            assert_eq!(format!("{input:?}").contains("spooled"), spooled, "{count} x {size}");
            assert_eq!(input.length(), Some((count * size) as u64));
            assert_eq!(length(&mut input).await, Ok(count * size));
        }
        spool.hold().grow(1000).expect("all of the budget is back");
    }

    #[tokio::test]
    async fn trailers_are_there_when_the_body_has_been_read() {
        let (_dir, spool) = spool(1000);
        let sent = HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("x"))]);
        for mode in [RequestBody::Buffer, RequestBody::Stream] {
            for size in [3, 300] {
                let body = http_body_util::Full::new(Bytes::from(vec![b'x'; size]));
                let trailers = sent.clone();
                let body = body.with_trailers(async move { Some(Ok(trailers)) });
                let mut input = plan(&spool, mode).receive(body).await.unwrap();
                assert_eq!(length(&mut input).await, Ok(size));
                assert_eq!(input.trailers(), Some(&sent), "{mode:?}, {size}");
            }
            let mut without = plan(&spool, mode).receive(chunks(2, 5)).await.unwrap();
            assert_eq!((length(&mut without).await, without.trailers()), (Ok(10), None));
        }
    }

    #[tokio::test]
    async fn a_body_past_its_limit_is_refused_in_both_modes() {
        let (_dir, spool) = spool(5000);
        let refused = plan(&spool, RequestBody::Buffer).receive(chunks(11, 91)).await.unwrap_err();
        assert!(matches!(refused, BodyError::TooLarge(_)), "1001 bytes");
        let mut input = plan(&spool, RequestBody::Stream).receive(chunks(11, 91)).await.unwrap();
        assert_eq!(length(&mut input).await, Err(InputError::TooLarge));
        plan(&spool, RequestBody::Buffer).receive(chunks(10, 100)).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_spool_refuses() {
        let (_dir, spool) = spool(150);
        let _kept = plan(&spool, RequestBody::Buffer).receive(chunks(1, 120)).await.unwrap();
        let refused = plan(&spool, RequestBody::Buffer).receive(chunks(1, 120)).await.unwrap_err();
        assert!(matches!(refused, BodyError::SpoolFull(_)));
    }

    #[tokio::test]
    async fn a_length_that_cannot_be_taken_is_refused_before_the_first_read() {
        let (_dir, spool) = spool(500);
        let with = |length| Plan { length: Some(length), ..plan(&spool, RequestBody::Buffer) };
        assert!(with(500).admit().is_ok());
        assert!(matches!(with(501).admit(), Err(BodyError::SpoolFull(_))));
        assert!(matches!(with(1001).admit(), Err(BodyError::TooLarge(_))));
    }

    #[test]
    fn bodies_do_not_wait_for_file_calls_of_guests() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build();
        let (end, until_end) = std::sync::mpsc::channel::<()>();
        runtime.unwrap().block_on(async {
            // Where guests' calls run too, nothing is free.
            let hangs = tokio::task::spawn_blocking(move || until_end.recv());
            let (_dir, spool) = spool(1000);
            let received = async {
                let mut input = plan(&spool, RequestBody::Buffer).receive(chunks(3, 50)).await.unwrap();
                length(&mut input).await
            };
            let received = tokio::time::timeout(Duration::from_secs(60), received).await;
            drop(end);
            hangs.await.unwrap().unwrap_err();
            assert_eq!(received.expect("it does not hang").unwrap(), 150);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_is_not_waited_for() {
        let (_dir, spool) = spool(500);
        let silent = || StreamBody::new(stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>());
        let refused = plan(&spool, RequestBody::Buffer).receive(silent()).await.unwrap_err();
        assert!(matches!(refused, BodyError::TooSlow));
        let mut input = plan(&spool, RequestBody::Stream).receive(silent()).await.unwrap();
        assert_eq!(length(&mut input).await, Err(InputError::TimedOut));
    }
}
