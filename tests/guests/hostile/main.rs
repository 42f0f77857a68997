//! The hostile guest; README.md has the table of its paths.

use std::sync::atomic::{AtomicU64, Ordering};

use guest_fixtures::{Answer, Query, json, not_found, secret, text};
use serde_json::json as object;
use wasgi_guest::__internal::app as raw;
use wasgi_guest::{Environ, StartError, StartResponse, Writer};

mod bodies;
mod cpu;
mod files;
mod flood;
mod heads;
mod hostcalls;
mod input;
mod leave;
mod reuse;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// One request, as the handlers get it.
struct Call {
    environ: Environ,
    start_response: StartResponse,
    query: Query,
}

impl Call {
    /// 200 and plain text.
    fn start(&self) -> Result<Writer, StartError> {
        self.start_response.start(200, [("Content-Type", "text/plain")])
    }

    /// Gets as far as a parameter says: nowhere, to a started head, or to the first bytes of the body.
    fn advance(&self, parameter: &str) -> Result<(), StartError> {
        let to = self.query.text(parameter, "call");
        if to != "call" {
            let writer = self.start()?;
            if to == "write" {
                bodies::send(&writer, b"begun\n");
            }
        }
        Ok(())
    }
}

/// Exported by hand, for what the SDK would keep a guest from doing.
struct Hostile;

impl raw::Guest for Hostile {
    fn application(environ: raw::Environ, start_response: raw::StartResponse) -> raw::Body {
        if environ.get("PATH_INFO").as_deref() == Some("/huge-return") {
            return bodies::huge_return(&environ, &start_response);
        }
        wasgi_guest::__internal::application(environ, start_response, application)
    }
}

raw::export_application_bindings!(Hostile);

fn application(environ: Environ, start_response: StartResponse) -> Answer {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let path = environ.path();
    let query = Query::of(&environ);
    if let Some(rest) = path.strip_prefix("/keep") {
        // It keeps all that a call has.
        return if rest.is_empty() { reuse::keep(environ, start_response) } else { not_found(&start_response, &path) };
    }
    let call = Call { environ, start_response, query };
    match path.as_str() {
        "/ok" => text(&call.start_response, "ok"),
        "/calls" => json(&call.start_response, &object!({ "calls": calls })),
        _ => dispatch(&call, &path),
    }
}

fn dispatch(call: &Call, path: &str) -> Answer {
    let groups = [
        cpu::answer,
        heads::answer,
        bodies::answer,
        input::answer,
        flood::answer,
        hostcalls::answer,
        reuse::answer,
        leave::answer,
        files::answer,
        secrets,
    ];
    let answer = groups.iter().find_map(|answer| answer(call, path));
    answer.unwrap_or_else(|| not_found(&call.start_response, path))
}

fn secrets(call: &Call, path: &str) -> Option<Answer> {
    secret::answer(&call.query, path).map(|value| json(&call.start_response, &value))
}
