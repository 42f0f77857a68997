//! An app of wasi:http that does whatever a test asks for; `README.md` has its paths.

#![expect(
    clippy::expect_used,
    reason = "each is called once, as the contract wants; a host that refuses fails the test"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;
use std::{env, mem, thread};

use percent_encoding::percent_decode_str;
use serde_json::json;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, FutureTrailers, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
    ResponseOutparam, Scheme, Trailers,
};
use wasip2::io::streams::{OutputStream, StreamError};

#[path = "cgi/src/secret.rs"]
mod secret;

thread_local! {
    /// How often this instance has been called.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

struct App;

impl Guest for App {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        CALLS.set(CALLS.get() + 1);
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = Query::of(query);
        match path {
            "/ok" => whole(outparam, "text/plain", b"ok"),
            "/about" => whole(outparam, "application/json", about(&request, &target).to_string().as_bytes()),
            "/env" => {
                let variables = json!(env::vars().collect::<BTreeMap<_, _>>());
                whole(outparam, "application/json", variables.to_string().as_bytes());
            }
            "/calls" => whole(outparam, "text/plain", CALLS.get().to_string().as_bytes()),
            "/echo" => echo(&request, outparam),
            "/answer" => answer(outparam, &query),
            "/refuse" => ResponseOutparam::set(outparam, Err(ErrorCode::InternalError(Some("on purpose".into())))),
            "/leave" => leave(outparam, &query),
            "/leak" => {
                (0..query.number("handles", 1)).for_each(|_| mem::forget(Fields::new()));
                whole(outparam, "text/plain", b"leaked");
            }
            "/keep" => keep(outparam),
            "/hoard/fields" => {
                hoard_fields(query.number("handles", 900));
                whole(outparam, "text/plain", b"hoarded");
            }
            "/hoard/bodies" => {
                (0..query.number("handles", 300)).for_each(|_| hoard_body());
                whole(outparam, "text/plain", b"hoarded");
            }
            "/secret/plant" => {
                whole(outparam, "application/json", secret::plant(query.number("mib", 1)).to_string().as_bytes());
            }
            "/secret/search" => {
                whole(outparam, "application/json", secret::search(query.number("mib", 1)).to_string().as_bytes());
            }
            // Dropped unset.
            "/silent" => drop(outparam),
            _ => whole(outparam, "text/plain", b"no such path"),
        }
        then(&query);
    }
}

/// Answers in one piece. Nobody may be there any more to take it.
fn whole(outparam: ResponseOutparam, kind: &str, bytes: &[u8]) {
    let headers = Fields::new();
    let _ = headers.append("content-type", kind.as_bytes());
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("the first");
    ResponseOutparam::set(outparam, Ok(response));
    let written = write(&body, bytes);
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

/// What the host says of the request.
fn about(request: &IncomingRequest, target: &str) -> serde_json::Value {
    let headers = request.headers().entries();
    let headers = headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)]));
    let scheme = match request.scheme() {
        Some(Scheme::Http) => "http",
        Some(Scheme::Https) => "https",
        _ => "?",
    };
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Other(other) => other,
        other => format!("{other:?}"),
    };
    json!({
        "method": method,
        "scheme": scheme,
        "authority": request.authority(),
        "target": target,
        "headers": headers.collect::<Vec<_>>(),
    })
}

/// Gives each piece of the body back as it comes, and the trailers.
fn echo(request: &IncomingRequest, outparam: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let outgoing = response.body().expect("the first");
    ResponseOutparam::set(outparam, Ok(response));
    let incoming = request.consume().expect("the first");
    {
        let (input, output) = (incoming.stream().expect("the first"), outgoing.write().expect("the first"));
        loop {
            match input.blocking_read(64 * 1024) {
                Ok(bytes) => {
                    if write_all(&output, &bytes).is_err() {
                        return;
                    }
                }
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => {
                    eprintln!("http-app: the body broke off: {}", error.to_debug_string());
                    return;
                }
            }
        }
    }
    let trailers = trailers(&IncomingBody::finish(incoming));
    let _ = OutgoingBody::finish(outgoing, trailers);
}

fn trailers(future: &FutureTrailers) -> Option<Trailers> {
    future.subscribe().block();
    let trailers = future.get()?.ok()?.ok()??;
    // Those of a request cannot be sent: they are copied.
    Some(Fields::from_list(&trailers.entries()).expect("sent by a client"))
}

/// Answers with `status`, `header=NAME:VALUE` and so many bytes of `body`.
fn answer(outparam: ResponseOutparam, query: &Query) {
    let headers = Fields::new();
    for header in query.all("header") {
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        if let Err(error) = headers.append(name, value.as_bytes()) {
            return whole(outparam, "text/plain", format!("{error:?}").as_bytes());
        }
    }
    for number in 0..query.number("headers", 0) {
        let _ = headers.append(&format!("x-{number}"), &[b'v'; 100]);
    }
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(query.number("status", 200).try_into().unwrap_or(200));
    let body = response.body().expect("the first");
    ResponseOutparam::set(outparam, Ok(response));
    let size = query.number("body", 0);
    {
        let output = body.write().expect("the first");
        for _ in 0..size / 4096 {
            if write_all(&output, &[b'x'; 4096]).is_err() {
                return;
            }
        }
        let rest = vec![b'x'; usize::try_from(size % 4096).unwrap_or(0)];
        if write_all(&output, &rest).is_err() {
            return;
        }
        if query.is_on("flush") {
            let _ = output.blocking_flush();
        }
    }
    then(query);
    if !query.is_on("unfinished") {
        let finished = OutgoingBody::finish(body, None);
        finished.err().iter().for_each(|error| eprintln!("http-app: {error:?}"));
    }
}

/// Returns with a body that nobody finishes.
fn keep(outparam: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the first");
    ResponseOutparam::set(outparam, Ok(response));
    let _ = write(&body, b"begun");
    mem::forget(body);
}

/// Keeps as many headers with the host as it takes from one that holds so many handles.
fn hoard_fields(handles: u64) {
    for held in 0..handles {
        let fields = Fields::new();
        for number in 0..32 * 16 / held.max(16) {
            let _ = fields.append(&format!("x-{number}"), &[b'v'; 1000]);
        }
        mem::forget(fields);
    }
}

/// Keeps a body with the host, of as much as it takes.
fn hoard_body() {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the first");
    let output = body.write().expect("the first");
    while let Ok(room @ 1..) = output.check_write() {
        let bytes = vec![b'x'; usize::try_from(room).unwrap_or(1)];
        if output.write(&bytes).is_err() {
            break;
        }
    }
    mem::forget((response, body, output));
}

/// Writes until that fails, then appends to a file that it cleaned up.
fn leave(outparam: ResponseOutparam, query: &Query) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the first");
    ResponseOutparam::set(outparam, Ok(response));
    let output = body.write().expect("the first");
    let mut bytes = 0_u64;
    while write_all(&output, &[b'x'; 4096]).is_ok() {
        bytes += 4096;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(query.text("file")).expect("it was granted");
    let _ = writeln!(file, "cleaned up after {bytes} bytes");
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), StreamError> {
    write_all(&body.write().expect("the first"), bytes)
}

/// At most 4096 bytes may be written at once.
fn write_all(output: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(4096).try_for_each(|chunk| output.blocking_write_and_flush(chunk))
}

/// What comes after.
fn then(query: &Query) {
    match query.text("then").as_str() {
        "exit" => std::process::exit(1),
        "spin" => loop {
            black_box(0);
        },
        "sleep" => thread::sleep(Duration::from_secs(3600)),
        "panic" => panic!("http-app: a panic with a message"),
        "memory" => loop {
            mem::forget(black_box(vec![7_u8; 1 << 20]));
        },
        _ => {}
    }
}

/// The query, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: &str) -> Self {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Self(pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect())
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    fn text(&self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name).parse().unwrap_or(default)
    }

    fn is_on(&self, name: &str) -> bool {
        self.number(name, 0) == 1
    }
}

wasip2::http::proxy::export!(App);
