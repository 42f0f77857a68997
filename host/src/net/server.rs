//! Accepts connections and serves requests on them, until told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::environ::Scheme;
use crate::gateway::{Arrival, Connection, Gateway};
use crate::limits::HostLimits;
use crate::net::io::{Patience, Timed};
use crate::net::listen::{Accepted, Listener};
use crate::net::reply::{self, OutgoingBody};

/// After a failed accept, mostly for want of file descriptors, some must come free first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Headers of a request that are read whatever `header-count-max` and `header-size-max` say: a
/// `HeaderMap` panics when it is given more than 24,576 names.
const HEADERS_MAX: u32 = 16 * 1024;
const HEADER_LIST_MAX: u32 = 512 * 1024;

/// How long a quiet connection stays open when the host drains: a request that was sent before the
/// client could know is then still read.
const DRAIN_LINGER: Duration = Duration::from_millis(250);

/// The accept loops and connections of one host.
pub struct Server {
    gateway: Arc<Gateway>,
    protocol: auto::Builder<Tracked>,
    patience: Patience,
    send_idle_max: Duration,
    /// One for each connection that may be open.
    permits: Arc<Semaphore>,
    /// Every connection's task; the host ends when it is empty.
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Runs hyper's own tasks where they are counted.
#[derive(Clone, Debug)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

impl Server {
    /// A server of `gateway` that stops when `stop` is cancelled; its tasks run under `tracker`.
    pub fn new(gateway: Arc<Gateway>, tracker: TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let limits = gateway.limits.clone();
        Arc::new(Self {
            protocol: protocol(&limits, tracker.clone()),
            patience: Patience::new(&limits),
            send_idle_max: limits.send_idle_max.into(),
            permits: Arc::new(Semaphore::new(limits.connections_max as usize)),
            gateway,
            tracker,
            stop,
        })
    }

    /// Accepts on `listener` until the server stops, then takes what is still waiting to be accepted.
    pub async fn accept_on(self: Arc<Self>, listener: Listener) {
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => break,
            };
            match accepted {
                Ok(accepted) => self.admit(accepted).await,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection; raise the limit on open files if it is that");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.accept_backlog(&listener).await;
    }

    /// Connections that the kernel has made before the listener closes are not lost.
    async fn accept_backlog(self: &Arc<Self>, listener: &Listener) {
        loop {
            match listener.accept().now_or_never() {
                Some(Ok(accepted)) => self.admit(accepted).await,
                Some(Err(error)) if is_of_one_connection(&error) => {}
                Some(Err(_)) | None => return,
            }
        }
    }

    /// Serves a connection once fewer than `connections-max` are open. Meanwhile its listener accepts
    /// no other, and the kernel keeps those that come.
    async fn admit(self: &Arc<Self>, accepted: Accepted) {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
        let server = Arc::clone(self);
        self.tracker.spawn(async move {
            server.serve(accepted).await;
            drop(permit);
        });
    }

    /// Serves one connection to its end. It is not counted against `connections-max`.
    pub async fn serve(self: &Arc<Self>, accepted: Accepted) {
        let Accepted { stream, local, peer } = accepted;
        let stream = Timed::new(stream, self.patience);
        let activity = Arc::clone(stream.activity());
        let about = Connection { local, peer, scheme: Scheme::Http, activity: Some(Arc::clone(&activity)) };
        let connection = Arc::new(Served { server: Arc::clone(self), about, stalled: Notify::new() });
        let service = service_fn(|request: Request<Incoming>| {
            let connection = Arc::clone(&connection);
            let version = request.version();
            let arrival = self.gateway.arrive(request, &connection.about);
            // Boxed, since hyper moves the future about before it polls it.
            Box::pin(async move { Ok::<_, Infallible>(connection.answer(version, arrival).await) })
        });
        let mut stream = pin!(self.protocol.serve_connection(TokioIo::new(stream), service));
        let drain = async {
            self.stop.cancelled().await;
            if activity.is_quiet() {
                tokio::time::sleep(DRAIN_LINGER).await;
            }
        };
        let served = async {
            tokio::select! {
                ended = stream.as_mut() => ended,
                () = drain => {
                    stream.as_mut().graceful_shutdown();
                    stream.await
                }
            }
        };
        let ended = tokio::select! {
            ended = served => ended,
            () = connection.stalled.notified() => {
                tracing::debug!(?peer, "connection dropped: the client took nothing for send-idle-max");
                return;
            }
        };
        if let Err(error) = ended {
            self.gateway.connection_failed(
                &connection.about,
                error.downcast_ref::<hyper::Error>().and_then(reply::hyper_status),
            );
            tracing::debug!(?peer, %error, "connection ended");
        }
    }
}

/// A connection that requests come by: one count to share for all that each of them needs.
struct Served {
    server: Arc<Server>,
    about: Connection,
    /// Told by one response that is not taken: its client is not there for the others either.
    stalled: Notify,
}

impl Served {
    async fn answer(self: Arc<Self>, version: Version, arrival: Arrival<Incoming>) -> Response<OutgoingBody> {
        let response = self.server.gateway.handle(arrival, &self.about).await;
        if version == Version::HTTP_2 {
            let progress = Arc::clone(response.body().progress());
            let tracker = self.server.tracker.clone();
            tracker.spawn(async move {
                if progress.stalls(self.server.send_idle_max).await {
                    self.stalled.notify_one();
                }
            });
        }
        response
    }
}

fn protocol(limits: &HostLimits, tracker: TaskTracker) -> auto::Builder<Tracked> {
    let head = limits.header_size_max.to_usize().saturating_add(limits.request_line_max.to_usize());
    let mut protocol = auto::Builder::new(Tracked(tracker));
    protocol
        .http1()
        .timer(TokioTimer::new())
        // `Timed` knows idling from a slow head; hyper has one timer for both.
        .header_read_timeout(None)
        .max_headers(limits.header_count_max.min(HEADERS_MAX) as usize)
        // The least that hyper takes.
        .max_buf_size(head.max(8192))
        // Not `pipeline_flush`: with a request body left unread it never flushes the response.
        .auto_date_header(false);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX).min(HEADER_LIST_MAX))
        .max_concurrent_streams(limits.streams_max);
    protocol
}

/// Whether an accept failed for its one connection, which is gone, and not for the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
