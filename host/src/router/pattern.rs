//! The patterns of routes, as they stand in host.toml, and the hosts of requests.

use std::cmp::Ordering;
use std::fmt::{self, Display};
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::native;

/// What requests go to an app: `/prefix`, `host/prefix` or `host`.
///
/// A prefix is written as in a URL, so that `%20` is a space; a `/` at its end means nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePattern {
    /// None for requests to any host.
    pub(super) host: Option<HostName>,
    /// Decoded, a native string; empty for `/`, else it starts with `/` and does not end in it.
    pub(super) prefix: String,
}

/// The host of a route: a name or address in lower case, or an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostName {
    /// A domain name or an IPv4 address, without port and without the dot at its end.
    Name(Box<str>),
    /// An IPv6 address; compared as a number, since it has many spellings.
    Ipv6(Ipv6Addr),
}

/// Why a text is no [`RoutePattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Nothing there.
    #[error("a route is empty; write \"/\" for every path")]
    Empty,
    /// A host with a port.
    #[error("route host {0:?} has a port; leave it out: a route holds on every listener")]
    Port(String),
    /// A host that is no name and no address.
    #[error(
        "{0:?} is not a host; write a name such as shop.example.org (punycode, no wildcard) or an address, or start the route with \"/\""
    )]
    Host(String),
    /// A prefix that no request could mean.
    #[error("prefix {prefix:?} has {what}; write it as the path of a URL, such as /shop/api")]
    Prefix {
        /// The prefix as given.
        prefix: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The host of a request, as it came, without port and final dot.
#[derive(Debug, Clone, Copy)]
pub(super) enum RequestHost<'a> {
    Name(&'a str),
    Ipv6(Ipv6Addr),
}

// === impl RoutePattern ===

impl RoutePattern {
    /// `/name` at any host, for a name without special characters.
    pub(crate) fn at_segment(name: &str) -> Self {
        Self { host: None, prefix: format!("/{name}") }
    }

    /// Every path at any host.
    pub fn everything() -> Self {
        Self { host: None, prefix: String::new() }
    }

    /// The host, or none for any host.
    pub fn host(&self) -> Option<&HostName> {
        self.host.as_ref()
    }

    /// The decoded prefix as a native string, which is SCRIPT_NAME for the requests that match.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for RoutePattern {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        if text.is_empty() {
            return Err(RouteError::Empty);
        }
        let (host, prefix) = text.split_at(text.find('/').unwrap_or(text.len()));
        let host = if host.is_empty() { None } else { Some(host.parse()?) };
        Ok(Self { host, prefix: parse_prefix(prefix)? })
    }
}

impl Display for RoutePattern {
    /// The pattern in a form that parses to the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            host.fmt(f)?;
        }
        if self.prefix.is_empty() {
            return f.write_str("/");
        }
        // A prefix is made of bytes, so none of its chars is past Latin-1.
        let bytes = native::to_bytes(&self.prefix).unwrap_or_default();
        percent_encode(&bytes, ESCAPED).fmt(f)
    }
}

impl Serialize for RoutePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RoutePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Bytes that would not come back as they are, or that a terminal would act on.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'\\');

fn parse_prefix(prefix: &str) -> Result<String, RouteError> {
    let refused = |what| Err(RouteError::Prefix { prefix: prefix.to_owned(), what });
    if prefix.contains(['?', '#']) {
        return refused("a query or fragment");
    }
    let bytes = percent_decode_str(prefix).collect::<Vec<u8>>();
    let path = bytes.strip_suffix(b"/").unwrap_or(&bytes);
    if path.iter().any(u8::is_ascii_control) {
        return refused("a control character");
    }
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        match segment {
            b"" => return refused("an empty segment"),
            b"." | b".." => return refused("a `.` or `..` segment"),
            _ => {}
        }
    }
    Ok(native::from_bytes(path))
}

// === impl HostName ===

impl FromStr for HostName {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let refused = || RouteError::Host(text.to_owned());
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']').ok_or_else(refused)?;
            let address = address.parse().map_err(|_| refused())?;
            return match rest {
                "" => Ok(Self::Ipv6(address)),
                _ if rest.starts_with(':') => Err(RouteError::Port(text.to_owned())),
                _ => Err(refused()),
            };
        }
        if let Some((name, port)) = text.split_once(':') {
            let is_port = !name.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            return Err(if is_port { RouteError::Port(text.to_owned()) } else { refused() });
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let labels_fit = name.split('.').all(|label| (1..=LABEL_MAX).contains(&label.len()));
        if name.len() > NAME_MAX || !labels_fit || !name.bytes().all(is_name_byte) {
            return Err(refused());
        }
        Ok(Self::Name(name.to_ascii_lowercase().into()))
    }
}

impl Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

/// RFC 1035 section 2.3.4.
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 253;

fn is_name_byte(byte: u8) -> bool {
    // `_` is not for host names, yet people have them.
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

// === impl RequestHost ===

impl<'a> RequestHost<'a> {
    /// The host of a Host header or authority. None if it is malformed or empty, since no route has such a host.
    pub(super) fn of(host: &'a str) -> Option<Self> {
        if let Some(rest) = host.strip_prefix('[') {
            let (address, _port) = rest.split_once(']')?;
            return address.parse().ok().map(Self::Ipv6);
        }
        let name = host.split_once(':').map_or(host, |(name, _port)| name);
        let name = name.strip_suffix('.').unwrap_or(name);
        (!name.is_empty()).then_some(Self::Name(name))
    }

    /// How `known` is ordered against this host, in the order of [`HostName`].
    pub(super) fn order_of(&self, known: &HostName) -> Ordering {
        match (known, self) {
            (HostName::Name(known), Self::Name(name)) => {
                known.bytes().cmp(name.bytes().map(|byte| byte.to_ascii_lowercase()))
            }
            (HostName::Ipv6(known), Self::Ipv6(address)) => known.cmp(address),
            (HostName::Name(_), Self::Ipv6(_)) => Ordering::Less,
            (HostName::Ipv6(_), Self::Name(_)) => Ordering::Greater,
        }
    }
}
