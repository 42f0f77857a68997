//! A connection that is not waited for without end.
//!
//! hyper has one timer for idling and for the head, and none before it knows the protocol; these
//! are the four that an operator expects: first byte, head, idle, and a client that reads nothing.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::limits::HostLimits;

/// How long each kind of silence may last.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    first_byte: Duration,
    head: Duration,
    idle: Duration,
    send_idle: Duration,
}

impl Patience {
    /// As the operator has set it.
    pub fn new(limits: &HostLimits) -> Self {
        Self {
            first_byte: limits.first_byte_max.into(),
            head: limits.header_read_max.into(),
            idle: limits.idle_max.into(),
            send_idle: limits.send_idle_max.into(),
        }
    }
}

/// What a connection is doing: shared between its bytes and its requests.
#[derive(Debug)]
pub struct Activity {
    in_flight: AtomicUsize,
    phase: Mutex<(Phase, Instant)>,
    /// How many of the first bytes are those of an HTTP/2 preface.
    preface: AtomicUsize,
    /// Whether a request was refused with its body unread.
    refused: AtomicBool,
    /// Whether the connection is to be reset rather than closed.
    reset: AtomicBool,
}

/// What the next byte from the client would be, and since when it is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first of the connection.
    FirstByte,
    /// The rest of a request's head.
    Head,
    /// The first of a further request.
    Idle,
    /// Any: in HTTP/2 requests do not take turns.
    Frames,
}

/// A request that is being served on a connection.
#[derive(Debug)]
pub struct InFlight(Arc<Activity>);

impl Activity {
    fn start() -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            phase: Mutex::new((Phase::FirstByte, Instant::now())),
            preface: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            reset: AtomicBool::new(false),
        })
    }

    /// Marks a request as being served until the guard is dropped; meanwhile the client may be silent.
    pub fn serve(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(Arc::clone(self))
    }

    /// A request was refused before all of it was read.
    pub fn refuse(&self) {
        self.refused.store(true, Ordering::Release);
    }

    /// Whether the client may still be sending what nobody will read. Closing at once would make the
    /// kernel reset the connection, and with it the reply that says why.
    fn must_linger(&self) -> bool {
        self.refused.load(Ordering::Acquire) || self.phase().0 == Phase::Head
    }

    /// Whether the connection is between two requests, or before its first.
    pub fn is_quiet(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0 && !matches!(self.phase().0, Phase::Head)
    }

    fn phase(&self) -> MutexGuard<'_, (Phase, Instant)> {
        // Plain values, whole at any time.
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection's first bytes, of which `bytes` are the next, open HTTP/2.
    fn is_http2(&self, bytes: &[u8]) -> bool {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let before = self.preface.load(Ordering::Relaxed);
        let Some(rest) = PREFACE.get(before..) else { return false };
        let common = rest.len().min(bytes.len());
        let after = if rest[..common] == bytes[..common] { before + common } else { usize::MAX };
        self.preface.store(after, Ordering::Relaxed);
        after == PREFACE.len() && common > 0
    }

    /// Bytes have come.
    fn heard(&self, bytes: &[u8]) {
        if self.in_flight.load(Ordering::Acquire) > 0 {
            return;
        }
        let mut phase = self.phase();
        phase.0 = match phase.0 {
            Phase::FirstByte | Phase::Head if self.is_http2(bytes) => Phase::Frames,
            Phase::FirstByte | Phase::Idle => Phase::Head,
            // Neither a head in drips nor frames that carry no request gain time.
            Phase::Head | Phase::Frames => return,
        };
        phase.1 = Instant::now();
    }

    /// When patience ends; never while a request is served.
    fn deadline(&self, patience: &Patience) -> Option<Instant> {
        if self.in_flight.load(Ordering::Acquire) > 0 {
            return None;
        }
        let (phase, since) = *self.phase();
        let most = match phase {
            Phase::FirstByte => patience.first_byte,
            Phase::Head => patience.head,
            Phase::Idle | Phase::Frames => patience.idle,
        };
        Some(since + most)
    }
}

impl InFlight {
    /// Has the connection reset when it ends, so that the client cannot take its end for the body's.
    pub fn reset_connection(&self) {
        self.0.reset.store(true, Ordering::Release);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut phase = self.0.phase();
            let next = if phase.0 == Phase::Frames { Phase::Frames } else { Phase::Idle };
            *phase = (next, Instant::now());
        }
    }
}

/// A stream whose end can be made abrupt.
pub trait Reset {
    /// Makes the close of this stream a reset, if its kind has that.
    fn reset_on_close(&self);
}

/// A stream that fails with [`io::ErrorKind::TimedOut`] when patience ends.
#[derive(Debug)]
pub struct Timed<S: Reset> {
    stream: S,
    patience: Patience,
    activity: Arc<Activity>,
    read_timer: Pin<Box<Sleep>>,
    /// Armed while a write makes no progress.
    write_timer: Option<Pin<Box<Sleep>>>,
    /// Armed while the connection lingers, with the bytes read and dropped so far.
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

/// How long a refused client is listened to, and how much it may still send.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 16 << 20;

impl<S: Reset> Timed<S> {
    /// Wraps a stream that was accepted just now.
    pub fn new(stream: S, patience: Patience) -> Self {
        let activity = Activity::start();
        let read_timer = Box::pin(tokio::time::sleep(patience.first_byte));
        Self { stream, patience, activity, read_timer, write_timer: None, lingering: None }
    }

    /// What the connection is doing.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    fn poll_read_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let now = Instant::now();
            let deadline = self.activity.deadline(&self.patience);
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(timed_out("the client sent nothing for too long"));
            }
            // hyper does not read again when a request ends, so the timer must not be later than the
            // idling that may begin meanwhile would end. Earlier does no harm: deadlines mostly move
            // away, and moving the timer along would cost each request a turn in the timer wheel.
            let latest = now + self.patience.idle;
            let armed = deadline.map_or(latest, |deadline| deadline.min(latest));
            if self.read_timer.deadline() > armed || self.read_timer.is_elapsed() {
                self.read_timer.as_mut().reset(armed);
            }
            ready!(self.read_timer.as_mut().poll(context));
        }
    }

    fn progress<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let most = self.patience.send_idle;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(most)));
        timer.as_mut().poll(context).map(|()| Err(timed_out("the client took nothing for send-idle-max")))
    }
}

impl<S: AsyncRead + Unpin + Reset> Timed<S> {
    /// Reads and drops what the client still sends, until it closes or the bounds are reached.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (timer, dropped) = self.lingering.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), 0));
        loop {
            let mut scratch = [0; 8192];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return timer.as_mut().poll(context),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => *dropped += buffer.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
            }
            if *dropped > LINGER_BYTES_MAX {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: Reset> Drop for Timed<S> {
    fn drop(&mut self) {
        if self.activity.reset.load(Ordering::Acquire) {
            self.stream.reset_on_close();
        }
    }
}

fn timed_out(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<S: AsyncRead + Unpin + Reset> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.poll_read_patience(context).map(Err),
            ready => {
                if buffer.filled().len() > before {
                    this.activity.heard(&buffer.filled()[before..]);
                }
                ready
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Reset> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.progress(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.progress(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        this.progress(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.activity.reset.load(Ordering::Acquire) {
            // A reset follows when the stream is dropped; an orderly end now would come before it.
            return Poll::Ready(Ok(()));
        }
        if this.lingering.is_none() {
            let shut = Pin::new(&mut this.stream).poll_shutdown(context);
            ready!(this.progress(shut, context))?;
        }
        if this.activity.must_linger() { this.poll_linger(context).map(Ok) } else { Poll::Ready(Ok(())) }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    impl Reset for tokio::io::DuplexStream {
        fn reset_on_close(&self) {}
    }

    const PATIENCE: Patience = Patience {
        first_byte: Duration::from_secs(1),
        head: Duration::from_secs(2),
        idle: Duration::from_secs(4),
        send_idle: Duration::from_secs(8),
    };

    async fn waited(timed: &mut Timed<tokio::io::DuplexStream>) -> u64 {
        let start = Instant::now();
        let error = timed.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn each_silence_has_its_own_limit() {
        let (mut client, server) = duplex(64);
        assert_eq!(waited(&mut Timed::new(server, PATIENCE)).await, 1, "before the first byte");

        let (mut client2, server) = duplex(64);
        let mut timed = Timed::new(server, PATIENCE);
        client2.write_all(b"G").await.unwrap();
        timed.read_u8().await.unwrap();
        assert!(!timed.activity().is_quiet());
        assert_eq!(waited(&mut timed).await, 2, "within a head");

        drop(timed.activity().serve());
        assert!(timed.activity().is_quiet());
        assert_eq!(waited(&mut timed).await, 4, "between two requests");
        let _ = client.write_all(b"x").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_in_drips_gets_no_more_time() {
        let (mut client, server) = duplex(64);
        let mut timed = Timed::new(server, PATIENCE);
        client.write_all(b"G").await.unwrap();
        timed.read_u8().await.unwrap();
        tokio::time::advance(Duration::from_millis(1500)).await;
        client.write_all(b"E").await.unwrap();
        timed.read_u8().await.unwrap();
        let start = Instant::now();
        timed.read_u8().await.unwrap_err();
        assert_eq!(start.elapsed().as_millis(), 500);
    }

    #[test]
    fn an_http2_preface_is_known_in_pieces_and_only_at_the_start() {
        let activity = Activity::start();
        let pieces =
            [(&b"P"[..], false), (b"RI * HTTP/2.0\r\n\r\n", false), (b"SM\r\n\r\n\0\0", true), (b"PRI", false)];
        for (bytes, is_http2) in pieces {
            assert_eq!(activity.is_http2(bytes), is_http2, "{bytes:?}");
        }
        let activity = Activity::start();
        assert!(!activity.is_http2(b"POST"));
        assert!(!activity.is_http2(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn idling_is_noticed_though_nobody_reads_when_a_request_ends() {
        let (_client, server) = duplex(64);
        let mut timed = Timed::new(server, Patience { first_byte: Duration::from_secs(60), ..PATIENCE });
        let in_flight = timed.activity().serve();
        let mut read = Box::pin(async move { timed.read_u8().await.map_err(|error| error.kind()) });
        assert!(futures_util::poll!(&mut read).is_pending());
        drop(in_flight);
        let start = Instant::now();
        assert_eq!(read.await, Err(io::ErrorKind::TimedOut));
        assert_eq!(start.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_left_over_from_a_head_notices_idling_too() {
        let (mut client, server) = duplex(64);
        let mut timed = Timed::new(server, Patience { head: Duration::from_secs(60), ..PATIENCE });
        client.write_all(b"G").await.unwrap();
        timed.read_u8().await.unwrap();
        let activity = Arc::clone(timed.activity());
        let mut read = Box::pin(async move { timed.read_u8().await.map_err(|error| error.kind()) });
        assert!(futures_util::poll!(&mut read).is_pending());
        drop(activity.serve());
        let start = Instant::now();
        assert_eq!(read.await, Err(io::ErrorKind::TimedOut));
        assert_eq!(start.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_be_silent_while_it_is_served() {
        let (client, server) = duplex(64);
        let mut timed = Timed::new(server, PATIENCE);
        let _in_flight = timed.activity().serve();
        let read = tokio::time::timeout(Duration::from_secs(3600), timed.read_u8()).await;
        assert!(read.is_err(), "still waiting");
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_client_is_listened_to_for_a_while() {
        let (mut client, server) = duplex(1 << 20);
        let mut timed = Timed::new(server, PATIENCE);
        timed.activity().refuse();
        client.write_all(&[0; 1000]).await.unwrap();
        let start = Instant::now();
        timed.shutdown().await.unwrap();
        assert_eq!(start.elapsed(), LINGER, "the client never closed");

        let (client, server) = duplex(64);
        let mut timed = Timed::new(server, PATIENCE);
        timed.activity().refuse();
        drop(client);
        let start = Instant::now();
        timed.shutdown().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (_client, server) = duplex(4);
        let mut timed = Timed::new(server, PATIENCE);
        let start = Instant::now();
        let error = timed.write_all(b"more than four").await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 8));
    }
}
