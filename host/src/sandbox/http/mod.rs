//! Apps of `wasi:http`: one call of their handler, from the head of the request to the last byte of the response.
//!
//! The response takes the same way as that of a gateway app: through the state machine of `start_response.rs` and the
//! outlet of `host_calls.rs`, so that all that holds there holds here. The guest's call and the forwarding of what it
//! writes are one future, which the meter and the gate are around.

mod body;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{mpsc, oneshot};
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use crate::bundle::mounts::Content;
use crate::client::Client;
use crate::environ::is_hop_by_hop;
use crate::head::{Head, HeadError};
use crate::reply::{Answer, Cut, Last, Reply};
use crate::sandbox::fault::Fault;
use crate::sandbox::host_calls::Outlet;
use crate::sandbox::instance::{Exchange, whole};
use crate::sandbox::meter::Meter;
use crate::sandbox::start_response::{Finish, Misuse, StartResponse};
use crate::sandbox::store::{Guest, Terms};

use body::SpoolFailure;

/// How an app of `wasi:http` fails to answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// It answered with an error.
    #[error("it set the error {0}")]
    Refused(String),
    /// Its head cannot be sent.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Its body has no end.
    #[error("it returned, or dropped its outgoing-body, without a call of outgoing-body.finish")]
    Unfinished,
    /// Its body breaks what the head says of it.
    #[error("its body is past its Content-Length, or its status has none")]
    Body,
}

type Answered = Result<Response<WasiBody>, ErrorCode>;

/// Calls the handler of an app once.
///
/// # Errors
/// [`Fault`] of the guest, or of what it answers. A body that was begun is cut.
pub(super) async fn call(
    exports: &Proxy,
    store: &mut Store<Guest>,
    (parts, exchange): (Parts, Exchange),
    head: oneshot::Sender<Reply>,
) -> Result<Option<Answer>, Fault> {
    let Exchange { input, head_only, client } = exchange;
    let failure = SpoolFailure::default();
    let body = body::of(input, &client, &failure);
    let (sender, answered) = oneshot::channel();
    let guest = store.data_mut();
    let (terms, meter) = (Arc::clone(&guest.terms), Arc::clone(&guest.meter));
    let scheme = if parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http };
    let no_room = |error: wasmtime::Error| Fault::from_call(&error, false);
    let request = guest.http().new_incoming_request(scheme, Request::from_parts(parts, body)).map_err(no_room)?;
    let outparam = guest.http().new_response_outparam(sender).map_err(no_room)?;

    let mut forward = Forward {
        source: Source::Answer(answered),
        terms,
        meter,
        response: StartResponse::new(head_only),
        outlet: Outlet::new(head),
        chunks: None,
        trailers: None,
        client: Arc::clone(&client),
    };
    let returned = {
        let call = pin!(exports.wasi_http_incoming_handler().call_handle(&mut *store, request, outparam));
        forward.beside(call).await
    };
    let guest = store.data_mut();
    guest.output.end();
    let out_of_memory = guest.limiter.take_refused();
    let run = match returned {
        Ok(called) => called.map_err(|error| Fault::from_call(&error, out_of_memory)),
        Err(error) => Err(Misuse::from(error).into()),
    };
    let run = match failure.get() {
        Some(why) => Err(Fault::Spool(why.clone())),
        None => run,
    };
    forward.end(run, head_only)
}

/// The response on its way out.
struct Forward {
    source: Source,
    terms: Arc<Terms>,
    meter: Arc<Meter>,
    response: StartResponse,
    outlet: Outlet,
    /// Where the body goes, once its head is on its way.
    chunks: Option<mpsc::Sender<Bytes>>,
    trailers: Option<HeaderMap>,
    client: Arc<Client>,
}

/// What the response comes from.
enum Source {
    Answer(oneshot::Receiver<Answered>),
    Body(WasiBody),
    /// All of it came, or nobody takes it any more.
    Ended,
}

impl Forward {
    /// Forwards what the guest writes until its call is over, or what it wrote is no response.
    async fn beside<T>(&mut self, mut call: Pin<&mut impl Future<Output = T>>) -> Result<T, HttpError> {
        let mut forwarding = pin!(self.forward());
        let mut forwarded = false;
        poll_fn(|context| {
            // The guest first: a short response is whole when the call is over, and then goes out in one piece.
            if let Poll::Ready(returned) = call.as_mut().poll(context) {
                return Poll::Ready(Ok(returned));
            }
            if !forwarded && let Poll::Ready(outcome) = forwarding.as_mut().poll(context) {
                forwarded = true;
                if let Err(error) = outcome {
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Takes the response as it comes. May be dropped between any two parts: none is lost.
    async fn forward(&mut self) -> Result<(), HttpError> {
        if let Source::Answer(answered) = &mut self.source {
            // Dropped unused by a guest that does not answer, which the end of its call tells.
            let Ok(answered) = answered.await else { return Ok(()) };
            self.take_head(answered)?;
        }
        loop {
            let room = match &self.chunks {
                None => None,
                Some(chunks) => match chunks.clone().reserve_owned().await {
                    Ok(room) => Some(room),
                    Err(_gone) => break,
                },
            };
            let Source::Body(body) = &mut self.source else { return Ok(()) };
            let (response, outlet, client) = (&mut self.response, &mut self.outlet, &self.client);
            let meter = &self.meter;
            let frame = poll_fn(|context| {
                let polled = Pin::new(&mut *body).poll_frame(context);
                // The client need not wait for a body that its app waits for; one that was made to pause goes on at once.
                if polled.is_pending()
                    && !meter.is_paused()
                    && let Some((head, streams)) = response.commit()
                {
                    outlet.commit(*head, client, streams);
                }
                polled
            })
            .await;
            self.chunks = self.chunks.take().or_else(|| self.outlet.chunks());
            let Some(frame) = frame else { break };
            if let Some(bytes) = self.take_frame(frame)? {
                match room {
                    Some(room) => drop(room.send(bytes)),
                    // The first of an empty channel.
                    None => self.chunks.iter().for_each(|chunks| drop(chunks.try_send(bytes.clone()))),
                }
            }
        }
        // Dropped, so that the guest learns it.
        self.source = Source::Ended;
        Ok(())
    }

    fn take_head(&mut self, answered: Answered) -> Result<(), HttpError> {
        let response = answered.map_err(|code| HttpError::Refused(format!("{code:?}")))?;
        let (parts, body) = response.into_parts();
        let head = Head::of_response(parts.status, parts.headers, &self.terms.limits)?;
        // The first call with a head that was checked: never refused.
        let _ = self.response.call(Ok(head), false);
        self.source = Source::Body(body);
        Ok(())
    }

    /// Takes a part of the body; bytes that are to be sent.
    fn take_frame<E>(&mut self, frame: Result<http_body::Frame<Bytes>, E>) -> Result<Option<Bytes>, HttpError> {
        let frame = frame.map_err(|_aborted| HttpError::Unfinished)?;
        let bytes = match frame.into_data() {
            Ok(bytes) if bytes.is_empty() => return Ok(None),
            Ok(bytes) => bytes,
            Err(frame) => {
                self.trailers = frame.into_trailers().ok().map(sendable);
                return Ok(None);
            }
        };
        let write = self.response.write(bytes.len() as u64).map_err(|_refused| HttpError::Body)?;
        if let Some(head) = write.commit {
            self.outlet.commit(*head, &self.client, write.send);
            self.chunks = self.outlet.chunks();
        }
        Ok(write.send.then_some(bytes))
    }

    /// The call is over.
    fn end(mut self, run: Result<(), Fault>, head_only: bool) -> Result<Option<Answer>, Fault> {
        let finished = run.and_then(|()| self.finish());
        // The stream ends when nobody can send to it any more.
        self.chunks = None;
        match finished {
            Ok((Finish::Whole(head), rest)) => match self.trailers {
                Some(trailers) if !head_only && !head.forbids_body() => {
                    self.outlet.commit(*head, &self.client, true);
                    self.outlet.end(Ok(Last::Trailers(rest, trailers)));
                    Ok(None)
                }
                _ => Ok(Some(Answer::Reply(whole(*head, Content::Bytes(rest), head_only)))),
            },
            Ok((Finish::Rest { send }, rest)) => {
                self.outlet.end(Ok(match self.trailers {
                    _ if !send => Last::Bytes(Bytes::new()),
                    Some(trailers) => Last::Trailers(rest, trailers),
                    None => Last::Bytes(rest),
                }));
                Ok(None)
            }
            Err(fault) => {
                self.outlet.end(Err(Cut));
                // Its writes said `closed`: to give up in any way is what it should do.
                let gave_up = matches!(fault, Fault::Misuse(_) | Fault::Trap(_));
                Err(if self.client.has_left() && gave_up { Fault::ClientLeft } else { fault })
            }
        }
    }

    /// What the guest had written when it returned: nothing more will come.
    fn finish(&mut self) -> Result<(Finish, Bytes), Fault> {
        if let Source::Answer(answered) = &mut self.source {
            let Ok(answered) = answered.try_recv() else { return Err(Misuse::NoHead(None).into()) };
            self.take_head(answered).map_err(Misuse::from)?;
        }
        let mut rest = Bytes::new();
        while let Source::Body(body) = &mut self.source {
            let Some(frame) = body.frame().now_or_never() else {
                return Err(Misuse::from(HttpError::Unfinished).into());
            };
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                None => self.source = Source::Ended,
                Some(Err(_aborted)) => return Err(Misuse::from(HttpError::Unfinished).into()),
                Some(Ok(Ok(bytes))) if rest.is_empty() => rest = bytes,
                // At most two of them: no more have room on their way.
                Some(Ok(Ok(bytes))) => {
                    let mut both = BytesMut::from(rest);
                    both.extend_from_slice(&bytes);
                    rest = both.freeze();
                }
                Some(Ok(Err(frame))) => self.trailers = frame.into_trailers().ok().map(sendable),
            }
        }
        Ok((self.response.finish(rest.len() as u64)?, rest))
    }
}

/// Trailers without what may not be in them (RFC 9110 section 6.5.1).
fn sendable(trailers: HeaderMap) -> HeaderMap {
    let framing = [http::header::CONTENT_LENGTH, http::header::HOST, http::header::CONTENT_ENCODING];
    let mut kept = HeaderMap::with_capacity(trailers.len());
    for (name, value) in &trailers {
        if !is_hop_by_hop(name) && !framing.contains(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}
