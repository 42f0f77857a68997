//! What can be wrong with a configuration: where, why, and what to do about it.

use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;

use crate::access_log::FormatError;
use crate::limits::Size;
use crate::router::{RouteError, RoutePattern};

use super::{AppName, GrantError, ListenError, NameError, PeersError, TenantName, WeightError};

/// Why a configuration is refused. One line each, fit for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}; check the path and who may read it", path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Flags and arguments that do not go together or make no sense.
    #[error("{flag}: {problem}")]
    Usage {
        /// The flag.
        flag: &'static str,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// Something that was read is wrong.
    #[error("{place}: {problem}")]
    Invalid {
        /// Where it stands.
        place: Place,
        /// What is wrong there.
        problem: Box<Problem>,
    },
}

/// A place in a file, or a file or directory as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file or directory.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key, dotted, such as `app.limits.cpu-max`; empty if there is none to name.
    pub key: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML, an unknown key, or a value of the wrong type or out of range.
    #[error("{0}")]
    Toml(String),
    /// A bad name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file name that gives no name to its app.
    #[error("the app is named after its file, and {0}")]
    FileName(NameError),
    /// A bad address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A list of addresses without any.
    #[error("the list of addresses is empty; name one or leave the key out")]
    ListenNowhere,
    /// A bad route.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A bad variable or directory.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A bad peer.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// A bad format of the access log.
    #[error(transparent)]
    AccessLogFormat(#[from] FormatError),
    /// No app in a file.
    #[error("there is no app; add an [[app]] with name, component and routes")]
    NoApp,
    /// No app in a directory.
    #[error("there is no .wasm file in this directory; put one there, or name the file itself")]
    EmptyDirectory,
    /// Two apps of one name.
    #[error("there is another app named {0}; give each its own name")]
    DuplicateApp(AppName),
    /// Two tenants of one name.
    #[error("tenant {0} is listed twice; delete one")]
    DuplicateTenant(TenantName),
    /// `concurrency-max = 0` for a tenant.
    #[error("no request of tenant {0} could ever run; write at least 1, or take its apps out")]
    TenantShutOut(TenantName),
    /// A tenant that is not in the list.
    #[error("there is no tenant {0}; add a [[tenant]] of that name or correct this one")]
    UnknownTenant(TenantName),
    /// A tenant's share that is out of bounds.
    #[error(transparent)]
    Weight(#[from] WeightError),
    /// An app that nobody can reach.
    #[error("app {0} has no route; add one, such as \"/{0}\"")]
    NoRoute(AppName),
    /// One route for two apps, or twice for one.
    #[error("route {route} leads to app {app} already; change or delete one")]
    DuplicateRoute {
        /// The route.
        route: RoutePattern,
        /// Where it leads to.
        app: AppName,
    },
    /// One path in the guest for two directories.
    #[error("guest path {0} is granted already; give each directory its own")]
    DuplicateGuestPath(String),
    /// `reuse = 0`.
    #[error("an instance serves at least one request; write 1 for a fresh instance each time")]
    ReuseZero,
    /// More warm instances at least than at most.
    #[error("warm-min of {min} is over warm-max, {max}; raise the one or lower the other")]
    WarmMinOverMax {
        /// The value of warm-min.
        min: u32,
        /// The value of warm-max.
        max: u32,
    },
    /// More warm instances than requests can run.
    #[error(
        "{max} warm instances are more than concurrency-max, {concurrency_max}, lets run; lower the one or raise the other"
    )]
    WarmOverConcurrencyMax {
        /// The value of warm-max.
        max: u32,
        /// The value of concurrency-max.
        concurrency_max: u32,
    },
    /// A grant that would go to several apps.
    #[error("it grants to a single app; name one APP.wasm, or use a config file, where each app has its own grants")]
    SingleAppOnly,
    /// What may cross in one host call is less than what a limit allows.
    #[error("{limit} of {value} is over hostcall-max, {hostcall_max}; raise hostcall-max or lower {limit}")]
    OverHostcallMax {
        /// The limit in question.
        limit: &'static str,
        /// Its value.
        value: Size,
        /// The value of hostcall-max.
        hostcall_max: Size,
    },
    /// A body may be larger than the spool.
    #[error(
        "body-max of {body_max} is over spool-max, {spool_max}, so it could never be used; lower it, or raise spool-max"
    )]
    OverSpoolMax {
        /// The value of body-max.
        body_max: Size,
        /// The value of spool-max.
        spool_max: Size,
    },
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        Ok(())
    }
}
