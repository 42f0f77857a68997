//! Bytes into the HTTP front: what a client sends on one connection.

use std::cell::RefCell;
use std::path::Path;

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use wasgi::environ::Endpoint;
use wasgi::host::Host;
use wasgi::net::listen::Accepted;
use wasgi_harness::guest;

use crate::loading::{self, FOREVER};
use crate::wire;

/// All that a client sends on a connection: what comes back are responses, then the end of the connection. Once the
/// client says that no more will come, once it just falls silent, when each of the host's timers has to do its work.
///
/// Behind the front are real guests, one that gets its body whole and, under `/stream`, one that reads it as it comes.
///
/// # Panics
/// If that is not so, or if the host serves nothing afterwards.
pub fn front(data: &[u8]) {
    // Made anew now and then, since a guest's wall time is not told by the runtime's clock, which hurries on.
    thread_local!(static FRONT: RefCell<(u32, Option<Front>)> = RefCell::default());
    FRONT.with_borrow_mut(|(served, front)| {
        *served += 1;
        let front = match front {
            Some(front) if *served % 10_000 > 0 => front,
            front => front.insert(Front::start()),
        };
        for falls_silent in [false, true] {
            let answer = front.runtime.block_on(converse(&front.host, data, falls_silent));
            if data.starts_with(PREFACE) {
                assert!(wire::is_http2(&answer), "not HTTP/2: {:?}", text(&answer));
            } else {
                let with_head = data.windows(4).any(|four| four == b"HEAD");
                assert!(wire::is_http1(&answer, with_head), "not HTTP/1: {:?}", text(&answer));
            }
            assert!(!(falls_silent && is_a_head(data) && answer.is_empty()), "a request without an answer");
        }
        front.runtime.block_on(assert_serves(&front.host));
    });
}

/// How HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A host and the runtime that it lives on.
struct Front {
    host: Host,
    runtime: Runtime,
}

impl Front {
    fn start() -> Self {
        let runtime = loading::runtime();
        let host = runtime.block_on(loading::load(&apps(&guest("conformance")))).unwrap();
        Self { host, runtime }
    }
}

fn apps(component: &Path) -> String {
    // Small, so that short inputs get past them. TOML's literal strings have no escapes.
    format!(
        r#"
        [limits]
        body-max = "4KiB"
        # More than any input has: on its way to disk a body is waited for by no clock that is paused.
        body-memory-max = "1MiB"
        cpu-max = "50ms"
        wall-max = "300days"
        abandon-max = "300days"
        instances-max = 2
        request-line-max = "512B"
        header-size-max = "1KiB"
        header-count-max = 20
        [[app]]
        name = "whole"
        component = '{component}'
        routes = ["/"]
        [[app]]
        name = "stream"
        component = '{component}'
        routes = ["/stream"]
        request-body = "stream"
        "#,
        component = component.display()
    )
}

async fn converse(host: &Host, data: &[u8], falls_silent: bool) -> Vec<u8> {
    let (client, server) = UnixStream::pair().unwrap();
    let served = host.serve(Accepted { stream: Box::new(server), local: Endpoint::Unix, peer: Endpoint::Unix });
    let (mut from_host, mut to_host) = client.into_split();
    let send = async {
        // In two parts, so that the host has to wait for the second. It may close before it has all.
        let (first, second) = data.split_at(data.len() / 2);
        let _ = to_host.write_all(first).await;
        tokio::task::yield_now().await;
        let _ = to_host.write_all(second).await;
        if !falls_silent {
            let _ = to_host.shutdown().await;
        }
    };
    let mut answer = Vec::new();
    let receive = async {
        let _ = from_host.read_to_end(&mut answer).await;
    };
    let talk = async { tokio::join!(served, send, receive) };
    tokio::time::timeout(FOREVER, talk).await.expect("the connection never ends");
    answer
}

fn is_a_head(data: &[u8]) -> bool {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    httparse::Request::new(&mut slots).parse(data).is_ok_and(|parsed| parsed.is_complete())
}

async fn assert_serves(host: &Host) {
    let request = http::Request::get("/hello").header("host", "localhost").body(http_body_util::Empty::new()).unwrap();
    let (head, body) = host.handle(request).await.into_parts();
    assert_eq!(head.status, 200);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
}

fn text(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().take(2000).collect()
}
