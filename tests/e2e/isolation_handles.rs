//! Handles: guessed, kept, dropped, mixed up, and more of them than there may be.

use std::collections::BTreeSet;

use crate::isolation::Due::Served;
use crate::isolation::{Siege, TRAP};
use crate::raw::Raw;

/// Uses of a handle that is a number, and of how many such handles the guest has in truth.
const USES: &[(&str, &str, usize)] = &[
    ("environ.get", "(call $get (local.get $number) (i32.const 16) (i32.const 9) (i32.const 64))", 1),
    ("environ.entries", "(call $entries (local.get $number) (i32.const 64))", 1),
    ("environ.input", "(call $take (local.get $number) (i32.const 64))", 1),
    ("start-response.call", "(drop (call $start (local.get $number)))", 1),
    ("writer.write", "(call $write (local.get $number) (i32.const 8) (i32.const 2) (i32.const 64))", 0),
    ("input.read", "(call $read (local.get $number) (i64.const 9) (i32.const 64))", 0),
    ("drop of an environ", "(call $drop-environ (local.get $number))", 1),
    ("drop of a writer", "(call $drop-writer (local.get $number))", 0),
    ("drop of an input", "(call $drop-input (local.get $number))", 0),
    ("drop of a file", "(call $drop-descriptor (local.get $number))", 0),
];

/// The small ones, which are those in use, and the neighbourhood of each power of two.
fn guesses(small: u32) -> BTreeSet<u32> {
    let around = (0..32).map(|power| 1_u32 << power).flat_map(|number| [number - 1, number, number + 1]);
    (0..small).chain(around).chain([u32::MAX - 1, u32::MAX]).collect()
}

/// Each use of each guess traps, but for the handles that the guest was given.
fn no_guess_is_right(small: u32, args: &[&str]) {
    let mut raw = Raw::new();
    let uses: Vec<_> = USES
        .iter()
        .map(|(what, code, own)| {
            (what, raw.function(&format!("{code} (call $bytes (i32.const 8) (i32.const 2))")), own)
        })
        .collect();
    let builder = raw.beside_hello().args(args).log_filter("warn");
    let host = builder.start();
    for (what, path, own) in uses {
        let right = |guess: &u32| {
            let response = host.get(&format!("/raw{path}?{guess}"));
            // Its own handle serves, and then there is no head, or an empty one.
            let status = response.status();
            assert!([200, 500, 502].contains(&status), "{what} {guess}: {response:?}");
            status != 500
        };
        let right: Vec<_> = guesses(small).into_iter().filter(right).collect();
        assert_eq!(right.len(), *own, "{what}: {right:?}");
        host.get("/raw/0").expect_text("ok");
    }
    host.get("/hello").expect_text("Hello, world!\n");
}

#[test]
fn a_guest_that_guesses_handles_finds_none_but_its_own() {
    no_guess_is_right(24, &[]);
}

#[test]
#[ignore = "takes minutes: 30,000 guesses"]
fn a_guest_that_guesses_thousands_of_handles_finds_none_but_its_own() {
    no_guess_is_right(3000, &[]);
}

#[test]
fn a_handle_that_is_gone_or_of_another_kind_traps() {
    let mut raw = Raw::new();
    let attacks = [
        (
            "used after it was dropped",
            "(call $drop-environ (local.get $environ)) (call $entries (local.get $environ) (i32.const 64))",
        ),
        ("dropped twice", "(call $drop-environ (local.get $environ)) (call $drop-environ (local.get $environ))"),
        ("an environ as a start-response", "(drop (call $start (local.get $environ)))"),
        ("a start-response as an environ", "(call $entries (local.get $start) (i32.const 64))"),
        ("an environ dropped as a writer", "(call $drop-writer (local.get $environ))"),
        ("a writer as an input", "(call $read (call $start (local.get $start)) (i64.const 9) (i32.const 64))"),
    ];
    let paths: Vec<_> = attacks
        .iter()
        .map(|(_, code)| raw.function(&format!("{code} (call $bytes (i32.const 8) (i32.const 2))")))
        .collect();
    let siege = Siege::started(raw.beside_hello(), "/raw", "/0");
    for ((what, _), path) in attacks.iter().zip(paths) {
        let id = siege.attack_named(what, &path, TRAP).request_id();
        siege.host.log().wait_with(&[&id, "handle"]);
    }
}

/// Calls start_response `$number` times with an error, and drops the writers or not.
fn writers(then: &str) -> String {
    format!(
        "(loop $more
            (call $call (local.get $start) (i32.const 0) (i32.const 6)
                (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 2) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then unreachable))
            {then}
            (br_if $more (local.tee $number (i32.sub (local.get $number) (i32.const 1)))))
        (call $bytes (i32.const 8) (i32.const 2))"
    )
}

#[test]
fn ten_thousand_writers_are_too_many_unless_they_are_dropped() {
    let mut raw = Raw::new();
    let kept = raw.function(&writers(""));
    let dropped = raw.function(&writers("(call $drop-writer (i32.load (i32.const 68)))"));
    for args in [&[][..], &["--reuse", "50"]] {
        let siege = Siege::started(raw.beside_hello().args(args), "/raw", "/0");
        for _ in 0..3 {
            let id = siege.attack_named("writers that are kept", &format!("{kept}?10000"), TRAP).request_id();
            siege.host.log().wait_with(&[&id, "handles-max"]);
            siege.attack_named("writers that are dropped", &format!("{dropped}?10000"), Served);
        }
    }
    let siege = Siege::of_hostile(&[]);
    for path in ["/many-starts?count=10000", "/many-pollables?count=10000"] {
        let id = siege.attack(path, TRAP).request_id();
        siege.host.log().wait_with(&[&id, "handles-max"]);
    }
}

#[test]
fn a_writer_that_was_kept_reaches_nothing_and_its_drop_takes_nothing() {
    let mut raw = Raw::new();
    raw.main = "(global $kept (mut i32) (i32.const 0))".into();
    let keep = raw.function(
        "(global.set $kept (call $start (local.get $start)))
        (call $write (global.get $kept) (i32.const 8) (i32.const 2) (i32.const 64)) (call $bytes (i32.const 8) (i32.const 2))",
    );
    // The old writer between the new one and its use: written to, dropped, and by then the new head is out.
    let use_kept = raw.function(
        "(local $own i32)
        (if (i32.eqz (global.get $kept)) (then unreachable))
        (local.set $own (call $start (local.get $start)))
        (call $write (global.get $kept) (i32.const 16) (i32.const 9) (i32.const 64))
        ;; An error, and the error `closed`.
        (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable))
        (if (i32.load8_u (i32.const 72)) (then unreachable))
        (call $write (local.get $own) (i32.const 8) (i32.const 2) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable))
        (call $write (global.get $kept) (i32.const 16) (i32.const 9) (i32.const 64))
        (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable))
        (call $drop-writer (global.get $kept))
        (global.set $kept (i32.const 0))
        (call $write (local.get $own) (i32.const 8) (i32.const 2) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable))
        (call $bytes (i32.const 8) (i32.const 2))",
    );
    let host = raw.beside_hello().args(["--reuse", "1000", "--concurrency-max", "1"]).start();
    let mut used = 0;
    for _ in 0..50 {
        // An instance may end at any request: then the kept writer is gone with it, and the use traps.
        host.get(&format!("/raw{keep}")).expect_text("okok");
        let response = host.get(&format!("/raw{use_kept}"));
        if response.status() == 200 {
            assert_eq!(response.text(), "okokok");
            used += 1;
        } else {
            response.expect(500);
        }
    }
    assert!(used > 25, "{used} of 50");
    host.get("/hello").expect_text("Hello, world!\n");
}

#[test]
fn handles_that_a_reused_instance_leaks_do_not_add_up_to_an_error() {
    // Each request leaves its environ, its start-response and its writer behind: more than `reuse-handles-max` in the end.
    let host = Raw::new().beside_hello().args(["--reuse", "1000000", "--handles-max", "150"]).start();
    for _ in 0..200 {
        host.get("/raw/0").expect_text("ok");
    }
}
