//! What a guest answers, on its way to the client.

mod file;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use tokio::sync::{mpsc, oneshot};

use crate::client::Client;
use crate::head::Head;

pub use file::FilePart;

/// How a guest answers a request.
#[derive(Debug)]
pub enum Answer {
    /// With this.
    Reply(Reply),
    /// As this server answers for another target (RFC 3875 section 6.2.2).
    Elsewhere(PathAndQuery),
}

/// A committed head and the body that belongs to it.
#[derive(Debug)]
pub struct Reply {
    /// Status and headers, checked.
    pub head: Head,
    /// What follows them.
    pub body: ReplyBody,
}

/// The body of a [`Reply`].
#[derive(Debug)]
pub enum ReplyBody {
    /// All of it is here: the guest has returned.
    Whole(Bytes),
    /// The answer to HEAD, 204 or 304: nothing follows the head.
    None,
    /// The guest has returned; the rest is read as it is sent.
    File(FilePart),
    /// The guest is still running.
    Stream(BodyStream),
}

/// The body ended before its time: the connection must be cut, since a clean end would hide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the application broke off its response")]
pub struct Cut;

/// Chunks of a guest that is still running, as it writes them.
///
/// Dropping it before its end tells the guest that its client has gone.
#[derive(Debug)]
pub struct BodyStream {
    chunks: mpsc::Receiver<Bytes>,
    /// The last bytes, or the cut. Sent when the guest has returned, past the bounded channel, so
    /// that a slow client holds no instance for the sake of the last chunk.
    end: oneshot::Receiver<Result<Last, Cut>>,
    /// A file that is the last of it, once the guest has returned.
    file: Option<FilePart>,
    /// What follows the body, once it has ended.
    trailers: Option<Box<HeaderMap>>,
    client: Arc<Client>,
    ended: bool,
}

/// What a guest returned after it had written.
#[derive(Debug)]
pub enum Last {
    /// Bytes, which may be none.
    Bytes(Bytes),
    /// A part of a file.
    File(FilePart),
    /// Bytes, which may be none, and trailers.
    Trailers(Bytes, HeaderMap),
}

/// The guest's side of a [`BodyStream`].
#[derive(Debug)]
pub struct BodySender {
    /// Accepts a chunk once there is room: the guest's back-pressure.
    pub chunks: mpsc::Sender<Bytes>,
    /// Ends the body; dropping it unused cuts it.
    pub end: oneshot::Sender<Result<Last, Cut>>,
}

/// Chunks that wait for the client before a write blocks. Two, so that the guest can make the next
/// one while the first is being sent.
const CHUNKS_MAX: usize = 2;

impl BodyStream {
    /// A stream and its sender, for a body that goes to `client`.
    pub fn channel(client: Arc<Client>) -> (BodySender, Self) {
        let (chunk_sender, chunks) = mpsc::channel(CHUNKS_MAX);
        let (end_sender, end) = oneshot::channel();
        let sender = BodySender { chunks: chunk_sender, end: end_sender };
        (sender, Self { chunks, end, file: None, trailers: None, client, ended: false })
    }

    /// The next chunk, never empty; `None` at the proper end of the body.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(file) = &mut self.file {
            return file.poll_next(context);
        }
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(chunk) = ready!(self.chunks.poll_recv(context)) {
            return Poll::Ready(Some(Ok(chunk)));
        }
        // A sender dropped without a word is a guest that is gone: a cut like any other.
        let end = ready!(Pin::new(&mut self.end).poll(context)).unwrap_or(Err(Cut));
        self.ended = true;
        let whole = |last: Bytes| Poll::Ready((!last.is_empty()).then_some(Ok(last)));
        match end {
            Ok(Last::Bytes(last)) => whole(last),
            Ok(Last::Trailers(last, trailers)) => {
                self.trailers = Some(Box::new(trailers));
                whole(last)
            }
            Ok(Last::File(file)) => self.file.insert(file).poll_next(context),
            Err(Cut) => Poll::Ready(Some(Err(Cut))),
        }
    }

    /// The trailers that follow the body, if it has ended and has any. They are there once.
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().map(|trailers| *trailers)
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        if !self.ended {
            self.client.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(stream: &mut BodyStream) -> Option<Result<Bytes, Cut>> {
        poll_fn(|context| stream.poll_next(context)).await
    }

    #[tokio::test]
    async fn chunks_come_in_order_and_the_last_one_comes_last() {
        let (sender, mut stream) = BodyStream::channel(Arc::default());
        sender.chunks.send("a".into()).await.unwrap();
        sender.end.send(Ok(Last::Bytes("z".into()))).unwrap();
        drop(sender.chunks);
        assert_eq!(next(&mut stream).await, Some(Ok("a".into())));
        assert_eq!(next(&mut stream).await, Some(Ok("z".into())));
        assert_eq!(next(&mut stream).await, None);
        assert_eq!(next(&mut stream).await, None);
    }

    #[tokio::test]
    async fn trailers_come_after_the_last_bytes_and_once() {
        let (sender, mut stream) = BodyStream::channel(Arc::default());
        let trailers = HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("x"))]);
        sender.end.send(Ok(Last::Trailers("z".into(), trailers.clone()))).unwrap();
        drop(sender.chunks);
        assert_eq!(stream.take_trailers(), None);
        assert_eq!(next(&mut stream).await, Some(Ok("z".into())));
        assert_eq!(next(&mut stream).await, None);
        assert_eq!((stream.take_trailers(), stream.take_trailers()), (Some(trailers), None));
    }

    #[tokio::test]
    async fn a_guest_that_vanishes_cuts_the_body() {
        let (sender, mut stream) = BodyStream::channel(Arc::default());
        drop(sender);
        assert_eq!(next(&mut stream).await, Some(Err(Cut)));
        assert_eq!(next(&mut stream).await, None);
    }

    #[tokio::test]
    async fn dropping_an_unfinished_stream_means_the_client_left() {
        let client = Arc::new(Client::default());
        let (sender, stream) = BodyStream::channel(Arc::clone(&client));
        drop(stream);
        assert!(client.has_left());
        assert!(sender.chunks.send("late".into()).await.is_err());
    }

    #[tokio::test]
    async fn dropping_a_finished_stream_means_nothing() {
        let client = Arc::new(Client::default());
        let (sender, mut stream) = BodyStream::channel(Arc::clone(&client));
        sender.end.send(Ok(Last::Bytes(Bytes::new()))).unwrap();
        drop(sender.chunks);
        assert_eq!(next(&mut stream).await, None);
        drop(stream);
        assert!(!client.has_left());
    }
}
