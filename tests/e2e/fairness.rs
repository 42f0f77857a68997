//! Tenants that want more than there is, beside others. Time is told by what the busy ones have done meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use wasgi_harness::{Conn, Host, HostBuilder, Request};

use crate::common::access_entry;

/// A busy and another app, each its own tenant.
const TWO_TENANTS: &str = r#"
    access-log-format = "json"
    [[app]]
    name = "busy"
    component = "$GUESTS/hostile.wasm"
    routes = ["/busy"]
    [[app]]
    name = "other"
    component = "$GUESTS/hostile.wasm"
    routes = ["/other"]
"#;

/// As many as `concurrency-max` has by default.
const CROWD: usize = 64;

fn on_workers(config: &str, workers: &str) -> HostBuilder {
    Host::config(config).env("TOKIO_WORKER_THREADS", workers)
}

/// Connections on which these requests begin at the same time: the host waits for the byte of each body.
fn all_at_once(host: &Host, targets: &[&str]) -> Vec<Conn> {
    let begin = |target: &&str| {
        let mut conn = host.connect();
        conn.send(Request::post(target, "x").head_bytes());
        conn
    };
    let mut conns: Vec<Conn> = targets.iter().map(begin).collect();
    for conn in &mut conns {
        conn.send("x");
    }
    conns
}

/// Reads up to what a guest writes first.
fn wait_until_begun(conns: &mut [Conn]) {
    for conn in conns {
        assert_eq!(conn.head().status, 200);
        conn.chunks_until("begun\n");
    }
}

/// Many short requests, one after the other, on one connection.
fn many_short(host: &Host, count: usize) {
    let mut conn = host.connect();
    for _ in 0..count {
        conn.send(Request::get("/other/ok").bytes()).response().expect_text("ok");
    }
}

fn is_of(app: &str, line: &str) -> bool {
    line.contains(&format!("\"app\":\"{app}\""))
}

fn beside_busy_loops(workers: &str) {
    // Together 12.8 s of CPU: the other tenant's requests take most of them if each has to wait for its turn in a
    // line of all loops, and next to none if it has not.
    let host = on_workers(TWO_TENANTS, workers).args(["--cpu-max", "200ms", "--wall-max", "10min"]).start();
    let mut loops = all_at_once(&host, &["/busy/spin?after=write"; CROWD]);
    wait_until_begun(&mut loops);
    many_short(&host, 300);
    let lines = host.access_log().wait_until("the other's requests", |lines| {
        (lines.iter().filter(|line| is_of("other", line)).count() == 300).then(|| lines.to_vec())
    });
    let ended = lines.iter().filter(|line| is_of("busy", line)).count();
    assert_eq!(ended, 0, "loops that have used up their time meanwhile");
}

#[test]
fn a_tenant_is_served_while_64_busy_loops_of_another_run() {
    beside_busy_loops("2");
}

#[test]
fn a_tenant_is_served_while_64_busy_loops_of_another_run_on_the_only_worker() {
    beside_busy_loops("1");
}

fn beside_a_flood(workers: &str) {
    let host = on_workers(TWO_TENANTS, workers).start();
    let (is_over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (clients, requests) = (32, 200);
    let flood = || {
        let mut conn = host.connect();
        while !is_over.load(Ordering::SeqCst) {
            conn.send(Request::get("/busy/work?kilo=500").bytes()).response().expect_text("ok");
            served.fetch_add(1, Ordering::SeqCst);
        }
    };
    thread::scope(|scope| {
        (0..clients).for_each(|_| drop(scope.spawn(flood)));
        // Until the flood is under way, and the host has seen that it is one.
        while served.load(Ordering::SeqCst) < 10 * clients {
            thread::yield_now();
        }
        many_short(&host, 20);
        let before = served.load(Ordering::SeqCst);
        many_short(&host, requests);
        let beside = served.load(Ordering::SeqCst) - before;
        is_over.store(true, Ordering::SeqCst);
        // In a line of all requests it would be the number of clients for each, on one worker.
        assert!(beside < requests * clients / 4, "{beside} requests of the flood were served beside {requests}");
    });
}

#[test]
fn a_flood_of_short_requests_does_not_hold_up_another_tenant() {
    beside_a_flood("2");
}

#[test]
fn a_flood_of_short_requests_does_not_hold_up_another_tenant_on_the_only_worker() {
    beside_a_flood("1");
}

#[test]
fn guests_that_sleep_after_they_were_busy_keep_no_turn_from_others() {
    for workers in ["1", "2"] {
        let host = on_workers(TWO_TENANTS, workers).args(["--wall-max", "10min", "--concurrency-max", "65"]).start();
        let mut sleepers = all_at_once(&host, &["/busy/work?kilo=5000&sleep=1&ms=600000&after=write"; CROWD]);
        wait_until_begun(&mut sleepers);
        host.get("/other/work?kilo=20000").expect_text("ok");
        host.get("/busy/work?kilo=20000").expect_text("ok");
    }
}

#[test]
fn guests_whose_clients_leave_give_their_turns_back() {
    for workers in ["1", "2"] {
        let host = on_workers(TWO_TENANTS, workers).args(["--wall-max", "10min", "--cpu-max", "10min"]).start();
        let mut loops = all_at_once(&host, &["/busy/spin?after=write"; CROWD]);
        wait_until_begun(&mut loops);
        drop(loops);
        host.log().wait_count(CROWD, &["abandon-max"]);
        host.get("/busy/work?kilo=20000").expect_text("ok");
    }
}

#[test]
fn work_is_shared_by_weight() {
    let config = format!(
        "{TWO_TENANTS}\n[[tenant]]\nname = \"busy\"\nweight = 50\n[[tenant]]\nname = \"other\"\nweight = 150\n"
    );
    let host = on_workers(&config, "1").args(["--cpu-max", "200ms", "--wall-max", "10min"]).start();
    // The same CPU time for all.
    let mut conns = all_at_once(&host, &["/busy/spin", "/other/spin"].repeat(8));
    conns.iter_mut().for_each(|conn| drop(conn.response()));
    let lines = host.access_log().wait_until("all lines", |lines| {
        let lines: Vec<_> = lines.iter().filter(|line| line.contains("/spin")).cloned().collect();
        (lines.len() == 16).then_some(lines)
    });
    let first: Vec<_> = lines.iter().take(8).filter(|line| is_of("busy", line)).collect();
    assert!(first.is_empty(), "the heavier tenant is done first: {lines:#?}");
}

fn cpu(entry: &Value) -> u64 {
    entry["cpu_us"].as_u64().unwrap_or_else(|| panic!("no CPU time: {entry}"))
}

#[test]
fn who_waits_for_a_turn_is_not_charged() {
    let host = on_workers(TWO_TENANTS, "1").start();
    let start = Instant::now();
    let mut conns = all_at_once(&host, &["/busy/work?kilo=20000"; 16]);
    let responses: Vec<_> = conns.iter_mut().map(Conn::response).collect();
    let elapsed = u64::try_from(start.elapsed().as_micros()).unwrap();
    let times: Vec<u64> = responses.iter().map(|response| cpu(&access_entry(&host, &response.request_id()))).collect();
    // They waited for each other most of the time, on a single thread.
    let sum: u64 = times.iter().sum();
    assert!(sum <= elapsed, "{times:?} are {sum}, more than the {elapsed} that went by");
    // On a machine whose ticker comes late, one may end before its first tick, and is charged for one.
    assert!(times.iter().all(|time| *time >= 1_000), "work is charged: {times:?}");
}

#[test]
fn who_sleeps_is_not_charged_and_who_is_not_called_has_no_time() {
    let host = on_workers(TWO_TENANTS, "2").start();
    let entry = access_entry(&host, &host.get("/busy/sleep?ms=1000").request_id());
    assert!(cpu(&entry) < 500_000, "{entry}");
    assert!(entry["seconds"].as_f64().is_some_and(|seconds| seconds >= 1.0), "{entry}");
    let entry = access_entry(&host, &host.get("/nowhere").request_id());
    assert_eq!(entry["cpu_us"], Value::Null);
}

#[test]
fn a_guest_that_waits_for_its_turn_spends_wall_time() {
    let host = on_workers(TWO_TENANTS, "1").args(["--wall-max", "1s", "--cpu-max", "10min"]).start();
    let conns = all_at_once(&host, &["/busy/spin"; 8]);
    for mut conn in conns {
        conn.response().expect(504);
    }
    host.log().wait_count(8, &["wall-max"]);
}
