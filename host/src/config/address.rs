//! Addresses to listen on.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::authority;

/// Where to listen: `HOST:PORT`, `:PORT` for every IPv4 address of the machine, or `unix:PATH`.
///
/// Port 0 takes a free one. A host name is resolved when the host binds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddr {
    /// A TCP address.
    Tcp {
        /// A name or address; an IPv6 address stands without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket, made by the host.
    Unix(PathBuf),
}

/// Why a text is no [`ListenAddr`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address to listen on; write 127.0.0.1:8080, [::1]:8080, :8080 or unix:/run/wasgi.sock")]
pub struct ListenError(String);

impl ListenAddr {
    /// The same address, a relative socket path being taken from `dir`.
    pub(super) fn relative_to(self, dir: &Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(dir.join(path)),
            tcp @ Self::Tcp { .. } => tcp,
        }
    }
}

impl Default for ListenAddr {
    fn default() -> Self {
        // Not reachable from elsewhere: apps may be open to the world only on purpose.
        Self::Tcp { host: "127.0.0.1".to_owned(), port: 8080 }
    }
}

impl FromStr for ListenAddr {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let refused = || ListenError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() || path.contains('\0') { Err(refused()) } else { Ok(Self::Unix(path.into())) };
        }
        if !authority::is_valid(text.as_bytes()) {
            return Err(refused());
        }
        let (host, port) = authority::split_port(text);
        let port = port.and_then(|port| port.parse().ok()).ok_or_else(refused)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            None if host.is_empty() => "0.0.0.0",
            None => host,
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
