//! Names of apps and tenants.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a name; take 1 to 64 of the characters a-z, 0-9, `.`, `_` and `-`, the first one a letter or digit"
)]
pub struct NameError(String);

/// Declares a name type; names stand in URLs, logs and file names, so they are plain and short.
macro_rules! name {
    ($(#[doc = $doc:literal])+ $type:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if is_name(text) { Ok(Self(text.into())) } else { Err(NameError(text.to_owned())) }
            }
        }

        impl Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

name! {
    /// The name of an app: `[a-z0-9][a-z0-9._-]*`, at most 64 characters. Cheap to clone.
    AppName
}

name! {
    /// The name of a tenant, in the same form. Cheap to clone.
    TenantName
}

impl TenantName {
    /// The owner of a guest that runs before there is a host; nobody else can have this name.
    pub(crate) fn nobody() -> Self {
        Self("".into())
    }
}

impl AppName {
    /// The tenant of an app that names none: its own.
    pub fn as_tenant(&self) -> TenantName {
        TenantName(Arc::clone(&self.0))
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LENGTH_MAX
        && text.bytes().next().is_some_and(is_plain)
        && text.bytes().all(|byte| is_plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

/// Short enough for a column of a log.
const LENGTH_MAX: usize = 64;
