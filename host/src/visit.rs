//! One request as the access log will tell it, exactly once, however it ends.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::access_log::Entry;
use crate::config::AppName;
use crate::environ::{Endpoint, Environ};
use crate::error::Error;
use crate::request_id::RequestId;
use crate::requests::Admitted;
use crate::sandbox::meter::Meter;
use crate::telemetry::AccessLog;

/// Written to the access log when dropped: after the last byte of the response, or when the client
/// has gone before it.
#[derive(Debug)]
pub struct Visit {
    log: Arc<AccessLog>,
    /// The request's head.
    pub request: Parts,
    /// The head of the request that an app made of it, if one did.
    sent_on: Option<Box<Parts>>,
    peer: Endpoint,
    id: RequestId,
    started: SystemTime,
    clock: Instant,
    app: Option<AppName>,
    environ: Option<Environ>,
    meter: Option<Arc<Meter>>,
    /// CPU time of the guests before the one that was called last.
    cpu_before: Duration,
    status: Option<StatusCode>,
    response_headers: Option<HeaderMap>,
    sent: u64,
    error: Option<&'static str>,
    guest_failed: bool,
    completed: bool,
    /// Counts the request for as long as anything of it is left.
    _admitted: Option<Admitted>,
}

/// What the log says of a client that went away before its response began (as NGINX does).
const CLIENT_LEFT: u16 = 499;

impl Visit {
    /// A request that has just been read.
    pub fn begin(log: Arc<AccessLog>, request: Parts, peer: Endpoint, id: RequestId) -> Self {
        Self {
            log,
            request,
            sent_on: None,
            peer,
            id,
            started: SystemTime::now(),
            clock: Instant::now(),
            app: None,
            environ: None,
            meter: None,
            cpu_before: Duration::ZERO,
            status: None,
            response_headers: None,
            sent: 0,
            error: None,
            guest_failed: false,
            completed: false,
            _admitted: None,
        }
    }

    /// The request's id.
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The request that an app is to answer: the client's, or what another app has made of it.
    pub fn asked(&self) -> &Parts {
        self.sent_on.as_deref().unwrap_or(&self.request)
    }

    /// An app has the request answered by `target` of this host: a GET, or a HEAD if it was one, without body.
    pub fn sent_on(&mut self, target: PathAndQuery) {
        let mut request = self.asked().clone();
        if request.method != Method::HEAD {
            request.method = Method::GET;
        }
        for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            request.headers.remove(name);
        }
        let mut uri = std::mem::take(&mut request.uri).into_parts();
        uri.path_and_query = Some(target);
        // Never refused: a target with a path is valid beside any scheme and authority.
        request.uri = Uri::from_parts(uri).unwrap_or_default();
        self.sent_on = Some(Box::new(request));
    }

    /// The host has room for it.
    pub fn admitted(&mut self, admitted: Admitted) {
        self._admitted = Some(admitted);
    }

    /// The app that was found for it.
    pub fn routed(&mut self, app: &AppName) {
        self.app = Some(app.clone());
    }

    /// The name of the app that was found, if one was.
    pub fn app(&self) -> Option<&str> {
        self.app.as_ref().map(AppName::as_str)
    }

    /// The environ, kept only if the log wants it.
    pub fn environ(&mut self, environ: &Environ) {
        if self.log.wants_environ() {
            self.environ = Some(environ.clone());
        }
    }

    /// The app is called now; this tells the CPU time that it takes.
    pub fn called(&mut self, meter: Arc<Meter>) {
        let before = self.meter.replace(meter);
        self.cpu_before += before.map_or(Duration::ZERO, |meter| meter.cpu_time());
    }

    /// Why the app gives no answer.
    pub fn failed(&mut self, error: &Error) {
        self.error = Some(error.kind());
        self.guest_failed = matches!(error, Error::Guest(_));
    }

    /// Whether the app was called and failed.
    pub fn guest_failed(&self) -> bool {
        self.guest_failed
    }

    /// The head that is being sent.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        if self.log.wants_response_headers() {
            self.response_headers = Some(headers.clone());
        }
    }

    /// Bytes of body that were handed on.
    pub fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// The app broke off its body.
    pub fn cut(&mut self) {
        self.error = Some("body-cut");
        self.completed = true;
    }

    /// The whole body was handed on.
    pub fn completed(&mut self) {
        self.completed = true;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let left = StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::BAD_REQUEST);
        let error = if self.completed { self.error } else { self.error.or(Some("client-left")) };
        self.log.write(&Entry {
            peer: self.peer,
            request: Some(&self.request),
            started: self.started,
            elapsed: self.clock.elapsed(),
            status: self.status.unwrap_or(left),
            body_bytes: self.sent,
            response_headers: self.response_headers.as_ref(),
            environ: self.environ.as_ref().map(Environ::entries).unwrap_or_default(),
            app: self.app.as_ref().map(AppName::as_str),
            cpu_time: self.meter.as_ref().map(|meter| self.cpu_before + meter.cpu_time()),
            request_id: &self.id,
            error,
        });
    }
}
