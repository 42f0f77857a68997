//! From what the gateway answers to what hyper sends.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use tokio::time::Sleep;

use crate::error::Error;
use crate::head::Head;
use crate::net::io::InFlight;
use crate::net::progress::Progress;
use crate::reply::{BodyStream, Cut, FilePart, Reply, ReplyBody};
use crate::request_id::{self, RequestId};
use crate::visit::Visit;

/// A response body on its way out. Its visit ends, and is logged, when it does.
#[derive(Debug)]
pub struct OutgoingBody {
    rest: Rest,
    visit: Box<Visit>,
    /// Keeps the connection's timers off until the last byte is taken.
    in_flight: Option<InFlight>,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Rest {
    None,
    Whole(Bytes),
    Stream {
        stream: Source,
        /// What is left of its last chunk.
        rest: Bytes,
    },
    /// What was written before the cut is still with hyper, which drops it when the body fails: this
    /// lets it be sent first.
    Cut(Pin<Box<Sleep>>),
}

/// What a body comes from piece by piece.
#[derive(Debug)]
enum Source {
    Guest(BodyStream),
    File(FilePart),
}

/// Bytes that are handed over at once in HTTP/2, about one frame of them. hyper asks for more as soon as the
/// client has room for one byte, and keeps what there is no room for: out of reach of `send-idle-max`.
const PIECE_MAX: usize = 16 * 1024;

/// How long what was written before a cut has to be sent.
const CUT_DELAY: Duration = Duration::from_millis(100);

/// The response to one request, with the headers that are the host's to set.
pub fn response(mut reply: Reply, mut visit: Box<Visit>, in_flight: Option<InFlight>) -> Response<OutgoingBody> {
    reply.head.finish(date());
    let Head { status, reason, mut headers, .. } = reply.head;
    headers.insert(request_id::HEADER, visit.id().to_header());
    visit.answered(status, &headers);
    let rest = match reply.body {
        ReplyBody::Whole(bytes) => Rest::Whole(bytes),
        ReplyBody::None => Rest::None,
        ReplyBody::File(part) => Rest::Stream { stream: Source::File(part), rest: Bytes::new() },
        ReplyBody::Stream(stream) => Rest::Stream { stream: Source::Guest(stream), rest: Bytes::new() },
    };
    let mut response = Response::new(OutgoingBody { rest, visit, in_flight, progress: Arc::default() });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
        response.extensions_mut().insert(reason);
    }
    response
}

/// The host's own reply to a request that got none from its app. Guest text appears only in `dev`.
pub fn error(error: &Error, id: &RequestId, dev: bool) -> Reply {
    let status = error.status();
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut text = format!("{} {reason}\n{}\n", status.as_u16(), error.client_text());
    if dev {
        text.push_str(&format!("\n{error}\n"));
    }
    text.push_str(&format!("request id: {id}\n"));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    let head = Head { status, reason: None, headers, content_length: None };
    Reply { head, body: ReplyBody::Whole(text.into()) }
}

/// Marks a reply as the last of its HTTP/1 connection: what follows on it may be no request.
pub fn close_after(reply: &mut Reply, version: Version) {
    if version < Version::HTTP_2 {
        reply.head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Takes the body off the answer to HEAD, but not its length.
pub fn without_body(mut reply: Reply) -> Reply {
    if let ReplyBody::Whole(bytes) = &reply.body {
        reply.head.headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        reply.body = ReplyBody::None;
    }
    reply
}

impl OutgoingBody {
    /// Whether this stands in for a response that the app failed to give.
    pub fn guest_failed(&self) -> bool {
        self.visit.guest_failed()
    }

    /// How the response gets on, for whoever watches it.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Most bytes to hand over at once.
    fn piece_max(&self) -> usize {
        if self.visit.request.version == Version::HTTP_2 { PIECE_MAX } else { usize::MAX }
    }

    /// A body that only the end of its connection ends (HTTP/1.0) must not end it cleanly when cut.
    fn reset_if_unframed(&self) {
        if let Some(in_flight) = &self.in_flight
            && self.visit.request.version < Version::HTTP_11
        {
            in_flight.reset_connection();
        }
    }
}

impl Source {
    /// The trailers of a body that has ended.
    fn take_trailers(&mut self) -> Option<HeaderMap> {
        match self {
            Self::Guest(stream) => stream.take_trailers(),
            Self::File(_) => None,
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match self {
            Self::Guest(stream) => stream.poll_next(context),
            Self::File(part) => part.poll_next(context),
        }
    }
}

/// The next piece of `bytes`, which are left with the rest; none if there are no more.
fn piece(bytes: &mut Bytes, most: usize) -> Option<Bytes> {
    (!bytes.is_empty()).then(|| bytes.split_to(bytes.len().min(most)))
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let most = self.piece_max();
        let next = match &mut self.rest {
            Rest::None => Poll::Ready(None),
            Rest::Whole(bytes) => Poll::Ready(piece(bytes, most).map(Ok)),
            Rest::Stream { rest, .. } if !rest.is_empty() => Poll::Ready(piece(rest, most).map(Ok)),
            Rest::Stream { stream, rest } => match stream.poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    *rest = chunk;
                    Poll::Ready(piece(rest, most).map(Ok))
                }
                Poll::Pending => {
                    self.progress.waiting();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(Cut))) => {
                    self.rest = Rest::Cut(Box::pin(tokio::time::sleep(CUT_DELAY)));
                    return self.poll_frame(context);
                }
                Poll::Ready(None) => {
                    if let Some(trailers) = stream.take_trailers() {
                        self.progress.handed();
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                    Poll::Ready(None)
                }
            },
            Rest::Cut(delay) => {
                ready!(delay.as_mut().poll(context));
                self.reset_if_unframed();
                Poll::Ready(Some(Err(Cut)))
            }
        };
        match &next {
            Poll::Ready(Some(Ok(bytes))) => {
                self.visit.sent(bytes.len() as u64);
                self.progress.handed();
            }
            Poll::Ready(Some(Err(Cut))) => self.visit.cut(),
            Poll::Ready(None) => self.visit.completed(),
            Poll::Pending => {}
        }
        next.map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.rest {
            Rest::None => true,
            Rest::Whole(bytes) => bytes.is_empty(),
            // hyper asks for no more than the length that it was told of.
            Rest::Stream { stream: Source::File(part), rest } => part.left() == 0 && rest.is_empty(),
            Rest::Stream { .. } | Rest::Cut(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Rest::None => SizeHint::with_exact(0),
            Rest::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Rest::Stream { stream: Source::File(part), rest } => SizeHint::with_exact(part.left() + rest.len() as u64),
            Rest::Stream { .. } | Rest::Cut(_) => SizeHint::default(),
        }
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        self.progress.end();
        // hyper takes a whole body in one frame and never asks for the end.
        if self.is_end_stream() {
            self.visit.completed();
        }
    }
}

/// The value of `Date`, made anew each second.
fn date() -> HeaderValue {
    thread_local! {
        /// By thread, so that no two wait for each other.
        static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|last| match last {
        Some((of, value)) if *of == second => value.clone(),
        _ => {
            // An IMF-fixdate is plain ASCII, so the fallback cannot happen.
            let value = HeaderValue::try_from(httpdate::fmt_http_date(now)).unwrap_or(HeaderValue::from_static(""));
            *last = Some((second, value.clone()));
            value
        }
    })
}

/// The status line's code of a reply that hyper made itself, for the log.
pub fn hyper_status(error: &hyper::Error) -> Option<StatusCode> {
    if error.is_parse_too_large() {
        // hyper tells the two apart in its text alone.
        let is_line = error.to_string().starts_with("URI");
        Some(if is_line { StatusCode::URI_TOO_LONG } else { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE })
    } else if error.is_parse() {
        Some(StatusCode::BAD_REQUEST)
    } else {
        None
    }
}
