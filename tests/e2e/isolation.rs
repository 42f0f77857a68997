//! What an attack may lead to, and nothing else: its due for the guest, the next request served, and a neighbour who
//! notices nothing. The attacks are in the files `isolation_*.rs`.

use wasgi_harness::{BodyEnd, Host, HostBuilder, Request, Response};

use crate::common::access_entry;

/// What one request leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// 200, and all of the body.
    Served,
    /// This status, and this kind of error in the access log.
    Fault(u16, &'static str),
    /// 200, then a connection that is cut, and this kind of error in the log; in the access log it is `body-cut`.
    Cut(&'static str),
}

/// The guest stopped abnormally.
pub(crate) const TRAP: Due = Due::Fault(500, "trap");

/// An app under attack, and `hello` beside it.
#[derive(Debug)]
pub(crate) struct Siege {
    pub(crate) host: Host,
    /// Where the app is.
    app: &'static str,
    /// A path of the app that answers `ok`.
    ok: &'static str,
}

impl Siege {
    /// The guest `hostile` under attack.
    pub(crate) fn of_hostile(args: &[&str]) -> Self {
        Self::started(Host::dir(&["hello", "hostile"]).args(args), "/hostile", "/ok")
    }

    /// Starts a host that serves the app under attack at `app`, which answers `ok` at `ok`.
    pub(crate) fn started(builder: HostBuilder, app: &'static str, ok: &'static str) -> Self {
        Self { host: builder.args(["--access-log-format", "json"]).start(), app, ok }
    }

    /// Sends an attack, asks the neighbour meanwhile, and checks all that the attack may lead to.
    #[track_caller]
    pub(crate) fn attack(&self, path: &str, due: Due) -> Response {
        self.attack_named(path, path, due)
    }

    /// As [`Siege::attack`], where the path does not tell what it does.
    #[track_caller]
    pub(crate) fn attack_named(&self, what: &str, path: &str, due: Due) -> Response {
        let response = self.send(&Request::post(&format!("{}{path}", self.app), "a body"));
        self.check(what, &response, due);
        self.all_is_well(what);
        response
    }

    /// The response to an attack, while the neighbour is asked.
    fn send(&self, request: &Request) -> Response {
        let mut conn = self.host.connect();
        conn.send(request.bytes());
        self.host.get("/hello").expect_text("Hello, world!\n");
        conn.response()
    }

    /// Both apps serve.
    #[track_caller]
    pub(crate) fn all_is_well(&self, after: &str) {
        let response = self.host.get(&format!("{}{}", self.app, self.ok));
        assert_eq!((response.status(), response.text()), (200, "ok"), "after {after}");
        let response = self.host.get("/hello");
        assert_eq!((response.status(), response.text()), (200, "Hello, world!\n"), "after {after}");
    }

    /// The response and the line of the access log are those that are due.
    #[track_caller]
    fn check(&self, what: &str, response: &Response, due: Due) {
        let entry = access_entry(&self.host, &response.request_id());
        let (status, end, kind) = match due {
            Due::Served => (200, BodyEnd::Complete, None),
            Due::Fault(status, kind) => (status, BodyEnd::Complete, Some(kind)),
            Due::Cut(kind) => {
                self.host.log().wait_with(&[&response.request_id(), &format!("kind=\"{kind}\"")]);
                (200, BodyEnd::Cut, Some("body-cut"))
            }
        };
        let told = (response.status(), response.end, entry["error"].as_str(), entry["status"].as_u64());
        assert_eq!(
            told,
            (status, end, kind, Some(status.into())),
            "{what}: {response:?}\n{entry}\n{}",
            self.last_log()
        );
        assert_eq!(entry["app"].as_str(), Some(&self.app[1..]), "{what}: {entry}");
    }

    /// The end of the log, for a failed test.
    fn last_log(&self) -> String {
        let lines = self.host.log().so_far();
        lines[lines.len().saturating_sub(3)..].join("\n")
    }
}
