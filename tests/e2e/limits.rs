//! The limits of each app, at their edges: what is just within passes, what is just past is refused.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use wasgi_harness::{BodyEnd, Host, Request, Response, Wasgi};

/// Every limit, with the test of its edge. `--help` is compared with it, so that none is forgotten.
const TESTED: &[(&str, fn())] = &[
    ("cpu-max", cpu_max),
    ("wall-max", wall_max),
    ("memory-max", memory_max),
    ("body-max", body_max),
    ("body-memory-max", crate::request_body::a_small_body_stays_in_memory_and_a_larger_one_goes_to_an_unlinked_file),
    ("concurrency-max", concurrency_max),
    ("queue-max", crate::blame::a_full_queue_is_answered_with_503_and_one_that_takes_too_long_too),
    ("queue-wait-max", crate::blame::a_full_queue_is_answered_with_503_and_one_that_takes_too_long_too),
    ("abandon-max", abandon_max),
    ("head-count-max", head_count_max),
    ("head-size-max", head_size_max),
    ("body-oneshot-max", body_oneshot_max),
    ("write-chunk-max", write_chunk_max),
    ("hostcall-max", hostcall_max),
    ("handles-max", handles_max),
    ("reuse-age-max", crate::reuse::an_instance_that_is_too_old_is_replaced),
    ("reuse-memory-max", crate::reuse::an_instance_that_has_grown_too_large_is_replaced),
    ("reuse-handles-max", crate::reuse::an_instance_that_leaks_handles_is_replaced),
    ("rest-max", crate::reuse::an_instance_that_rests_too_long_is_dropped),
    ("warm-max", crate::warm::as_many_are_made_as_requests_asked_for_and_no_more),
    ("log-max", crate::guest_log::output_past_log_max_is_dropped_and_counted),
    ("log-line-max", crate::guest_log::a_line_past_log_line_max_is_cut),
    ("connections-max", crate::http_connections::a_connection_over_the_limit_waits_until_another_ends),
    ("requests-max", crate::limits_of_host::requests_max),
    ("redirects-max", crate::limits_of_host::redirects_max),
    ("instances-max", crate::limits_of_host::instances_max),
    ("spool-max", crate::request_body_refused::a_full_spool_refuses_with_503_until_there_is_room),
    ("request-line-max", crate::limits_of_host::request_line_max),
    ("header-count-max", crate::limits_of_host::header_count_max),
    ("header-size-max", crate::limits_of_host::header_size_max),
    ("first-byte-max", crate::http_timeouts::a_client_that_sends_no_byte_is_dropped),
    ("header-read-max", crate::http_timeouts::a_client_that_never_ends_its_head_is_dropped),
    ("body-idle-max", crate::request_body_refused::a_body_that_comes_too_slowly_is_refused_with_408),
    ("idle-max", crate::http_timeouts::a_connection_that_rests_too_long_is_closed),
    ("send-idle-max", crate::http_timeouts::a_client_that_takes_nothing_is_dropped),
    ("streams-max", crate::limits_of_host::streams_max),
    ("component-max", crate::limits_of_host::component_max),
    ("code-max", crate::density::code_that_does_not_fit_is_dropped_and_loaded_again),
    ("cache-max", crate::limits_of_host::cache_max),
    ("bundle-max", crate::bundle::bundle_max),
    ("bundle-files-max", crate::bundle::bundle_files_max),
    ("compile-cpu-max", crate::limits_of_host::compile_cpu_max),
    ("compile-wall-max", crate::limits_of_host::compile_wall_max),
    ("compile-memory-max", crate::limits_of_host::compile_memory_max),
];

#[test]
fn every_limit_has_a_test_of_its_edge() {
    let help = Wasgi::new(["serve"]).without_cache_flag().arg("--help").finish().stdout;
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let limits: BTreeSet<_> = flags.filter(|flag| flag.ends_with("-max")).collect();
    let tested: BTreeSet<_> = TESTED.iter().map(|(name, _)| *name).collect();
    assert_eq!(limits, tested);
}

/// The next request of the app is served.
#[track_caller]
fn goes_on(host: &Host) {
    host.get("/ok").expect_text("ok");
}

#[test]
fn cpu_max() {
    let host = Host::serving("hostile").args(["--cpu-max", "500ms"]).start();
    host.get("/spin/ms?cpu=200").expect_text("ok");
    host.get("/spin").expect(504);
    goes_on(&host);
    // Time in which the guest sleeps is not its CPU time.
    host.get("/sleep?ms=800").expect_text("slept");
}

#[test]
fn wall_max() {
    let host = Host::serving("hostile").args(["--wall-max", "1500ms"]).start();
    host.get("/sleep?ms=200").expect_text("slept");
    let since = Instant::now();
    host.get("/sleep?ms=30000").expect(504);
    assert!(since.elapsed() >= Duration::from_millis(1500), "after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(15), "after {:?}", since.elapsed());
    goes_on(&host);
    // After the head it is a cut.
    assert_eq!(host.get("/sleep?ms=30000&after=write").end, BodyEnd::Cut);
    goes_on(&host);
}

#[test]
fn memory_max() {
    let host = Host::serving("hostile").args(["--memory-max", "64MiB"]).start();
    assert_eq!(host.get("/memory/take?mib=50").expect(200).json(), json!({"mib": 50}));
    host.get("/memory/take?mib=64").expect(500);
    goes_on(&host);
    let id = host.get("/memory").expect(500).request_id();
    host.log().wait_with(&[&id, "memory-max"]);
    goes_on(&host);
}

#[test]
fn body_max() {
    let host = Host::serving("hostile").args(["--body-max", "100000B"]).start();
    for (size, status) in [(99_999, 200), (100_000, 200), (100_001, 413)] {
        host.post("/giant-read", vec![b'x'; size]).expect(status);
        host.request(&Request::chunked("/giant-read", [vec![b'x'; size]])).expect(status);
    }
    let host = Host::serving("hostile").args(["--body-max", "0B"]).start();
    host.post("/ok", "").expect(200);
    host.post("/ok", "x").expect(413);
}

#[test]
fn concurrency_max() {
    let host = Host::serving("conformance").args(["--concurrency-max", "2", "--queue-max", "0"]).grant("gate", "/gate");
    let host = host.start();
    let mut running: Vec<_> = (0..2).map(|_| host.connect()).collect();
    for conn in &mut running {
        conn.send(Request::get("/gate/file?path=/gate/open").bytes());
        assert_eq!(conn.head().status, 200);
    }
    // Two have begun and cannot end yet.
    host.get("/hello").expect(503);
    std::fs::write(host.path("gate/open"), "").unwrap();
    for conn in &mut running {
        conn.chunks_until("first\nlast\n");
    }
}

#[test]
fn abandon_max() {
    for how in ["", "&how=sleep"] {
        let host = Host::serving("hostile").args(["--abandon-max", "300ms", "--concurrency-max", "1"]);
        let host = host.grant("data", "/data").start();
        let mut conn = host.connect();
        conn.send(Request::get(&format!("/leave/linger?file=/data/log{how}")).bytes());
        let id = conn.head().header("X-Request-Id").unwrap().to_owned();
        conn.chunk().unwrap();
        drop(conn);
        wasgi_harness::files::wait_for_line(&host.path("data/log"), "write: closed");
        let since = Instant::now();
        // The only place becomes free once the guest was stopped, and its stop is in the log.
        goes_on(&host);
        assert!(since.elapsed() < Duration::from_secs(8), "after {:?}", since.elapsed());
        host.log().wait_with(&[&id, "abandon-max"]);
        let log = std::fs::read_to_string(host.path("data/log")).unwrap();
        assert!(!log.contains("cleaned up"), "{log}");
    }
}

#[test]
fn a_guest_that_cleans_up_in_time_is_not_disturbed() {
    let host = Host::serving("hostile").grant("data", "/data").start();
    for path in ["/leave/write?file=/data/log", "/leave/wait?file=/data/log"] {
        let mut conn = host.connect();
        conn.send(Request::get(path).bytes());
        conn.head();
        conn.chunk().unwrap();
        drop(conn);
        wasgi_harness::files::wait_for_line(&host.path("data/log"), "cleaned up");
        std::fs::remove_file(host.path("data/log")).unwrap();
    }
    let log = host.stop().log;
    assert!(!log.iter().any(|line| line.contains("ERROR")), "{log:#?}");
}

#[test]
fn head_count_max() {
    let host = Host::serving("conformance").args(["--head-count-max", "10"]).start();
    host.get("/headers?count=10").expect_text("started");
    is_too_large(&host.get("/headers?count=11"), "head-count-max");
    host.get("/headers?count=11&quiet=1").expect(502);
}

#[test]
fn head_size_max() {
    let host = Host::serving("conformance").args(["--head-size-max", "1KiB"]).start();
    host.get("/headers?count=1&size=900").expect_text("started");
    is_too_large(&host.get("/headers?count=1&size=1024"), "head-size-max");
}

/// The guest was told by name which limit its head is over.
#[track_caller]
fn is_too_large(answer: &Response, limit: &str) {
    let refused = answer.json();
    assert_eq!(refused["error"], "too-large");
    assert!(refused["detail"].as_str().unwrap().contains(limit), "{refused}");
}

#[test]
fn body_oneshot_max() {
    let host = Host::serving("hostile").args(["--body-oneshot-max", "10000B"]).start();
    assert_eq!(host.get("/huge-return?bytes=10000").expect(200).body.len(), 10_000);
    let response = host.get("/huge-return?bytes=10001");
    response.expect(502);
    host.log().wait_with(&[&response.request_id(), "body-oneshot-max"]);
    goes_on(&host);
}

#[test]
fn write_chunk_max() {
    let host = Host::serving("hostile").args(["--write-chunk-max", "10000B"]).start();
    for (bytes, told) in [(10_000, "huge-chunk: ok"), (10_001, "huge-chunk: too-large 10000")] {
        let response = host.get(&format!("/huge-chunk?bytes={bytes}"));
        response.expect(200);
        host.log().wait_with(&[&response.request_id(), told]);
        assert!(response.text().ends_with("done"), "the guest may write on");
    }
}

#[test]
fn hostcall_max() {
    let host = Host::serving("hostile").start();
    // 16 MiB cross at most, and what is over it traps; the guest's own memory would do.
    let within = host.get("/giant-name?mib=8").expect(200).json();
    assert_eq!(within, json!({"present": false}));
    for path in ["/giant-name?mib=32", "/giant-errors?mib=32"] {
        host.get(path).expect(500);
        goes_on(&host);
    }
    let host = Host::serving("hostile").args(["--hostcall-max", "64MiB"]).start();
    assert_eq!(host.get("/giant-name?mib=32").expect(200).json(), json!({"present": false}));
}

#[test]
fn a_limit_that_a_host_call_could_not_carry_is_refused() {
    let outcome = Wasgi::new(["serve"])
        .arg(wasgi_harness::guest("hello"))
        .args(["--listen", "127.0.0.1:0", "--hostcall-max", "100KiB"])
        .finish();
    assert!(matches!(outcome.code, Some(2 | 78)), "{outcome:?}");
    assert!(outcome.message().contains("hostcall-max"), "{outcome:?}");
}

#[test]
fn handles_max() {
    let host = Host::serving("hostile").args(["--handles-max", "500"]).start();
    assert_eq!(host.get("/many-pollables?count=100").expect(200).json(), json!({"pollables": 100}));
    host.get("/many-pollables?count=600").expect(500);
    goes_on(&host);
    // Handles of the gateway count as well as those of WASI.
    let response = host.get("/many-starts?count=600");
    let started = response.status() == 200 && response.json()["started"] == 600;
    assert!(!started, "{response:?}");
    goes_on(&host);
}
