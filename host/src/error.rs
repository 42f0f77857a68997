//! Why a request got no answer from its app, by blame. The one place that maps to HTTP.
//!
//! What the client is told and what the log says are different texts: guest bytes, paths and
//! backtraces never reach a client.

use std::time::Duration;

use http::StatusCode;

use crate::cgi::NotText;
use crate::net::body::BodyError;
use crate::request_check::BadRequest;
use crate::requests::HostFull;
use crate::sandbox::fault::Fault;
use crate::sandbox::meter::Overrun;
use crate::sandbox::pool::{Busy, PoolError};

/// Why a request got no answer from its app.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's: the request cannot be served as it is.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The client's, mostly: its body could not be taken.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The client's: its request cannot be told to a program.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The route's: no app is there.
    #[error("no app has a route for this host and path")]
    NoRoute,
    /// The capacity's: that of the host as a whole.
    #[error(transparent)]
    HostFull(#[from] HostFull),
    /// The capacity's: that of the app.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The guests': each sends the request on to the next.
    #[error("the applications send the request on to one another more than {0} times (redirects-max)")]
    Redirects(u32),
    /// The guest's, or the host's if it could not make an instance.
    #[error(transparent)]
    Guest(#[from] Fault),
}

/// Whose doing an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client's: it asked for what cannot be done.
    Client,
    /// The route's: there is none.
    Route,
    /// The capacity's: too much at once.
    Capacity,
    /// The guest's.
    Guest,
    /// The host's own.
    Host,
}

/// When a client whose body found no room may come back: other bodies are read in the meantime.
const BUSY: Duration = Duration::from_secs(1);

impl Error {
    /// The status of the reply.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(error) => error.status(),
            Self::Body(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::Broken(_)) | Self::NotText(_) => StatusCode::BAD_REQUEST,
            Self::Pool(PoolError { busy: Busy::Tenant, .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::HostFull(_) | Self::Pool(_) | Self::Body(BodyError::SpoolFull(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(BodyError::Spool(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Redirects(_) => StatusCode::BAD_GATEWAY,
            Self::Guest(fault) => fault_status(fault),
        }
    }

    /// The kind of error in logs and metrics: one of a closed set.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::NotText(_) => "not-text",
            Self::Body(BodyError::TooLarge(_)) => "body-too-large",
            Self::Body(BodyError::TooSlow) => "body-too-slow",
            Self::Body(BodyError::Broken(_)) => "body-broken",
            Self::Body(BodyError::SpoolFull(_)) => "spool-full",
            Self::Body(BodyError::Spool(_)) => "spool-failed",
            Self::NoRoute => "no-route",
            Self::Redirects(_) => "redirects-max",
            Self::HostFull(_) => "host-full",
            Self::Pool(PoolError { busy: Busy::QueueFull, .. }) => "queue-full",
            Self::Pool(PoolError { busy: Busy::QueueTimeout, .. }) => "queue-timeout",
            Self::Pool(PoolError { busy: Busy::Tenant, .. }) => "tenant-busy",
            Self::Guest(fault) => fault.kind(),
        }
    }

    /// Whose doing it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::BadRequest(_)
            | Self::NotText(_)
            | Self::Body(BodyError::TooLarge(_) | BodyError::TooSlow | BodyError::Broken(_)) => Blame::Client,
            Self::NoRoute => Blame::Route,
            Self::HostFull(_) | Self::Pool(_) | Self::Body(BodyError::SpoolFull(_)) => Blame::Capacity,
            Self::Guest(Fault::ClientLeft) => Blame::Client,
            Self::Guest(Fault::Instantiate(_) | Fault::Spool(_) | Fault::Bundle(_))
            | Self::Body(BodyError::Spool(_)) => Blame::Host,
            Self::Guest(_) | Self::Redirects(_) => Blame::Guest,
        }
    }

    /// When to try again, for errors that pass.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Pool(error) => Some(error.retry_after),
            Self::HostFull(_) | Self::Body(BodyError::SpoolFull(_)) => Some(BUSY),
            _ => None,
        }
    }

    /// What the client may know.
    pub fn client_text(&self) -> String {
        match self {
            Self::BadRequest(error) => error.to_string(),
            Self::NotText(error) => format!("{error}."),
            Self::Body(BodyError::Broken(_)) => "The request body broke off or is malformed.".into(),
            Self::Body(BodyError::Spool(_)) => "The server cannot take the request body.".into(),
            Self::Pool(PoolError { busy: Busy::Tenant, .. }) => "Too many requests for this site; try again.".into(),
            Self::HostFull(_) | Self::Pool(_) | Self::Body(BodyError::SpoolFull(_)) => {
                "The server is busy; try again.".into()
            }
            Self::Body(BodyError::TooLarge(max)) => format!("The request body is longer than {max}."),
            Self::Body(BodyError::TooSlow) => "The request body came too slowly.".into(),
            Self::NoRoute => "Nothing is served here.".into(),
            Self::Guest(Fault::ClientLeft) => "The request body broke off.".into(),
            Self::Guest(Fault::Overrun { .. }) => "The application took too long.".into(),
            Self::Guest(Fault::Misuse(_)) | Self::Redirects(_) => "The application gave no valid response.".into(),
            Self::Guest(Fault::Spool(_)) => "The server lost the request body.".into(),
            Self::Guest(_) => "The application failed.".into(),
        }
    }

    /// Whether the connection must end: the rest of this request, or what follows it, cannot be told
    /// from a request.
    pub fn closes_connection(&self) -> bool {
        matches!(self, Self::BadRequest(_) | Self::Body(_) | Self::Guest(Fault::ClientLeft))
    }
}

fn fault_status(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Overrun { overrun: Overrun::Cpu | Overrun::Wall, .. } => StatusCode::GATEWAY_TIMEOUT,
        Fault::Misuse(_) => StatusCode::BAD_GATEWAY,
        // As for a body that breaks off before the guest is called. Only a client that still listens reads it.
        Fault::ClientLeft => StatusCode::BAD_REQUEST,
        // An abandoned guest has no client left to read this.
        Fault::Overrun { overrun: Overrun::Abandoned, .. }
        | Fault::Trap(_)
        | Fault::OutOfMemory(_)
        | Fault::Exit(_)
        | Fault::Failed(_)
        | Fault::Spool(_)
        | Fault::Bundle(_)
        | Fault::Instantiate(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
