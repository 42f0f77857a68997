//! What attacks leave behind in the host: nothing that adds up.

use std::fs;

use wasgi_harness::{BodyEnd, Host, Request};

use crate::common::memory_kib;
use crate::isolation::Due::{Cut, Fault, Served};
use crate::isolation_calls::PATHS;
use crate::raw::Raw;

/// What the host holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    virtual_kib: u64,
    descriptors: u64,
    threads: u64,
}

impl Held {
    fn by(host: &Host) -> Self {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", host.pid())).expect("a running process").count();
        let threads = fs::read_dir(format!("/proc/{}/task", host.pid())).expect("a running process").count();
        Self {
            resident_kib: memory_kib(host, "VmRSS"),
            virtual_kib: memory_kib(host, "VmSize"),
            descriptors: descriptors as u64,
            threads: threads as u64,
        }
    }
}

/// The attacks of one round: those that need no budget of time to run out, and those raw ones that fail amid a call.
fn attacks(host: &Host, raw: &[String]) {
    let quick =
        PATHS.iter().filter(|(_, due)| !matches!(due, Fault(_, "cpu-max" | "wall-max") | Cut("cpu-max" | "wall-max")));
    for (path, due) in quick {
        let status = match due {
            Served | Cut(_) => 200,
            Fault(status, _) => *status,
        };
        host.post(&format!("/hostile{path}"), "a body").expect(status);
    }
    for path in raw {
        let response = host.get(&format!("/raw{path}?1000"));
        assert!(response.status() == 500 || response.end == BodyEnd::Cut, "{path}: {response:?}");
    }
    // A client that leaves, and a body that goes to disk.
    let mut conn = host.connect();
    conn.send(Request::get("/hostile/endless").bytes());
    assert_eq!(conn.head().status, 200);
    drop(conn);
    host.post("/hostile/giant-read", vec![b'x'; 200_000]).expect(200);
}

/// Attacks that fail while the host holds something for them.
fn raw() -> (Raw, Vec<String>) {
    let mut raw = Raw::new();
    let paths = [
        // Half a megabyte of headers has been read when the last is found to lie.
        "(local $at i32)
        (drop (memory.grow (i32.const 16)))
        (local.set $at (i32.const 131072))
        (loop $more
            (i32.store offset=4 (local.get $at) (i32.const 5000))
            (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 132672))))
        (i32.store offset=132676 (i32.const 0) (i32.const -1))
        (call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 131072) (i32.const 101) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        unreachable",
        // Handles of all kinds are left behind.
        "(call $take (local.get $environ) (i32.const 64))
        (loop $more
            (call $call (local.get $start) (i32.const 0) (i32.const 6)
                (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 2) (i32.const 64))
            (br_if $more (local.tee $number (i32.sub (local.get $number) (i32.const 1)))))
        unreachable",
        // A chunk is under way.
        "(call $write (call $start (local.get $start)) (i32.const 8) (i32.const 2) (i32.const 64))
        (global.set $mode (i32.const 1)) (call $entries (local.get $environ) (i32.const 64)) unreachable",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
        "(loop $more (br_if $more (i32.ne (table.grow $functions (ref.null func) (i32.const 1000)) (i32.const -1))))
        unreachable",
        "(global.set $after (i32.const 1)) (call $ok (local.get $start))",
    ];
    let paths = paths.iter().map(|code| raw.function(code)).collect();
    (raw, paths)
}

/// A machine that stands still for a while is no fault.
const PATIENT: &[&str] =
    &["--wall-max", "1h", "--first-byte-max", "1h", "--header-read-max", "1h", "--body-idle-max", "1h"];

/// The host is warm after a third of the rounds, and in the last third it holds no more than then.
///
/// Slots at rest keep some memory, now more and now less: so the most of the first is compared with the least of the
/// last, which a leak raises all the same.
fn nothing_adds_up(rounds: usize, args: &[&str]) {
    let (guest, paths) = raw();
    let builder = Host::dir(&["hello", "hostile"]).args(args).log_filter("off");
    fs::write(builder.path("apps/raw.wasm"), guest.assemble()).unwrap();
    let host =
        builder.args(["--memory-max", "64MiB", "--access-log", "off", "--instances-max", "8"]).args(PATIENT).start();
    let held: Vec<Held> = (0..rounds)
        .map(|_| {
            attacks(&host, &paths);
            host.get("/hello").expect_text("Hello, world!\n");
            Held::by(&host)
        })
        .collect();
    let (first, last) = (&held[..rounds / 3], &held[rounds - rounds / 3..]);
    let grown = |what: fn(&Held) -> u64| {
        let (most, least) = (first.iter().map(what).max(), last.iter().map(what).min());
        least.unwrap_or(0).saturating_sub(most.unwrap_or(0))
    };
    // What an allocator may fancy: the arena of a thread is 64 MiB of address space.
    assert!(grown(|held| held.resident_kib) < 8 << 10, "{held:#?}");
    assert!(grown(|held| held.virtual_kib) < 512 << 10, "{held:#?}");
    assert!(grown(|held| held.descriptors) < 8, "{held:#?}");
    assert!(grown(|held| held.threads) < 8, "{held:#?}");
    host.stop();
}

#[test]
fn attacks_on_fresh_instances_leave_nothing_in_the_host() {
    nothing_adds_up(24, &[]);
}

#[test]
fn attacks_on_reused_instances_leave_nothing_in_the_host() {
    nothing_adds_up(24, &["--reuse", "10"]);
}

#[test]
#[ignore = "takes minutes: 500 rounds"]
fn attacks_on_fresh_instances_leave_nothing_in_the_host_in_500_rounds() {
    nothing_adds_up(500, &[]);
}

#[test]
#[ignore = "takes minutes: 500 rounds"]
fn attacks_on_reused_instances_leave_nothing_in_the_host_in_500_rounds() {
    nothing_adds_up(500, &["--reuse", "10"]);
}
