//! What the operator wants served: read from host.toml or from the command line, checked once, and
//! from then on known to be sound.

mod address;
mod build;
mod error;
mod file;
mod grants;
mod mend;
mod name;
mod peers;
mod tenant;
#[cfg(test)]
mod tests;
mod warm;

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access_log::Format;
use crate::limits::{AppLimits, AppLimitsPatch, HostLimits, HostLimitsPatch, Span};
use crate::router::RoutePattern;

pub use address::{ListenAddr, ListenError};
pub use error::{ConfigError, Place, Problem};
pub(crate) use grants::path_bytes;
pub use grants::{DirGrant, EnvVar, GrantError, Grants};
pub use name::{AppName, NameError, TenantName};
pub use peers::{PeersError, TrustedPeers};
pub use tenant::{TenantConfig, Weight, WeightError};
pub use warm::Warm;

/// All that a host needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; at least one address. Default 127.0.0.1:8080.
    pub listen: Vec<ListenAddr>,
    /// At least one app. Names and routes are unique.
    pub apps: Vec<AppConfig>,
    /// What was said of tenants. A tenant may have apps and stand nowhere here.
    pub tenants: BTreeMap<TenantName, TenantConfig>,
    /// What the host as a whole may use.
    pub limits: HostLimits,
    /// How the memory of an instance is made clean for the next. Default [`ResetMode::Auto`].
    pub slot_reset: ResetMode,
    /// Whose `X-Request-Id` is taken over. Default nobody's.
    pub trusted_peers: TrustedPeers,
    /// How long requests may go on once the host was told to stop. Default 30 s.
    pub grace: Span,
    /// Where request bodies lie that are too large for memory. Default `/var/tmp`, which is seldom memory itself.
    pub spool_dir: Option<PathBuf>,
    /// Where compiled components are kept. Default the user's cache directory.
    pub cache_dir: Option<PathBuf>,
    /// Where the access log goes.
    pub access_log: AccessLogTarget,
    /// What a line of it looks like.
    pub access_log_format: Format,
}

/// One app: its code, who may reach it, what it was given and what it may use.
///
/// Serialised to JSON for the process that compiles it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AppConfig {
    /// Its name in logs, unique in the host.
    pub name: AppName,
    /// Who owns it; by default a tenant of the app's own name.
    pub tenant: TenantName,
    /// Its `.wasm` file.
    #[serde(with = "grants::path_bytes")]
    pub component: PathBuf,
    /// Which requests are its own; at least one.
    pub routes: Vec<RoutePattern>,
    /// What it was given of the host.
    pub grants: Grants,
    /// What it may use.
    pub limits: AppLimits,
    /// How many requests one instance may serve, at least 1. Default 1: each request gets a fresh instance.
    pub reuse: u32,
    /// How many instances are made before anybody asks for them. Default none.
    pub warm: Warm,
    /// When the app is called. Default [`RequestBody::Buffer`].
    pub request_body: RequestBody,
}

/// Whether the app is called before or after the host has its request body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RequestBody {
    /// After: a slow client holds no instance, and the length is always known.
    #[default]
    Buffer,
    /// Before: the app reads the body as it comes.
    Stream,
}

/// How the memory of an instance is made clean for the next one. There is no way to ask for the fast way
/// where it is not safe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ResetMode {
    /// The fast way (`pagemap_scan`) where nothing can be swapped, the other elsewhere.
    #[default]
    Auto,
    /// The way that is safe everywhere.
    Madvise,
}

/// Where the access log goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// `-`, the default.
    #[default]
    Stdout,
    /// `off`.
    Off,
    /// A file, to which lines are appended.
    File(PathBuf),
}

/// What the command line sets. Where a flag and host.toml say the same thing the flag counts; what
/// host.toml says of one app comes before flags, which speak of all.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`, which replaces all of the file's addresses.
    pub listen: Vec<ListenAddr>,
    /// Limits of the host.
    pub host_limits: HostLimitsPatch,
    /// Limits of each app that sets none of its own.
    pub app_limits: AppLimitsPatch,
    /// `--reuse`, for each app that says nothing of its own.
    pub reuse: Option<u32>,
    /// `--warm-min`, for each app that says nothing of `warm`.
    pub warm_min: Option<u32>,
    /// `--warm-max`, likewise.
    pub warm_max: Option<u32>,
    /// `--request-body`, for each app that says nothing of its own.
    pub request_body: Option<RequestBody>,
    /// `--env`, for a single app. Of two with one name the later counts.
    pub env: Vec<EnvVar>,
    /// `--dir`, for a single app.
    pub dirs: Vec<DirGrant>,
    /// `--slot-reset`.
    pub slot_reset: Option<ResetMode>,
    /// `--grace`.
    pub grace: Option<Span>,
    /// `--spool-dir`.
    pub spool_dir: Option<PathBuf>,
    /// `--cache`.
    pub cache_dir: Option<PathBuf>,
    /// `--access-log`.
    pub access_log: Option<AccessLogTarget>,
    /// `--access-log-format`.
    pub access_log_format: Option<Format>,
}

// === impl AccessLogTarget ===

impl Display for AccessLogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::Off => f.write_str("off"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for AccessLogTarget {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "-" => Self::Stdout,
            "off" => Self::Off,
            path => Self::File(path.into()),
        })
    }
}
