//! What an app asks for. It is written by the app's author and grants nothing: the operator does, in
//! host.toml or by flags.

use std::collections::BTreeSet;

use http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};

use super::{MOUNT, name};
use crate::config::{DirGrant, EnvVar, Grants};
use crate::text::printable;

/// The version of the format that this host reads and writes.
pub const VERSION: u32 = 1;

/// Bytes of an asks section.
pub const SIZE_MAX: usize = 64 << 10;

/// Entries of one of its lists.
pub const LIST_MAX: usize = 256;

/// Further places of its bundle: each is an open folder, and one more for its instances to carry.
pub const MOUNTS_MAX: usize = 4;

/// What libraries take for something else.
const RESERVED: &[&str] = &["/dev", "/etc", "/proc", "/sys", "/tmp"];

/// Bytes of one of its texts.
pub const TEXT_MAX: usize = 1024;

/// What an app asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Asks {
    /// [`VERSION`].
    pub version: u32,
    /// Names of environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Hosts that it calls, as `NAME` or `NAME:PORT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirs: Vec<DirAsk>,
    /// Folders of its bundle that may be served without calling it.
    #[serde(default, rename = "static", skip_serializing_if = "Vec::is_empty")]
    pub statics: Vec<StaticAsk>,
    /// The path of a request that readies an instance before its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<String>,
    /// Further places of its bundle, under which it may remember its files from when it was built. The
    /// one thing that is given without asking the operator: it holds nothing but the app's own files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<MountAsk>,
    /// The tools that built it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub built_by: Vec<Tool>,
}

/// A directory that an app asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DirAsk {
    /// Where it wants it, absolute and plain, such as `/data`.
    pub path: String,
    /// Whether it wants to change what is in it.
    #[serde(default)]
    pub writable: bool,
    /// Whether no two instances may use it at the same time, since WASI has no file locks (SQLite). Holds as
    /// soon as any directory is granted that the app may change.
    #[serde(default)]
    pub single: bool,
}

/// A folder of the bundle for a part of the app's URLs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StaticAsk {
    /// Prefix of the path, such as `/static`.
    pub url: String,
    /// The folder, relative to `/app`.
    pub folder: String,
}

/// Another place of the bundle, or of a folder of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MountAsk {
    /// The place: `/` and one segment, such as `/0`.
    pub guest: String,
    /// The folder, relative to `/app`; empty for all of it.
    #[serde(default)]
    pub folder: String,
}

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tool {
    /// Its name, such as `componentize-py`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Why asks are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AsksError {
    /// Over [`SIZE_MAX`].
    #[error("what it asks for takes more than 64 KiB; ask for less")]
    TooLarge,
    /// Not JSON of this shape.
    #[error("what it asks for cannot be read: {0}; build the app anew")]
    Malformed(String),
    /// Another version.
    #[error(
        "it asks in version {0} of the format, and this wasgi knows version 1; upgrade wasgi, or build the app with this one"
    )]
    Version(u32),
    /// A list over [`LIST_MAX`] or [`MOUNTS_MAX`].
    #[error("it asks for more than {0} {1}; ask for fewer")]
    TooMany(usize, &'static str),
    /// Something in a list that may not be there.
    #[error("it asks for {what} {value:?}, which {reason}; correct it and build the app anew")]
    Bad {
        /// What it should be.
        what: &'static str,
        /// What it is, in printable form.
        value: String,
        /// Why not.
        reason: &'static str,
    },
}

/// Something that is asked for and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub ask: String,
    /// What would grant it.
    pub mend: String,
}

impl Default for Asks {
    fn default() -> Self {
        Self {
            version: VERSION,
            env: Vec::new(),
            hosts: Vec::new(),
            dirs: Vec::new(),
            statics: Vec::new(),
            warm_up: None,
            mounts: Vec::new(),
            built_by: Vec::new(),
        }
    }
}

impl Asks {
    /// Reads the content of an asks section.
    ///
    /// # Errors
    /// [`AsksError`].
    pub fn parse(json: &[u8]) -> Result<Self, AsksError> {
        /// Whatever else there is: another version may have other keys.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }

        if json.len() > SIZE_MAX {
            return Err(AsksError::TooLarge);
        }
        let malformed = |error: serde_json::Error| AsksError::Malformed(printable(&error.to_string(), 256));
        let Versioned { version } = serde_json::from_slice(json).map_err(malformed)?;
        if version != VERSION {
            return Err(AsksError::Version(version));
        }
        let asks: Self = serde_json::from_slice(json).map_err(malformed)?;
        asks.check()?;
        Ok(asks)
    }

    /// The content of an asks section: the same asks give the same bytes.
    ///
    /// # Errors
    /// [`AsksError`]: what would not be read again is not written.
    pub fn to_json(&self) -> Result<Vec<u8>, AsksError> {
        self.check()?;
        let json = serde_json::to_vec(self).map_err(|error| AsksError::Malformed(error.to_string()))?;
        if json.len() > SIZE_MAX { Err(AsksError::TooLarge) } else { Ok(json) }
    }

    /// Whether the app must run as one instance at a time, with these grants.
    pub fn is_single(&self, grants: &Grants) -> bool {
        self.dirs.iter().any(|dir| dir.single) && grants.dirs.iter().any(|dir| dir.writable)
    }

    /// Everything that somebody would have to grant, in words.
    pub fn all(&self) -> Vec<String> {
        let env = self.env.iter().map(|name| env_ask(name));
        let hosts = self.hosts.iter().map(|host| host_ask(host));
        env.chain(hosts).chain(self.dirs.iter().map(dir_ask)).collect()
    }

    /// What is asked for and not granted, and what would grant it.
    pub fn missing(&self, grants: &Grants) -> Vec<Missing> {
        let env = self.env.iter().filter(|name| !grants.env.contains_key(*name)).map(|name| Missing {
            ask: env_ask(name),
            mend: format!("`env = {{ {name} = \"...\" }}` in its [[app]] of host.toml, or --env {name}=VALUE"),
        });
        let hosts = self
            .hosts
            .iter()
            .map(|host| Missing { ask: host_ask(host), mend: "nothing yet: this wasgi lets no app call out".into() });
        let dirs = self.dirs.iter().filter(|dir| !is_granted(dir, grants)).map(|dir| {
            let (path, mode) = (&dir.path, if dir.writable { "" } else { ":ro" });
            let writable = if dir.writable { " and `writable = true`" } else { "" };
            Missing {
                ask: dir_ask(dir),
                mend: format!(
                    "an [[app.dir]] of host.toml with `guest = \"{path}\"`{writable}, or --dir HOST:{path}{mode}"
                ),
            }
        });
        env.chain(hosts).chain(dirs).collect()
    }

    /// Whether everything keeps the rules.
    ///
    /// # Errors
    /// [`AsksError`].
    pub fn check(&self) -> Result<(), AsksError> {
        if self.version != VERSION {
            return Err(AsksError::Version(self.version));
        }
        let lists = [
            (self.env.len(), "variables"),
            (self.hosts.len(), "hosts"),
            (self.dirs.len(), "directories"),
            (self.statics.len(), "static folders"),
            (self.built_by.len(), "tools"),
        ];
        if let Some((_, what)) = lists.into_iter().find(|(length, _)| *length > LIST_MAX) {
            return Err(AsksError::TooMany(LIST_MAX, what));
        }
        self.env.iter().try_for_each(|name| check_variable(name))?;
        self.hosts.iter().try_for_each(|host| check_host(host))?;
        self.dirs.iter().try_for_each(|dir| check_place("directory", &dir.path))?;
        no_twice("directory", self.dirs.iter().map(|dir| dir.path.as_str()))?;
        for StaticAsk { url, folder } in &self.statics {
            check_url("static path", url)?;
            check_folder("static folder", folder)?;
        }
        self.warm_up.iter().try_for_each(|path| check_url("warm-up path", path))?;
        if self.mounts.len() > MOUNTS_MAX {
            return Err(AsksError::TooMany(MOUNTS_MAX, "mounts"));
        }
        for MountAsk { guest, folder } in &self.mounts {
            check_place("mount", guest)?;
            if guest.matches('/').count() > 1 || guest == MOUNT || RESERVED.contains(&guest.as_str()) {
                return Err(bad(
                    "mount",
                    guest,
                    "is not `/` and one segment, or is the bundle's own place or the system's",
                ));
            }
            check_folder("mounted folder", folder)?;
        }
        no_twice("mount", self.mounts.iter().map(|mount| mount.guest.as_str()))?;
        self.built_by.iter().try_for_each(|tool| {
            text("tool", &tool.name)?;
            text("tool's version", &tool.version)
        })
    }
}

fn env_ask(name: &str) -> String {
    format!("variable {name}")
}

fn host_ask(host: &str) -> String {
    format!("outgoing host {host}")
}

fn dir_ask(dir: &DirAsk) -> String {
    format!("{}directory {}", if dir.writable { "writable " } else { "" }, dir.path)
}

fn is_granted(ask: &DirAsk, grants: &Grants) -> bool {
    grants.dirs.iter().any(|dir| dir.guest == ask.path && (dir.writable || !ask.writable))
}

fn bad(what: &'static str, value: &str, reason: &'static str) -> AsksError {
    AsksError::Bad { what, value: printable(value, 256), reason }
}

fn text(what: &'static str, value: &str) -> Result<(), AsksError> {
    if value.is_empty() || value.len() > TEXT_MAX || value.chars().any(char::is_control) {
        return Err(bad(what, value, "is empty, over 1024 bytes or has control characters"));
    }
    Ok(())
}

fn check_variable(name: &str) -> Result<(), AsksError> {
    text("variable", name)?;
    match EnvVar::new(name.to_owned(), String::new()) {
        Ok(_) => Ok(()),
        Err(_) => Err(bad("variable", name, "is no name of a variable")),
    }
}

fn check_host(host: &str) -> Result<(), AsksError> {
    text("host", host)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '*' | '_');
    if host.chars().all(is_name) { Ok(()) } else { Err(bad("host", host, "is not written as NAME or NAME:PORT")) }
}

fn check_place(what: &'static str, path: &str) -> Result<(), AsksError> {
    text(what, path)?;
    let plain = DirGrant::new("/".into(), path, false).is_ok_and(|grant| grant.guest == path);
    if !plain || path == "/" {
        return Err(bad(what, path, "is not an absolute, plain path"));
    }
    Ok(())
}

fn check_folder(what: &'static str, folder: &str) -> Result<(), AsksError> {
    match name::check(folder) {
        Ok(()) => Ok(()),
        Err(_) if folder.is_empty() => Ok(()),
        Err(_) => Err(bad(what, folder, "is not a plain path in the bundle")),
    }
}

fn check_url(what: &'static str, url: &str) -> Result<(), AsksError> {
    text(what, url)?;
    let is_path = url.starts_with('/') && url.parse::<PathAndQuery>().is_ok();
    if is_path { Ok(()) } else { Err(bad(what, url, "is no path of a URL")) }
}

fn no_twice<'a>(what: &'static str, values: impl Iterator<Item = &'a str>) -> Result<(), AsksError> {
    let mut known = BTreeSet::new();
    for value in values {
        if !known.insert(value) {
            return Err(bad(what, value, "is there twice"));
        }
    }
    Ok(())
}

/// Whether `path` is `folder` or in it. Both are absolute and plain.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || folder == "/"
}
