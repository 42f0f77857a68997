//! Errors by blame: one row for each variant of the host's errors, produced from outside.

use std::collections::BTreeSet;

use serde_json::Value;
use wasgi_harness::{Conn, Host, HostBuilder, Request};

use crate::common::{access_entry, access_entry_with};

/// How one error comes about, and what client and operator are told.
struct Case {
    /// The kind in the access log.
    kind: &'static str,
    status: u16,
    /// Flags of the host.
    args: &'static [&'static str],
    /// A failure point that is made to fail.
    failing: &'static str,
    request: fn() -> Vec<u8>,
}

const NOTHING: Case = Case { kind: "", status: 0, args: &[], failing: "", request: Vec::new };

fn get(target: &str) -> Vec<u8> {
    Request::get(target).bytes()
}

fn post(length: usize) -> Vec<u8> {
    Request::post("/hostile/ok", vec![b'x'; length]).bytes()
}

/// The client's: 4xx. Each is told in its own words, and is no event of the log.
const CLIENTS: &[Case] = &[
    Case { kind: "bad-request", status: 400, request: || b"GET / HTTP/1.1\r\n\r\n".to_vec(), ..NOTHING },
    Case {
        kind: "bad-request",
        status: 501,
        request: || b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n".to_vec(),
        ..NOTHING
    },
    Case {
        kind: "bad-request",
        status: 414,
        args: &["--request-line-max", "64B"],
        request: || get(&"/x".repeat(50)),
        ..NOTHING
    },
    Case {
        kind: "bad-request",
        status: 431,
        args: &["--header-size-max", "256B"],
        request: || Request::get("/").header("X-Long", "x".repeat(300)).bytes(),
        ..NOTHING
    },
    Case { kind: "body-too-large", status: 413, args: &["--body-max", "9B"], request: || post(10), ..NOTHING },
    Case {
        kind: "body-too-slow",
        status: 408,
        args: &["--body-idle-max", "100ms"],
        request: || Request::new("POST", "/hostile/ok").header("Content-Length", "5").bytes(),
        ..NOTHING
    },
    Case {
        kind: "body-broken",
        status: 400,
        request: || {
            [Request::new("POST", "/hostile/ok").header("Transfer-Encoding", "chunked").bytes(), b"ZZ\r\n".to_vec()]
                .concat()
        },
        ..NOTHING
    },
    Case { kind: "body-broken", status: 400, failing: "body_read=return", request: || post(10), ..NOTHING },
];

/// The route's: 404.
const ROUTES: &[Case] = &[Case { kind: "no-route", status: 404, request: || get("/nowhere"), ..NOTHING }];

/// The capacity's: 503, with Retry-After. A full queue is a test of its own below, a full spool one in
/// `request_body_refused.rs`, a full host one in `limits_of_host.rs`.
const CAPACITIES: &[Case] = &[Case {
    kind: "queue-timeout",
    status: 503,
    failing: "acquire=return",
    request: || get("/hostile/ok"),
    ..NOTHING
}];

/// The guest's: 500, 502, 504.
const GUESTS: &[Case] = &[
    Case { kind: "trap", status: 500, request: || get("/hostile/trap"), ..NOTHING },
    Case { kind: "trap", status: 500, request: || get("/hostile/recurse"), ..NOTHING },
    Case {
        kind: "out-of-memory",
        status: 500,
        args: &["--memory-max", "64MiB"],
        request: || get("/hostile/memory"),
        ..NOTHING
    },
    Case { kind: "exit", status: 500, request: || get("/hostile/exit"), ..NOTHING },
    Case { kind: "cpu-max", status: 504, args: &["--cpu-max", "200ms"], request: || get("/hostile/spin"), ..NOTHING },
    Case {
        kind: "wall-max",
        status: 504,
        args: &["--wall-max", "200ms"],
        request: || get("/hostile/sleep"),
        ..NOTHING
    },
    Case { kind: "misuse", status: 502, request: || get("/hostile/no-start"), ..NOTHING },
    Case { kind: "misuse", status: 502, request: || get("/hostile/bad-header"), ..NOTHING },
    Case { kind: "misuse", status: 502, request: || get("/hostile/past-content-length?via=return"), ..NOTHING },
    Case { kind: "misuse", status: 502, request: || get("/hostile/short-content-length?via=return"), ..NOTHING },
    Case { kind: "misuse", status: 502, request: || get("/hostile/body-without-room"), ..NOTHING },
    Case { kind: "misuse", status: 502, request: || get("/hostile/huge-return"), ..NOTHING },
];

/// The host's: 500.
const HOSTS: &[Case] = &[
    Case { kind: "instantiate", status: 500, failing: "instantiate=return", request: || get("/hostile/ok"), ..NOTHING },
    Case { kind: "spool-failed", status: 500, failing: "spool=return", request: || post(100_000), ..NOTHING },
    Case { kind: "spool-failed", status: 500, failing: "body_write=return", request: || post(100_000), ..NOTHING },
    Case {
        kind: "spool-failed",
        status: 500,
        failing: "spool_read=return",
        request: || Request::post("/hostile/giant-read", vec![b'x'; 100_000]).bytes(),
        ..NOTHING
    },
];

fn host(case: &Case) -> HostBuilder {
    let builder = Host::dir(&["hostile", "hello"]).args(case.args).args(["--access-log-format", "json"]);
    // `1*` fails once: what comes after shows that the host goes on.
    if case.failing.is_empty() { builder } else { builder.failing(&case.failing.replace('=', "=1*")) }
}

/// Produces each error and checks its status, its kind in the access log, and that the next requests are served.
fn each_is_told(cases: &[Case], check: fn(&Case, &wasgi_harness::Response)) {
    for case in cases {
        let host = host(case).start();
        let mut conn = host.connect();
        let _ = conn.try_send((case.request)());
        let response = conn.response();
        assert_eq!(response.status(), case.status, "{}: {response:?}", case.kind);
        let entry = access_entry(&host, &response.request_id());
        assert_eq!((entry["error"].as_str(), entry["status"].as_u64()), (Some(case.kind), Some(case.status.into())));
        check(case, &response);
        host.get("/hostile/ok").expect_text("ok");
        host.get("/hello").expect_text("Hello, world!\n");
    }
}

fn has_no_retry_after(case: &Case, response: &wasgi_harness::Response) {
    assert_eq!(response.header("Retry-After"), None, "{}: {response:?}", case.kind);
}

#[test]
fn what_the_client_does_is_answered_with_4xx() {
    each_is_told(CLIENTS, has_no_retry_after);
}

#[test]
fn a_route_that_is_not_there_is_answered_with_404() {
    each_is_told(ROUTES, has_no_retry_after);
}

#[test]
fn what_the_host_has_no_room_for_is_answered_with_503_and_a_time_to_come_back() {
    each_is_told(CAPACITIES, |case, response| {
        let seconds = response.header("Retry-After").and_then(|value| value.parse::<u32>().ok());
        assert!(seconds >= Some(1), "{}: {response:?}", case.kind);
    });
}

#[test]
fn what_the_guest_does_is_answered_with_5xx() {
    each_is_told(GUESTS, has_no_retry_after);
}

#[test]
fn what_the_host_does_is_answered_with_500() {
    each_is_told(HOSTS, |case, response| {
        has_no_retry_after(case, response);
        assert!(!response.text().contains("failure point"), "it is for the log: {response:?}");
    });
}

#[test]
fn what_the_host_does_is_an_error_of_the_log() {
    for case in HOSTS {
        let host = host(case).start();
        let mut conn = host.connect();
        conn.send((case.request)());
        let id = conn.response().request_id();
        host.log().wait_with(&["ERROR", &id, "failure point"]);
    }
}

#[test]
pub(crate) fn a_full_queue_is_answered_with_503_and_one_that_takes_too_long_too() {
    let host = Host::serving("hostile")
        .args(["--concurrency-max", "1", "--queue-max", "1", "--queue-wait-max", "500ms"])
        .args(["--access-log-format", "json"])
        .grant("data", "/data")
        .start();
    let mut running = host.connect();
    running.send(get("/leave/wait?file=/data/log"));
    assert_eq!(running.head().status, 200);

    // Two more: one waits in the queue, and the other finds it full, whichever comes first.
    let mut waiters: Vec<Conn> = (0..2).map(|_| host.connect()).collect();
    for conn in &mut waiters {
        conn.send(get("/ok"));
    }
    let mut kinds: Vec<Value> = waiters
        .iter_mut()
        .map(|conn| {
            let response = conn.response();
            response.expect(503);
            assert!(response.header("Retry-After").is_some(), "{response:?}");
            access_entry(&host, &response.request_id())["error"].clone()
        })
        .collect();
    kinds.sort_by_key(Value::to_string);
    assert_eq!(kinds, ["queue-full", "queue-timeout"]);
}

#[test]
fn a_tenant_over_its_quota_is_answered_with_429_and_its_neighbours_are_served() {
    let app = |name: &str, tenant: &str| {
        format!(
            "[[app]]\nname = \"{name}\"\ntenant = \"{tenant}\"\nroutes = [\"/{name}\"]\n\
             component = \"$GUESTS/conformance.wasm\"\nrequest-body = \"stream\"\n"
        )
    };
    let toml = format!(
        "access-log-format = \"json\"\n[limits]\nqueue-max = 1\nqueue-wait-max = \"300ms\"\n\
         [[tenant]]\nname = \"acme\"\nconcurrency-max = 2\n[[tenant]]\nname = \"other\"\n{}{}{}",
        app("one", "acme"),
        app("two", "acme"),
        app("three", "other"),
    );
    let host = Host::config(&toml).start();
    // One request in each of the tenant's apps.
    let mut running: Vec<Conn> = ["one", "two"]
        .iter()
        .map(|name| {
            let mut conn = host.connect();
            let path = format!("/{name}/gate/input");
            conn.send(Request::new("POST", &path).header("Transfer-Encoding", "chunked").bytes());
            assert_eq!(conn.head().status, 200);
            conn
        })
        .collect();
    for path in ["/one/hello", "/two/hello"] {
        let response = host.get(path);
        response.expect(429);
        assert!(response.header("Retry-After").is_some(), "{response:?}");
        assert_eq!(access_entry(&host, &response.request_id())["error"], "tenant-busy");
    }
    host.get("/three/hello").expect_text("hello");
    running.pop().unwrap().send_chunk("").chunks_until("first\nsecond\nlast\n");
    host.get("/one/hello").expect_text("hello");
}

#[test]
fn a_client_that_leaves_is_in_the_log_as_499() {
    let host = Host::serving("hostile").args(["--access-log-format", "json"]).start();
    for (number, how) in ["close", "half-close", "reset"].into_iter().enumerate() {
        let mut conn = host.connect();
        conn.send(get(&format!("/flood/endless?to=errors&client={how}")));
        // The guest runs, and gives no head.
        host.log().wait_until("lines of each guest", |lines| {
            let ids = lines.iter().filter_map(|line| line.split("request_id=").nth(1)?.split(' ').next());
            (ids.collect::<BTreeSet<_>>().len() == number + 1).then_some(())
        });
        let mut open = None;
        match how {
            "close" => drop(conn),
            "reset" => conn.reset(),
            // As with NGINX: nothing tells it from a client that is gone.
            _ => {
                conn.finish_sending();
                open = Some(conn);
            }
        }
        let entry = access_entry_with(&host, &format!("client={how}"));
        assert_eq!((entry["status"].as_u64(), entry["error"].as_str()), (Some(499), Some("client-left")), "{entry}");
        drop(open);
    }
}

#[test]
fn a_client_that_leaves_amid_the_body_keeps_the_status_that_was_sent() {
    let host = Host::serving("hostile").args(["--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send(get("/endless"));
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    drop(conn);
    let entry = access_entry(&host, &id);
    assert_eq!((entry["status"].as_u64(), entry["error"].as_str()), (Some(200), Some("client-left")), "{entry}");
}

#[test]
fn a_body_that_the_guest_cuts_is_in_the_log() {
    let host = Host::serving("hostile").args(["--access-log-format", "json"]).start();
    for path in ["/trap?at=write", "/short-content-length"] {
        let response = host.get(path);
        let entry = access_entry(&host, &response.request_id());
        assert_eq!((entry["status"].as_u64(), entry["error"].as_str()), (Some(200), Some("body-cut")), "{entry}");
    }
}
