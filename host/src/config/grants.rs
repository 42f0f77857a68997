//! What an app is given of the host: variables and directories, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an app was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grants {
    /// Its environment; nothing of the host's own is in it. Names are not empty and without `=`.
    pub env: BTreeMap<String, String>,
    /// Directories; their guest paths are unique.
    pub dirs: Vec<DirGrant>,
}

/// A directory of the host that a guest may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DirGrant {
    /// Where it is on the host.
    #[serde(with = "path_bytes")]
    pub host: PathBuf,
    /// What the guest calls it: an absolute path without `.`, `..` and empty segments.
    pub guest: String,
    /// Whether the guest may change what is in it.
    pub writable: bool,
}

/// A variable, written `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name: not empty, without `=` and NUL.
    pub name: String,
    /// Its value, without NUL.
    pub value: String,
}

/// Why a grant is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// No `=`.
    #[error("{0:?} is not a variable; write NAME=VALUE")]
    NoVariable(String),
    /// An empty name, or one with `=` or NUL.
    #[error("{0:?} is not the name of a variable; it may not be empty nor have `=` or NUL in it")]
    VariableName(String),
    /// NUL in a value.
    #[error("the value of variable {0:?} has a NUL in it; take it out")]
    VariableValue(String),
    /// No `:`.
    #[error("{0:?} is not a directory grant; write HOST:GUEST or HOST:GUEST:ro, such as ./data:/data:ro")]
    NoDirectory(String),
    /// An empty host path.
    #[error("the host's directory is empty; write `.` for the current one")]
    NoHost,
    /// A guest path that is no plain absolute one.
    #[error("guest path {0:?} is not absolute and plain; start it with `/` and leave out `.`, `..` and `//`")]
    GuestPath(String),
}

/// Paths for the process that compiles, byte by byte: serde takes none that is not UTF-8.
pub(crate) mod path_bytes {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Vec::deserialize(deserializer).map(|bytes| OsString::from_vec(bytes).into())
    }
}

impl DirGrant {
    /// A grant of `host` as `guest`; a `/` at the end of `guest` means nothing.
    pub fn new(host: PathBuf, guest: &str, writable: bool) -> Result<Self, GrantError> {
        if host.as_os_str().is_empty() {
            return Err(GrantError::NoHost);
        }
        let refused = || GrantError::GuestPath(guest.to_owned());
        let path = guest.strip_prefix('/').ok_or_else(refused)?;
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let is_plain = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\0');
        if !path.is_empty() && !path.split('/').all(is_plain) {
            return Err(refused());
        }
        Ok(Self { host, guest: format!("/{path}"), writable })
    }

    pub(super) fn relative_to(self, dir: &Path) -> Self {
        Self { host: dir.join(self.host), ..self }
    }
}

impl FromStr for DirGrant {
    type Err = GrantError;

    /// Parses `HOST:GUEST` or `HOST:GUEST:ro`. The host's path may have colons in it.
    fn from_str(text: &str) -> Result<Self, GrantError> {
        let (paths, writable) = match text.strip_suffix(":ro") {
            Some(paths) => (paths, false),
            None => (text, true),
        };
        let (host, guest) = paths.rsplit_once(':').ok_or_else(|| GrantError::NoDirectory(text.to_owned()))?;
        Self::new(host.into(), guest, writable)
    }
}

impl EnvVar {
    /// A variable.
    pub fn new(name: String, value: String) -> Result<Self, GrantError> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(GrantError::VariableName(name));
        }
        if value.contains('\0') {
            return Err(GrantError::VariableValue(name));
        }
        Ok(Self { name, value })
    }
}

impl FromStr for EnvVar {
    type Err = GrantError;

    /// Parses `NAME=VALUE`; the value may have `=` in it.
    fn from_str(text: &str) -> Result<Self, GrantError> {
        let (name, value) = text.split_once('=').ok_or_else(|| GrantError::NoVariable(text.to_owned()))?;
        Self::new(name.to_owned(), value.to_owned())
    }
}
