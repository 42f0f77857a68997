//! Apps of wasi:http: they are served as they are, kept apart, held to their limits and ended as all guests are.

use std::fs;
use std::thread;

use ::http::HeaderMap;
use serde_json::json;
use wasgi_harness::{BodyEnd, Host, Request, Wasgi, eventually, guest};

use crate::common::{access_entry, memory_kib};
use crate::isolation::Due::{Cut, Fault, Served};
use crate::isolation::{Siege, TRAP};

#[test]
pub(crate) fn a_component_made_for_wasmtime_serve_is_served_as_it_is() {
    let host = Host::serving("http-hello").start();
    for _ in 0..3 {
        let response = host.get("/");
        response.expect_text("Hello, world!\n");
        assert_eq!(response.header("Content-Length"), Some("14"));
    }
    let response = host.connect().send(Request::new("HEAD", "/").bytes()).response_to("HEAD");
    assert_eq!((response.status(), response.header("Content-Length"), response.text()), (200, Some("14"), ""));
    let check = Wasgi::new(["check"]).arg(guest("http-hello")).finish();
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("a component of wasi:http 0.2; it would be served"), "{check:?}");
}

#[test]
pub(crate) fn a_component_that_a_tool_of_others_made_is_served_as_it_is() {
    let host = Host::serving("http-js").start();
    let told = host.request(&Request::get("/a?b=1").header("User-Agent", "test")).json();
    assert_eq!(told, json!({"method": "GET", "target": "/a?b=1", "agent": "test"}));
    let body = vec![b'x'; 300_000];
    let response = host.post("/echo", &body);
    assert!(response.status() == 200 && response.body == body, "{} bytes", response.body.len());
    assert!(host.get("/throws").status() >= 500);
    host.get("/calls").expect_text("1");
}

#[test]
pub(crate) fn an_app_sees_the_request_as_it_was_sent() {
    let host = Host::dir(&["http-app", "hello"]).start();
    let request = Request::new("BREW", "/http-app/about?a=%20b/c")
        .header("X-A", "1")
        .header("X-A", "2")
        .header("X-Forwarded-Prefix", "/forged")
        .header("Connection", "close");
    let told = host.request(&request).json();
    assert_eq!(told["method"], "BREW");
    assert_eq!(told["scheme"], "http");
    assert_eq!(told["authority"], "test");
    assert_eq!(told["target"], "/about?a=%20b/c", "its own part of the path");
    let all = |name: &str| -> Vec<_> {
        let headers = told["headers"].as_array().unwrap().iter();
        headers.filter(|header| header[0] == name).map(|header| header[1].clone()).collect()
    };
    assert_eq!(all("x-a"), ["1", "2"]);
    assert_eq!(all("x-forwarded-prefix"), ["/http-app"], "{told}");
    assert_eq!(all("x-request-id").len(), 1, "{told}");
    assert!(all("connection").is_empty(), "{told}");
}

#[test]
fn an_app_has_the_environment_and_the_directories_that_it_was_granted() {
    let host = Host::serving("http-app").args(["--env", "NAME=value"]).start();
    assert_eq!(host.get("/env").json(), json!({"NAME": "value"}));
}

#[test]
fn bodies_stream_both_ways() {
    let host = Host::serving("http-app").args(["--request-body", "stream"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/echo").header("Transfer-Encoding", "chunked").head_bytes());
    let head = conn.send_chunk("first").head();
    assert_eq!(head.status, 200);
    conn.chunks_until("first");
    conn.send_chunk("second").chunks_until("second");
    conn.send("0\r\n\r\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the end");
}

#[test]
fn large_bodies_come_back_whole() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    for mode in ["buffer", "stream"] {
        let host = Host::serving("http-app").args(["--request-body", mode]).start();
        let response = host.post("/echo", &body);
        assert_eq!((response.status(), response.end), (200, BodyEnd::Complete));
        assert!(response.body == body, "{mode}: {} bytes", response.body.len());
    }
}

#[test]
fn trailers_pass_both_ways() {
    let host = Host::serving("http-app").start();
    let mut conn = host.connect();
    let request = Request::new("POST", "/echo").header("Transfer-Encoding", "chunked").header("Trailer", "X-Sum");
    conn.send(request.header("TE", "trailers").head_bytes()).send("3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n");
    let head = conn.head();
    assert_eq!(head.status, 200);
    // Over HTTP/1.1 those alone are sent that the head has named, and this app names none.
    conn.chunks_until("abc");
    let mut http2 = host.http2();
    let request = ::http::Request::post("http://localhost/echo").body(()).unwrap();
    let mut stream = http2.start(request, false);
    stream.send("abc", false).unwrap();
    stream.send_trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), "7".parse().unwrap())])).unwrap();
    let response = stream.response();
    assert_eq!(response.body, b"abc");
    assert_eq!(response.trailers.unwrap()["x-sum"], "7");
}

#[test]
fn what_an_app_answers_is_checked() {
    let host = Host::serving("http-app").args(["--access-log-format", "json"]).start();
    let due = |path: &str, status: u16, error: Option<&str>| {
        let response = host.get(path);
        let entry = access_entry(&host, &response.request_id());
        assert_eq!((response.status(), entry["error"].as_str()), (status, error), "{path}: {response:?}");
    };
    due("/answer?status=299&body=5000", 299, None);
    due("/answer?status=204", 204, None);
    due("/answer?status=304&header=etag:%22a%22", 304, None);
    due("/answer?status=204&body=5", 502, Some("misuse"));
    due("/answer?status=103", 502, Some("misuse"));
    due("/answer?header=content-length:5&body=5", 200, None);
    due("/answer?headers=200", 502, Some("misuse"));
    due("/refuse", 502, Some("misuse"));
    due("/silent", 502, Some("misuse"));
    due("/keep", 502, Some("misuse"));
    // An app that is made to pause in the middle has begun its response.
    for path in ["/answer?header=content-length:10&body=5", "/answer?unfinished=1&body=5"] {
        let response = host.get(path);
        let error = access_entry(&host, &response.request_id())["error"].clone();
        let begun = response.end == BodyEnd::Cut && error == "body-cut";
        assert!(begun || (response.status() == 502 && error == "misuse"), "{path}: {error} {response:?}");
    }
    assert!(host.get("/answer?header=connection:close").text().contains("Forbidden"));
    let head = host.connect().send(Request::new("HEAD", "/answer?body=100000").bytes()).response_to("HEAD");
    assert_eq!((head.status(), head.text()), (200, ""));
}

#[test]
fn an_app_that_answers_with_an_error_is_told_of_in_the_log() {
    let host = Host::serving("http-app").start();
    let response = host.get("/refuse");
    response.expect(502);
    host.log().wait_with(&[&response.request_id(), "InternalError", "on purpose"]);
}

#[test]
pub(crate) fn what_nobody_granted_is_denied() {
    let host = Host::serving("wants-http").start();
    let told = host.get("/");
    assert!(told.text().contains("HttpRequestDenied"), "{told:?}");
}

#[test]
fn whatever_an_app_does_the_next_request_is_served() {
    let limits = ["--cpu-max", "400ms", "--wall-max", "2s", "--memory-max", "32MiB", "--handles-max", "64"];
    let siege = Siege::started(Host::dir(&["http-app", "hello"]).args(limits), "/http-app", "/ok");
    for (then, due, begun) in [
        ("spin", Fault(504, "cpu-max"), Cut("cpu-max")),
        ("sleep", Fault(504, "wall-max"), Cut("wall-max")),
        ("panic", TRAP, Cut("trap")),
        ("memory", Fault(500, "out-of-memory"), Cut("out-of-memory")),
        ("exit", Fault(500, "exit"), Cut("exit")),
    ] {
        siege.attack(&format!("/silent?then={then}"), due);
        siege.attack(&format!("/answer?body=5000&then={then}&flush=1"), begun);
    }
    siege.attack("/leak?handles=1000", TRAP);
    siege.attack("/answer?body=1000000", Served);
}

#[test]
fn an_instance_is_used_again_where_that_is_granted() {
    let host =
        Host::serving("http-app").args(["--reuse", "1000", "--instances-max", "1", "--handles-max", "64"]).start();
    let calls = |due: &str| host.get("/calls").expect_text(due);
    calls("1");
    calls("2");
    host.post("/echo", "abc").expect_text("abc");
    calls("4");
    // What it holds counts, and what failed is not used again.
    host.get("/silent").expect(502);
    calls("1");
    host.get("/leak?handles=10").expect(200);
    calls("3");
    let host = Host::serving("http-app").args(["--instances-max", "1"]).start();
    for _ in 0..2 {
        host.get("/calls").expect_text("1");
    }
}

/// Plants secrets in some requests and looks for them in others, from two connections at once.
fn nobody_finds_a_secret(args: &[&str]) {
    let host =
        Host::dir(&["http-app", "hello"]).args(["--instances-max", "2", "--queue-wait-max", "1h"]).args(args).start();
    thread::scope(|scope| {
        for client in 0..2 {
            let mut conn = host.connect();
            scope.spawn(move || {
                for request in 0..60 {
                    let (plants, mib) = ((request + client) % 2 == 0, request % 5);
                    let path = if plants { "plant" } else { "search" };
                    let told =
                        conn.send(Request::get(&format!("/http-app/secret/{path}?mib={mib}")).bytes()).response();
                    told.expect(200);
                    if !plants {
                        assert_eq!(told.json(), json!({"static": false, "found": 0, "grown": true}));
                    }
                }
            });
        }
    });
    host.stop();
}

#[test]
fn an_app_finds_nothing_of_the_requests_before() {
    nobody_finds_a_secret(&["--slot-reset", "auto"]);
    nobody_finds_a_secret(&["--slot-reset", "madvise"]);
    nobody_finds_a_secret(&["--warm-min", "1"]);
}

#[test]
fn an_app_whose_client_leaves_may_clean_up() {
    let host = Host::serving("http-app").grant("data", "/data").args(["--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send(Request::get("/leave?file=/data/left").bytes());
    let head = conn.head();
    assert_eq!(head.status, 200);
    drop(conn);
    let left = eventually("the end of the app", || {
        let text = fs::read_to_string(host.path("data/left")).ok()?;
        text.ends_with('\n').then_some(text)
    });
    assert!(left.starts_with("cleaned up after"), "{left}");
    let entry = access_entry(&host, head.header("X-Request-Id").unwrap());
    assert_eq!(entry["error"], "client-left", "{entry}");
}

#[test]
fn an_app_whose_client_leaves_holds_its_place_only_for_a_moment() {
    let host = Host::serving("http-app").args(["--concurrency-max", "1", "--abandon-max", "200ms"]).start();
    for then in ["sleep", "spin"] {
        let mut conn = host.connect();
        conn.send(Request::get(&format!("/answer?body=5000&flush=1&then={then}")).bytes());
        assert_eq!(conn.head().status, 200);
        drop(conn);
        host.get("/ok").expect_text("ok");
    }
    let host = Host::serving("http-app").args(["--concurrency-max", "1", "--request-body", "stream"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/echo").header("Content-Length", "100").bytes());
    assert_eq!(conn.head().status, 200);
    drop(conn);
    host.get("/ok").expect_text("ok");
}

#[test]
fn an_app_that_writes_to_a_client_that_reads_nothing_is_held() {
    let host = Host::serving("http-app").grant("data", "/data").args(["--send-idle-max", "1s"]).start();
    let before = memory_kib(&host, "VmHWM");
    let mut conn = host.connect();
    conn.send(Request::get("/leave?file=/data/left").bytes());
    assert_eq!(conn.head().status, 200);
    let left = eventually("the end of the app", || {
        fs::read_to_string(host.path("data/left")).ok().filter(|text| text.ends_with('\n'))
    });
    let written = left.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap();
    assert!(written < 64 << 20, "{written} bytes were written to nobody");
    let grown = memory_kib(&host, "VmHWM") - before;
    assert!(grown < 16 * 1024, "the host took {grown} KiB");
    drop(conn);
}

#[test]
fn what_an_app_has_the_host_keep_is_bounded() {
    let host = Host::serving("http-app").start();
    host.get("/ok").expect_text("ok");
    let before = memory_kib(&host, "VmHWM");
    host.get("/hoard/fields").expect_text("hoarded");
    host.get("/hoard/bodies").expect_text("hoarded");
    let grown = memory_kib(&host, "VmHWM") - before;
    assert!(grown < 48 * 1024, "the host took {grown} KiB");
}

#[test]
fn what_apps_leave_behind_does_not_add_up() {
    let host = Host::serving("http-app").args(["--memory-max", "32MiB"]).start();
    let round = || {
        for then in ["panic", "exit", "memory"] {
            assert_eq!(host.get(&format!("/answer?body=5000&flush=1&then={then}")).end, BodyEnd::Cut);
            host.get(&format!("/silent?then={then}")).expect(500);
        }
        host.post("/echo", vec![b'x'; 200_000]).expect(200);
        host.get("/leak?handles=100").expect(200);
    };
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count();
    for _ in 0..10 {
        round();
    }
    let (files, resident) = (descriptors(), memory_kib(&host, "VmRSS"));
    for _ in 0..30 {
        round();
    }
    let grown = memory_kib(&host, "VmRSS").saturating_sub(resident);
    assert!(grown < 16 * 1024, "{grown} KiB in 30 rounds");
    eventually("as many files as before", || (descriptors() <= files + 2).then_some(()));
}
