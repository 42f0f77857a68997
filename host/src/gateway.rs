//! THE STORY: one request, from its head to its answer.
//!
//! [`Gateway::arrive`] and [`Gateway::handle`] wrap it (id, log line; errors), `Gateway::dispatch` tells it in a
//! straight line. hyper's side of it is in `net/`, wasmtime's in `sandbox/`. Only here do the two meet, and where
//! errors are mapped (`error.rs`) and a host is put together (`host.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Empty;
use tokio_util::task::TaskTracker;

use crate::access_log::Entry;
use crate::authority;
use crate::cgi;
use crate::client::Client;
use crate::config::{RequestBody, TrustedPeers};
use crate::environ::{self, Context, Endpoint, Scheme};
use crate::error::{Blame, Error};
use crate::incoming;
use crate::input::Input;
use crate::limits::HostLimits;
use crate::net::body::Plan;
use crate::net::io::{Activity, InFlight};
use crate::net::reply::{self, OutgoingBody};
use crate::net::spool::Spool;
use crate::reply::{Answer, Reply};
use crate::request_check;
use crate::request_id::{self, RequestId};
use crate::requests::Requests;
use crate::router::{Match, Router};
use crate::sandbox::app::App;
use crate::sandbox::exports::Kind;
use crate::sandbox::instance::{self, Call, Exchange, Variables};
use crate::sandbox::meter::Meter;
use crate::telemetry::{AccessLog, AppLog};
use crate::visit::Visit;

/// The connection that a request came by.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The host's end.
    pub local: Endpoint,
    /// The client's end.
    pub peer: Endpoint,
    /// Plain or TLS.
    pub scheme: Scheme,
    /// The connection's timers; none for a request that came by no connection.
    pub activity: Option<Arc<Activity>>,
}

/// Serves requests of all apps.
#[derive(Debug)]
pub struct Gateway {
    /// Finds the app.
    pub router: Router<Arc<App>>,
    /// What a request may be.
    pub limits: HostLimits,
    /// How many of them there may be.
    pub requests: Requests,
    /// Where large bodies wait.
    pub spool: Spool,
    /// Whose request ids are taken over.
    pub trusted_peers: TrustedPeers,
    /// Where each request is told.
    pub access_log: Arc<AccessLog>,
    /// Guests that outlive their request's own task.
    pub guests: TaskTracker,
    /// Whether errors are shown to clients in full.
    pub dev: bool,
    /// When the host started.
    pub started: Instant,
    /// The second, counted from there, of the last warning that there was no room.
    pub warned: AtomicU64,
}

/// A request that has been read. Dropped unanswered, because its client has left, it is logged with 499.
#[derive(Debug)]
pub struct Arrival<B> {
    visit: Box<Visit>,
    body: B,
    in_flight: Option<InFlight>,
}

impl Gateway {
    /// Takes note of a request at once: hyper may drop what is to answer it before that is first polled.
    pub fn arrive<B>(&self, request: Request<B>, connection: &Connection) -> Arrival<B> {
        let in_flight = connection.activity.as_ref().map(Activity::serve);
        let (head, body) = request.into_parts();
        let id = self.request_id(&head.headers, connection.peer);
        let visit = Box::new(Visit::begin(Arc::clone(&self.access_log), head, connection.peer, id));
        Arrival { visit, body, in_flight }
    }

    /// Answers one request. Never fails: every error is a reply.
    pub async fn handle<B>(&self, arrival: Arrival<B>, connection: &Connection) -> Response<OutgoingBody>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        let Arrival { mut visit, body, in_flight } = arrival;
        let reply = match self.dispatch(body, &mut visit, connection).await {
            Ok(reply) => reply,
            Err(error) => self.refuse(&error, &mut visit, connection),
        };
        reply::response(reply, visit, in_flight)
    }

    async fn dispatch<B>(&self, body: B, visit: &mut Visit, connection: &Connection) -> Result<Reply, Error>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        request_check::check(&visit.request, &self.limits)?;
        visit.admitted(self.requests.admit()?);
        match self.answer(body, visit, connection).await? {
            Answer::Reply(reply) => Ok(reply),
            // Boxed, since nearly no request comes here, and each would have room for it.
            Answer::Elsewhere(target) => Box::pin(self.elsewhere(target, visit, connection)).await,
        }
    }

    /// The reply of where an app has sent the request on to (RFC 3875 section 6.2.2).
    async fn elsewhere(
        &self,
        mut target: PathAndQuery,
        visit: &mut Visit,
        connection: &Connection,
    ) -> Result<Reply, Error> {
        for _ in 0..self.limits.redirects_max {
            visit.sent_on(target);
            target = match self.answer(Empty::new(), visit, connection).await? {
                Answer::Reply(reply) => return Ok(reply),
                Answer::Elsewhere(target) => target,
            };
        }
        Err(Error::Redirects(self.limits.redirects_max))
    }

    /// What one app answers.
    async fn answer<B>(&self, body: B, visit: &mut Visit, connection: &Connection) -> Result<Answer, Error>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        let request = visit.asked();
        let route = self.router.route(authority::of(request), request.uri.path()).ok_or(Error::NoRoute)?;
        visit.routed(route.target.name());

        // Before the body is touched, so that `100 Continue` is sent only to a request that is wanted.
        let app = Arc::clone(route.target);
        let plan = self.plan(&app, visit)?;
        plan.admit()?;
        app.admits()?;
        let input = plan.receive(body).await?;

        let variables = variables(&route, input.length(), visit, connection)?;
        let lease = app.acquire().await?;
        let call = call(&app, (variables, input), visit);
        Ok(instance::serve(app, lease, call, self.guests.clone()).await?)
    }

    /// How the body of this request is to be taken.
    fn plan(&self, app: &App, visit: &Visit) -> Result<Plan<'_>, Error> {
        let length = request_check::content_length(&visit.asked().headers)?;
        Ok(Plan {
            // A program reads as much as CONTENT_LENGTH says, so that has to be known (RFC 3875 section 4.2).
            mode: if app.kind() == Kind::Cgi && length.is_none() { RequestBody::Buffer } else { app.request_body() },
            length,
            body_max: app.limits().body_max,
            memory_max: app.limits().body_memory_max,
            idle_max: self.limits.body_idle_max.into(),
            spool: &self.spool,
        })
    }

    /// The host's own reply to a request that got none from its app.
    fn refuse(&self, error: &Error, visit: &mut Visit, connection: &Connection) -> Reply {
        visit.failed(error);
        let (id, kind, app) = (visit.id(), error.kind(), visit.app());
        match error.blame() {
            // In the app's log already, whoever is to blame.
            _ if matches!(error, Error::Guest(_)) => {}
            Blame::Guest => tracing::warn!(app, request_id = %id, kind, "{error}"),
            Blame::Client | Blame::Route => tracing::debug!(app, request_id = %id, kind, "{error}"),
            Blame::Capacity if self.warns_now() => tracing::warn!(app, request_id = %id, kind, "{error}"),
            Blame::Capacity => tracing::debug!(app, request_id = %id, kind, "{error}"),
            Blame::Host => tracing::error!(app, request_id = %id, kind, "{error}"),
        }
        let mut reply = reply::error(error, visit.id(), self.dev);
        if error.closes_connection() {
            reply::close_after(&mut reply, visit.request.version);
            connection.activity.iter().for_each(|activity| activity.refuse());
        }
        if visit.request.method == Method::HEAD { reply::without_body(reply) } else { reply }
    }

    /// At most once a second: a host that is busy already must not write a warning for each request.
    fn warns_now(&self) -> bool {
        let now = self.started.elapsed().as_secs() + 1;
        self.warned.swap(now, Ordering::Relaxed) != now
    }

    /// Logs a request that was too malformed to get here, and was refused on the connection itself.
    pub fn connection_failed(&self, connection: &Connection, status: Option<StatusCode>) {
        let Some(status) = status else { return };
        self.access_log.write(&Entry {
            peer: connection.peer,
            request: None,
            started: SystemTime::now(),
            elapsed: Duration::ZERO,
            status,
            body_bytes: 0,
            response_headers: None,
            environ: &[],
            app: None,
            cpu_time: None,
            request_id: &RequestId::generate(),
            error: Some("malformed"),
        });
    }

    fn request_id(&self, headers: &http::HeaderMap, peer: Endpoint) -> RequestId {
        headers
            .get(request_id::HEADER)
            .filter(|_| self.trusted_peers.trusts(peer))
            .and_then(RequestId::from_header)
            .unwrap_or_else(RequestId::generate)
    }
}

/// The variables of a request, as its app takes them.
fn variables(
    route: &Match<'_, Arc<App>>,
    body_length: Option<u64>,
    visit: &mut Visit,
    connection: &Connection,
) -> Result<Variables, Error> {
    let app = route.target;
    // A body that is here tells its own length, whatever framing it came in.
    let declared = request_check::content_length(&visit.asked().headers).ok().flatten();
    let context = Context {
        script_name: &route.script_name,
        path_info: &route.path_info,
        content_length: body_length.filter(|length| *length > 0).or(declared),
        scheme: connection.scheme,
        local: connection.local,
        peer: connection.peer,
        request_id: visit.id(),
        app: app.name().as_str(),
        single: app.is_single(),
        reused: app.reuse() > 1,
        env: app.env(),
    };
    let environ = environ::build(visit.asked(), &context);
    visit.environ(&environ);
    Ok(match app.kind() {
        Kind::Gateway => Variables::Environ(environ),
        Kind::Http => Variables::Head(Box::new(incoming::head(
            visit.asked(),
            &incoming::Context {
                script_name: &route.script_name,
                scheme: connection.scheme,
                local: connection.local,
                request_id: visit.id(),
            },
        ))),
        Kind::Cgi => Variables::Environment(cgi::variables(&environ)?),
    })
}

/// What the guest is called with.
fn call(app: &App, (variables, input): (Variables, Input), visit: &mut Visit) -> Call {
    let client = Arc::new(Client::default());
    let meter = Arc::new(Meter::start(app.limits(), Arc::clone(&client)));
    visit.called(Arc::clone(&meter));
    Call {
        variables,
        exchange: Exchange { input, head_only: visit.request.method == Method::HEAD, client },
        log: AppLog::new(app.name().clone(), Some(visit.id().clone())),
        meter,
    }
}
