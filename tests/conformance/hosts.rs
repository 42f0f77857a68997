//! The hosts that the tests share, each started when a test first wants it.

use std::sync::OnceLock;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;
use wasgi_harness::{Host, HostBuilder, Request};

/// Hosts that serve the conformance guest of one language.
#[derive(Debug)]
pub(crate) struct Hosts {
    guest: &'static str,
    plain: OnceLock<Host>,
    streaming: OnceLock<Host>,
    reusing: OnceLock<Host>,
    mounted: OnceLock<Host>,
}

impl Hosts {
    /// Hosts for this guest, none of which runs yet.
    pub(crate) fn of(guest: &'static str) -> Self {
        let (plain, streaming, reusing, mounted) = Default::default();
        Self { guest, plain, streaming, reusing, mounted }
    }

    /// The name of the guest, and so of the app.
    pub(crate) fn guest(&self) -> &'static str {
        self.guest
    }

    /// A host for the test alone.
    pub(crate) fn serving(&self) -> HostBuilder {
        Host::serving(self.guest)
    }

    /// With all defaults: bodies are buffered, each request gets a fresh instance.
    pub(crate) fn plain(&self) -> &Host {
        self.plain.get_or_init(|| self.serving().start())
    }

    /// Request bodies are streamed.
    pub(crate) fn streaming(&self) -> &Host {
        self.streaming.get_or_init(|| self.serving().args(["--request-body", "stream"]).start())
    }

    /// An instance serves many requests.
    pub(crate) fn reusing(&self) -> &Host {
        self.reusing.get_or_init(|| self.serving().args(["--reuse", "1000"]).start())
    }

    /// The guest is mounted at its own name, not at the root: see [`at`](Self::at).
    pub(crate) fn mounted(&self) -> &Host {
        self.mounted.get_or_init(|| Host::dir(&[self.guest]).start())
    }

    /// The target under which the mounted guest sees `path`.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("/{}{path}", self.guest)
    }
}

/// The environ that `request` makes; its path should lead to `/environ`.
pub(crate) fn environ_of(host: &Host, request: &Request) -> Value {
    host.request(request).expect(200).json()
}

/// The environ of a plain GET request with these headers.
pub(crate) fn environ_with(host: &Host, headers: &[(&str, &str)]) -> Value {
    let request = Request::get("/environ");
    environ_of(host, &headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

/// `value` percent-encoded, for a query.
pub(crate) fn encoded(value: impl AsRef<[u8]>) -> String {
    percent_encode(value.as_ref(), NON_ALPHANUMERIC).to_string()
}
