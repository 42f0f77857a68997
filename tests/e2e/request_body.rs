//! Request bodies that are served: where they wait, and what they cost.

use std::fs;
use std::time::Instant;

use serde_json::json;
use wasgi_harness::{Host, PATIENCE, Request, guests_dir};

use crate::common::{memory_kib, unlinked_files};

/// Sends `body` to a guest that waits, its body complete, until it is let go; returns what `look` sees meanwhile.
fn while_held<T>(host: &Host, body: &[u8], look: impl FnOnce() -> T) -> T {
    let gate = host.path("gate/open");
    let mut conn = host.connect();
    conn.send(Request::post("/gate/file?path=/gate/open", body).bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("first\n");
    let seen = look();
    fs::write(&gate, "").unwrap();
    conn.chunks_until("last\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()));
    fs::remove_file(&gate).unwrap();
    seen
}

#[test]
pub(crate) fn a_small_body_stays_in_memory_and_a_larger_one_goes_to_an_unlinked_file() {
    let host = Host::serving("conformance").args(["--body-memory-max", "64KiB", "--concurrency-max", "1"]);
    let host = host.grant("gate", "/gate").start();
    let spool = host.path("spool");
    let files = || (unlinked_files(&host, &spool), fs::read_dir(&spool).unwrap().count());
    let small = while_held(&host, &vec![b'x'; 64 * 1024], files);
    assert_eq!(small, (vec![], 0));
    let large = while_held(&host, &vec![b'x'; 64 * 1024 + 1], files);
    assert_eq!(large, (vec![64 * 1024 + 1], 0), "a file without a name, so that nothing stays behind after a crash");
    // The only place is free once the guest and its body are gone.
    host.get("/hello").expect_text("hello");
    assert_eq!(files(), (vec![], 0));
}

#[test]
fn a_client_that_sends_slowly_holds_no_instance() {
    let host = Host::serving("conformance").args(["--concurrency-max", "1", "--queue-max", "0"]).start();
    let mut slow = host.connect();
    slow.send(
        Request::new("POST", "/input/all").header("Content-Length", "10").header("Expect", "100-continue").bytes(),
    );
    assert_eq!(slow.head().status, 100, "it was let in");
    slow.send("half ");
    // The only place is free, though the slow request was there first.
    host.get("/hello").expect_text("hello");
    slow.send("a day");
    slow.response().expect_text("half a day");
}

#[test]
fn chunk_extensions_and_trailers_are_read_and_dropped() {
    let host = Host::serving("conformance").start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/input/all").header("Transfer-Encoding", "chunked").bytes());
    conn.send("3;name=value;other=\"quoted\"\r\nabc\r\n000002\r\nde\r\n0\r\nX-Late: trailer\r\n\r\n");
    conn.response().expect_text("abcde");
    conn.send(Request::get("/hello").bytes());
    conn.response().expect_text("hello");
}

#[test]
fn a_body_may_come_byte_by_byte() {
    let host = Host::serving("conformance").start();
    let mut conn = host.connect();
    for byte in Request::chunked("/input/all", ["slow", "and steady"]).bytes() {
        conn.send([byte]);
    }
    conn.response().expect_text("slowand steady");
}

#[test]
fn a_get_may_have_a_body() {
    let host = Host::serving("conformance").start();
    let mut conn = host.connect();
    conn.send(Request::get("/input/all").header("Content-Length", "3").bytes()).send("abc");
    conn.response().expect_text("abc");
}

#[test]
fn an_upload_of_1_gib_costs_no_memory() {
    const MIB: u64 = 1024;
    // How long a hash takes is the machine's matter. The spool is on disk, where the temporary folder may be memory.
    let host = Host::serving("upload")
        .args(["--wall-max", "5m", "--cpu-max", "5m"])
        .arg("--spool-dir")
        .arg(guests_dir())
        .start();
    host.post("/warm-up", vec![b'x'; 1 << 20]).expect(200);
    let before = memory_kib(&host, "VmRSS");
    let piece = vec![b'x'; 1 << 20];
    let mut hasher = blake3::Hasher::new();
    let mut conn = host.connect();
    conn.send(Request::new("PUT", "/big").header("Content-Length", (MIB << 20).to_string()).bytes());
    for _ in 0..MIB {
        hasher.update(&piece);
        conn.send(&piece);
    }
    let response = conn.response();
    let answer = response.expect(200).json();
    let expected = json!({"path": "/big", "bytes": MIB << 20, "blake3": hasher.finalize().to_hex().as_str()});
    assert_eq!(answer, expected);
    let (after, peak) = (memory_kib(&host, "VmRSS"), memory_kib(&host, "VmHWM"));
    println!("1 GiB uploaded: RSS {before} KiB before, {after} KiB after, at most {peak} KiB");
    assert!(peak - before < 32 * 1024, "RSS {before} KiB before, at most {peak} KiB");
}

#[test]
fn with_streaming_the_guest_runs_while_the_body_comes() {
    let host = Host::serving("upload").args(["--request-body", "stream"]).start();
    let spool = host.path("spool");
    let mut conn = host.connect();
    conn.send(Request::new("PUT", "/big").header("Content-Length", (4 << 20).to_string()).bytes());
    for _ in 0..4 {
        conn.send(vec![b'x'; 1 << 20]);
        assert_eq!(unlinked_files(&host, &spool), [0; 0], "nothing is spooled");
    }
    assert_eq!(conn.response().expect(200).json()["bytes"], 4 << 20);
}

#[test]
fn a_streamed_body_is_read_as_fast_as_the_guest_reads_it() {
    // The guest reads at most 256 KiB each 5 ms; the client may not be far ahead of it.
    let host = Host::serving("hostile").args(["--request-body", "stream"]).start();
    host.get("/ok").expect_text("ok");
    let before = memory_kib(&host, "VmHWM");
    let mut conn = host.connect();
    let size = 20 << 20;
    let request = Request::new("POST", "/slow-reads?bytes=262144&ms=5").header("Content-Length", size.to_string());
    conn.send(request.bytes()).send(vec![b'x'; size]);
    assert_eq!(conn.response().expect(200).json(), json!({"total": size, "error": null}));
    let grown = memory_kib(&host, "VmHWM") - before;
    assert!(grown < 10 * 1024, "20 MiB went through, and the host took {grown} KiB");
}

#[test]
fn a_spool_in_memory_is_warned_of() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let is_memory = |line: &&str| line.split_whitespace().nth(2) == Some("tmpfs");
    let in_memory = mounts.lines().filter(is_memory).filter_map(|line| line.split_whitespace().nth(1));
    // Not every machine lets us write to one.
    let dirs: Vec<_> = in_memory.filter_map(|dir| tempfile::tempdir_in(dir).ok()).take(1).collect();
    for dir in &dirs {
        let host = Host::serving("hello").arg("--spool-dir").arg(dir.path()).start();
        host.log().wait_with(&["WARN", "memory", "--spool-dir"]);
    }
    let host = Host::serving("hello").arg("--spool-dir").arg(guests_dir()).start();
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("spool")), "{log:#?}");
}

#[test]
fn a_slow_upload_does_not_wait_in_memory_for_its_end() {
    let host = Host::serving("conformance").args(["--body-memory-max", "64KiB"]).start();
    let spool = host.path("spool");
    let size = 500 * 1024;
    let mut conn = host.connect();
    let request = Request::new("POST", "/input/ignored").header("Content-Length", size.to_string());
    conn.send(request.bytes()).send(vec![b'x'; size - 1]);
    // What came is on disk but for about as much as may stay in memory. Other requests set the pace of looking.
    let since = Instant::now();
    while unlinked_files(&host, &spool).first().is_none_or(|length| *length < 300 * 1024) {
        assert!(since.elapsed() < PATIENCE, "{:?}", unlinked_files(&host, &spool));
        host.get("/hello").expect_text("hello");
    }
    conn.send("x");
    conn.response().expect_text("ignored");
}
