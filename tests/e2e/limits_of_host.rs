//! The limits of the host as a whole, at their edges. Those with a topic of their own are tested there.

use std::fs;
use std::path::Path;

use wasgi_harness::{Host, Outcome, Request, Wasgi, eventually, frames, guest};

use crate::common::{access_entry, access_entry_with, encoded, refused};

#[test]
pub(crate) fn instances_max() {
    // One instance for two apps: the second waits until the first has ended.
    let host = Host::dir(&["conformance", "hello"]).args(["--instances-max", "1"]);
    let host = host.args(["--reuse", "10"]).start();
    for _ in 0..5 {
        // An instance at rest gives way to another app.
        host.get("/conformance/hello").expect_text("hello");
        host.get("/hello").expect_text("Hello, world!\n");
    }
    // So does one that comes to rest while another app waits for it.
    let host = Host::dir(&["conformance", "hello"]).args(["--instances-max", "1", "--reuse", "10"]);
    let host = host.args(["--request-body", "stream", "--queue-max", "1", "--access-log-format", "json"]).start();
    let mut busy = host.connect();
    busy.send(Request::new("POST", "/conformance/gate/input").header("Transfer-Encoding", "chunked").bytes());
    assert_eq!(busy.head().status, 200);
    // Of two, one waits and the other finds the queue full: that tells when the first does wait.
    let mut others = [host.connect(), host.connect()];
    for conn in &mut others {
        conn.send(Request::get("/hello").bytes());
    }
    access_entry_with(&host, "queue-full");
    busy.send_chunk("").chunks_until("first\nsecond\nlast\n");
    let mut statuses = others.map(|mut conn| conn.response().status());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503]);

    let host = Host::dir(&["hostile", "hello"]).args(["--instances-max", "1", "--queue-wait-max", "300ms"]).start();
    let mut conn = host.connect();
    conn.send(Request::get("/hostile/sleep?ms=20000&after=write").bytes());
    assert_eq!(conn.head().status, 200);
    host.get("/hello").expect(503);
}

#[test]
pub(crate) fn redirects_max() {
    // Each goes to the next, as often as it is wrapped.
    let wrapped = |times: usize| {
        let around = |target: String, _| format!("/print?out={}", encoded(format!("Location: {target}\n\n")));
        (0..times).fold("/ok".to_owned(), around)
    };
    let host = Host::serving("cgi").args(["--redirects-max", "1"]).start();
    host.get(&wrapped(1)).expect_text("ok");
    let response = host.get(&wrapped(2));
    response.expect(502);
    host.log().wait_with(&[&response.request_id(), "redirects-max"]);
    let host = Host::serving("cgi").args(["--redirects-max", "0"]).start();
    host.get(&wrapped(1)).expect(502);
    host.get(&wrapped(0)).expect_text("ok");
}

#[test]
pub(crate) fn requests_max() {
    let host = Host::serving("conformance").args(["--requests-max", "2", "--request-body", "stream"]);
    let host = host.args(["--access-log-format", "json"]).start();
    let gate = || http::Request::post("http://test/gate/input").body(()).unwrap();
    let mut two = host.http2();
    let mut first = two.start(gate(), false);
    assert_eq!(first.head().unwrap().status, 200);
    let mut second = host.connect();
    second.send(Request::new("POST", "/gate/input").header("Transfer-Encoding", "chunked").bytes());
    assert_eq!(second.head().status, 200);

    // No third, by whichever protocol; and it is not asked for its body.
    assert_eq!(two.get("/hello").status, 503);
    let mut third = host.connect();
    third.send(Request::post("/input/all", "body").header("Expect", "100-continue").head_bytes());
    let head = third.head();
    assert_eq!(head.status, 503);
    assert!(head.header("Retry-After").is_some(), "{head:?}");
    assert_eq!(access_entry(&host, head.header("X-Request-Id").unwrap())["error"], "host-full");

    // A request counts until its response is there.
    assert_eq!(first.data().unwrap().as_deref(), Some(&b"first\n"[..]));
    assert_eq!(two.get("/hello").status, 503);
    first.send("1", true).unwrap();
    assert_eq!(first.rest().unwrap(), b"second\nlast\n");
    eventually("the place of the first", || (two.get("/hello").status == 200).then_some(()));
    second.send_chunk("").chunks_until("first\nsecond\nlast\n");
}

#[test]
pub(crate) fn request_line_max() {
    let host = Host::serving("hello").args(["--request-line-max", "100B"]).start();
    let line = |length: usize| format!("/{}", "x".repeat(length - "GET / HTTP/1.1".len()));
    host.get(&line(100)).expect(200);
    host.get(&line(101)).expect(414);
}

#[test]
pub(crate) fn header_count_max() {
    for count in [3, 250] {
        let host = Host::serving("hello").args(["--header-count-max", &count.to_string()]).start();
        // Host is one of them.
        let with = |count: usize| (1..count).fold(Request::get("/"), |request, _| request.header("X-A", "b"));
        host.request(&with(count)).expect(200);
        host.request(&with(count + 1)).expect(431);
    }
}

#[test]
fn headers_without_number_harm_nobody_whatever_the_limits_say() {
    let limits = ["--header-count-max", "4294967295", "--header-size-max", "4MiB"];
    let host = Host::serving("hello").args(limits).start();
    let with = |count: usize| {
        let all = (0..count).fold(Request::get("/"), |request, number| request.header(&format!("X-{number}"), "a"));
        host.request(&all).status()
    };
    assert_eq!(with(10_000), 200);
    assert_eq!(with(30_000), 431);

    let mut conn = host.connect();
    conn.send(frames::opening(65_535)).send(frames::open_headers(1, &frames::get_headers("/")));
    for block in 0..30 {
        let headers = (0..1000).flat_map(|number| frames::header(&format!("x-{block}-{number}"), "a"));
        // It may have been ended already.
        let _ = conn.try_send(frames::continuation(1, &headers.collect::<Vec<_>>(), block == 29));
    }
    host.get("/").expect(200);
    drop(conn);
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
}

#[test]
pub(crate) fn header_size_max() {
    for size in [500, 20_000, 200_000] {
        let host = Host::serving("hello").args(["--header-size-max", &format!("{size}B")]).start();
        let with = |size: usize| {
            let value = "x".repeat(size - "Host: test\r\nX-A: \r\n".len());
            Request::get("/").header("X-A", value)
        };
        host.request(&with(size)).expect(200);
        host.request(&with(size + 1)).expect(431);
    }
}

#[test]
pub(crate) fn streams_max() {
    let host = Host::serving("conformance").args(["--streams-max", "2", "--request-body", "stream"]).start();
    let mut conn = host.http2();
    let gate = || http::Request::post("http://test/gate/input").body(()).unwrap();
    // The client learns the limit with the first response, and keeps to it: a third stream waits for its turn.
    assert_eq!(conn.get("/hello").status, 200);
    let (mut first, mut second) = (conn.start(gate(), false), conn.start(gate(), false));
    assert_eq!(first.head().unwrap().status, 200);
    assert_eq!(second.head().unwrap().status, 200);
    assert_eq!(conn.streams_max(), 2);
    first.send("1", true).unwrap();
    second.send("2", true).unwrap();
    assert_eq!(first.rest().unwrap(), b"first\nsecond\nlast\n");
    assert_eq!(second.rest().unwrap(), b"first\nsecond\nlast\n");
}

/// Serves `name` with an empty cache of its own, so that it must be compiled.
fn compiled(name: &str, args: &[&str], cache: &Path) -> Outcome {
    let command = Wasgi::new(["check"]).without_cache_flag().arg(guest(name));
    command.args(args.iter().copied()).arg("--cache").arg(cache).finish()
}

#[test]
pub(crate) fn component_max() {
    let size = fs::metadata(guest("hello")).unwrap().len();
    let cache = tempfile::tempdir().unwrap();
    let exact = compiled("hello", &["--component-max", &format!("{size}B")], cache.path());
    assert_eq!(exact.code, Some(0), "{exact:?}");
    refused(&compiled("hello", &["--component-max", &format!("{}B", size - 1)], cache.path()), 65, &["component-max"]);
}

#[test]
pub(crate) fn compile_cpu_max() {
    // Compiling alone is quick; `initialize` is part of it, and this one never ends.
    let cache = tempfile::tempdir().unwrap();
    let args = ["--compile-cpu-max", "1s", "--cpu-max", "60s", "--wall-max", "60s"];
    refused(&compiled("init-spins", &args, cache.path()), 65, &["compile-cpu-max"]);
}

#[test]
pub(crate) fn compile_wall_max() {
    let cache = tempfile::tempdir().unwrap();
    let args = ["--compile-wall-max", "1s", "--cpu-max", "60s", "--wall-max", "60s"];
    refused(&compiled("init-spins", &args, cache.path()), 65, &["compile-wall-max"]);
}

#[test]
pub(crate) fn compile_memory_max() {
    let cache = tempfile::tempdir().unwrap();
    let args = ["--compile-memory-max", "256MiB", "--memory-max", "4GiB"];
    refused(&compiled("init-eats-memory", &args, cache.path()), 65, &["compile-memory-max"]);
}

#[test]
pub(crate) fn cache_max() {
    let dir = tempfile::tempdir().unwrap();
    let code = |dir: &Path| -> Vec<u64> {
        let entries = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
        let code = entries.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
        code.map(|path| fs::metadata(path).unwrap().len()).collect()
    };
    compiled("hello", &[], dir.path());
    let [one] = code(dir.path())[..] else { panic!("one entry") };
    // Room for that one and half of another: the older one goes.
    let limit = format!("{}B", one + one / 2);
    let outcome = compiled("other-world", &["--cache-max", &limit], dir.path());
    assert_eq!(outcome.code, Some(65), "what is refused is not kept: {outcome:?}");
    assert_eq!(code(dir.path()), [one]);
    let outcome = compiled("connect", &["--cache-max", &limit], dir.path());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let left = code(dir.path());
    assert!(left.len() == 1 && left != [one], "{left:?} beside {one}");
}
