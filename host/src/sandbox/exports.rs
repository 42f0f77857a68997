//! What a component exports says what it is and how it is called.

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi::p2::bindings::{Command, CommandPre};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use crate::sandbox::bindings;
use crate::sandbox::store::Guest;

/// How requests reach an app. Read off its component, never configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It exports `application` of wasgi:gateway.
    Gateway,
    /// It exports the `incoming-handler` of wasi:http 0.2.
    Http,
    /// It is a program of WASI, and speaks CGI/1.1: each request runs it once.
    Cgi,
}

impl Kind {
    /// The kind of a component with these exports; none if no request could reach it.
    pub(crate) fn of<'a>(exports: impl Iterator<Item = &'a str>) -> Option<Self> {
        let kinds = exports.filter_map(|name| match name {
            "application" => Some(Self::Gateway),
            name if name.starts_with("wasi:http/incoming-handler@0.2.") => Some(Self::Http),
            name if name.starts_with("wasi:cli/run@0.2.") => Some(Self::Cgi),
            _ => None,
        });
        // The contract of wasgi goes first, and a program last.
        kinds.min_by_key(|kind| *kind as u8)
    }

    /// Requests that one instance may serve where `reuse` are allowed.
    pub(crate) fn reuse(self, reuse: u32) -> u32 {
        match self {
            Self::Gateway | Self::Http => reuse,
            // A program runs once.
            Self::Cgi => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "an app of wasgi:gateway@0.1.0",
            Self::Http => "a component of wasi:http 0.2",
            Self::Cgi => "a program of CGI/1.1",
        })
    }
}

/// A component, linked.
pub(crate) enum Pre {
    Gateway(bindings::AppPre<Guest>),
    Http(ProxyPre<Guest>),
    Cgi(CommandPre<Guest>),
}

/// The exports of an instance.
pub(crate) enum Exports {
    Gateway(bindings::App),
    Http(Proxy),
    Cgi(Command),
}

impl Pre {
    /// Links a component of this kind and checks its exports.
    ///
    /// # Errors
    /// Names the import that is missing or the export that is wrong.
    pub(crate) fn link(linker: &Linker<Guest>, component: &Component, kind: Kind) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        Ok(match kind {
            Kind::Gateway => Self::Gateway(bindings::AppPre::new(pre)?),
            Kind::Http => Self::Http(ProxyPre::new(pre)?),
            Kind::Cgi => Self::Cgi(CommandPre::new(pre)?),
        })
    }

    /// The same without what is known of the exports.
    pub(crate) fn instance_pre(&self) -> &InstancePre<Guest> {
        match self {
            Self::Gateway(pre) => pre.instance_pre(),
            Self::Http(pre) => pre.instance_pre(),
            Self::Cgi(pre) => pre.instance_pre(),
        }
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// Those of its start functions, and of the host.
    pub(crate) async fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Exports> {
        Ok(match self {
            Self::Gateway(pre) => Exports::Gateway(pre.instantiate_async(store).await?),
            Self::Http(pre) => Exports::Http(pre.instantiate_async(store).await?),
            Self::Cgi(pre) => Exports::Cgi(pre.instantiate_async(store).await?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_decides() {
        let kind = |exports: &[&str]| Kind::of(exports.iter().copied());
        assert_eq!(kind(&["initialize", "application"]), Some(Kind::Gateway));
        assert_eq!(kind(&["wasi:cli/run@0.2.0"]), Some(Kind::Cgi));
        assert_eq!(
            kind(&["wasi:cli/run@0.2.6", "application"]),
            Some(Kind::Gateway),
            "the contract of wasgi goes first"
        );
        assert_eq!(kind(&["wasi:cli/run@0.2.6", "wasi:http/incoming-handler@0.2.3"]), Some(Kind::Http));
        assert_eq!(kind(&["wasi:cli/run@0.3.0", "run", "wasi:http/incoming-handler@0.1.0"]), None);
    }
}
