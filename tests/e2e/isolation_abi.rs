//! A guest that lies to the host about pointers, lengths, texts and handles.

use crate::isolation::Due::{self, Fault, Served};
use crate::isolation::{Siege, TRAP};
use crate::raw::Raw;

const MISUSE: Due = Fault(502, "misuse");
const OUT_OF_MEMORY: Due = Fault(500, "out-of-memory");
const CPU: Due = Fault(504, "cpu-max");

/// What it is, the body of the function, what is due, and what the log says of it.
type Attack = (&'static str, &'static str, Due, &'static str);

const RETURNS: &[Attack] = &[
    ("a pointer outside of memory", "(i32.const -16)", TRAP, "pointer out of bounds"),
    ("a misaligned pointer", "(i32.const 130)", TRAP, "not aligned"),
    (
        "a variant with no such case",
        "(i32.store8 (i32.const 128) (i32.const 7)) (i32.const 128)",
        TRAP,
        "unexpected discriminant",
    ),
    ("a length that lies", "(call $bytes (i32.const 16) (i32.const -1))", TRAP, "out of bounds"),
    (
        "a list that ends a byte past the memory",
        "(call $bytes (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const 5))",
        TRAP,
        "out of bounds",
    ),
    (
        "100 MiB",
        "(drop (memory.grow (i32.const 1600))) (call $bytes (i32.const 0) (i32.const 104857600))",
        TRAP,
        "hostcall-max",
    ),
    (
        "2 MiB",
        "(drop (call $start (local.get $start)))
        (drop (memory.grow (i32.const 32))) (call $bytes (i32.const 0) (i32.const 2097152))",
        MISUSE,
        "body-oneshot-max",
    ),
    (
        "a file, of which it has none",
        "(drop (call $start (local.get $start))) (i32.store8 (i32.const 128) (i32.const 1))
        (i32.store (i32.const 136) (i32.const 16)) (i32.store (i32.const 140) (i32.const 9)) (i32.const 128)",
        MISUSE,
        "no bundle",
    ),
    (
        "a file whose name is no text",
        "(i32.store8 (i32.const 128) (i32.const 1)) (i32.store16 (i32.const 320) (i32.const 0xfeff))
        (i32.store (i32.const 136) (i32.const 320)) (i32.store (i32.const 140) (i32.const 2)) (i32.const 128)",
        TRAP,
        "invalid utf-8",
    ),
    (
        "an option with no such case",
        "(i32.store8 (i32.const 128) (i32.const 1)) (i32.store8 (i32.const 152) (i32.const 9)) (i32.const 128)",
        TRAP,
        "invalid option discriminant",
    ),
    ("nothing, without a head", "(call $bytes (i32.const 0) (i32.const 0))", MISUSE, "without a response head"),
];

const TEXTS: &[Attack] = &[
    (
        "a name that is not UTF-8",
        "(i32.store16 (i32.const 320) (i32.const 0xfeff))
        (call $get (local.get $environ) (i32.const 320) (i32.const 2) (i32.const 64)) (call $ok (local.get $start))",
        TRAP,
        "invalid utf-8",
    ),
    (
        "half a surrogate pair as UTF-8",
        "(i32.store (i32.const 320) (i32.const 0x80a0ed))
        (call $get (local.get $environ) (i32.const 320) (i32.const 3) (i32.const 64)) (call $ok (local.get $start))",
        TRAP,
        "invalid utf-8",
    ),
    (
        "half a surrogate pair as UTF-16",
        "(i32.store (i32.const 320) (i32.const 0x0041d800))
        (call $get-utf16 (local.get $environ) (i32.const 320) (i32.const 2) (i32.const 64))
        (call $ok (local.get $start))",
        TRAP,
        "unpaired surrogate",
    ),
    (
        "UTF-16 at an odd address",
        "(call $get-utf16 (local.get $environ) (i32.const 17) (i32.const 2) (i32.const 64))
        (call $ok (local.get $start))",
        TRAP,
        "not aligned",
    ),
    (
        "UTF-16 whose length in bytes overflows",
        "(call $get-utf16 (local.get $environ) (i32.const 16) (i32.const 0x80000001) (i32.const 64))
        (call $ok (local.get $start))",
        TRAP,
        "out of bounds",
    ),
    (
        "Latin-1 that says it is UTF-16",
        "(call $get-compact (local.get $environ) (i32.const 16) (i32.const 0xfffffff0) (i32.const 64))
        (call $ok (local.get $start))",
        TRAP,
        "out of bounds",
    ),
    (
        "Latin-1 as such",
        "(call $get-compact (local.get $environ) (i32.const 16) (i32.const 9) (i32.const 64))
        (call $tell (local.get $start) (i32.load8_u (i32.const 64)))",
        Served,
        "",
    ),
    (
        "wsgi.errors with bytes that are no text",
        "(i32.store16 (i32.const 320) (i32.const 0xfeff)) (call $errors (i32.const 320) (i32.const 2))
        (call $ok (local.get $start))",
        TRAP,
        "invalid utf-8",
    ),
    (
        "wsgi.errors with a length that lies",
        "(call $errors (i32.const 0) (i32.const -1)) (call $ok (local.get $start))",
        TRAP,
        "out of bounds",
    ),
    (
        "wsgi.errors with a text outside of memory",
        "(call $errors (i32.const -2) (i32.const 1)) (call $ok (local.get $start))",
        TRAP,
        "out of bounds",
    ),
    (
        "a status that is not UTF-8",
        "(i32.store16 (i32.const 320) (i32.const 0xfeff))
        (call $call (local.get $start) (i32.const 320) (i32.const 2)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "invalid utf-8",
    ),
    (
        // `200 ` and U+0141, which no byte stands for.
        "a status that is not Latin-1",
        "(i64.store (i32.const 320) (i64.const 0x81c520303032))
        (call $call (local.get $start) (i32.const 320) (i32.const 6)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        MISUSE,
        "U+0141",
    ),
    (
        // The header `ok` with the value U+017E.
        "a header that is not Latin-1",
        "(i32.store16 (i32.const 320) (i32.const 0xbec5))
        (i32.store (i32.const 256) (i32.const 8)) (i32.store (i32.const 260) (i32.const 2))
        (i32.store (i32.const 264) (i32.const 320)) (i32.store (i32.const 268) (i32.const 2))
        (call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 256) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        MISUSE,
        "U+017E",
    ),
    (
        "an exc-info with no such case",
        "(call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "invalid option discriminant",
    ),
];

const LISTS: &[Attack] = &[
    (
        "a list of headers with a length that lies",
        "(call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 256) (i32.const 0x7fffffff) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "out of bounds",
    ),
    (
        "a list of headers whose length in bytes overflows",
        "(call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 256) (i32.const 0x10000001) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "out of bounds",
    ),
    (
        "a list of headers at an odd address",
        "(call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 257) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "not aligned",
    ),
    (
        "a hundred thousand empty headers",
        "(drop (memory.grow (i32.const 64)))
        (call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 131072) (i32.const 100000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        MISUSE,
        "head-count-max",
    ),
    (
        "millions of empty headers, which cost the host more than the guest",
        "(drop (memory.grow (i32.const 640)))
        (call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 131072) (i32.const 2500000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "hostcall-max",
    ),
    (
        "a thousand headers that are one and the same text of 64 KiB",
        "(local $at i32)
        (loop $more
            (i32.store offset=1028 (local.get $at) (i32.const 65536))
            (i32.store offset=1036 (local.get $at) (i32.const 65536))
            (br_if $more (i32.lt_u
                (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 15000))))
        (call $call (local.get $start) (i32.const 0) (i32.const 6)
            (i32.const 1024) (i32.const 900) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "hostcall-max",
    ),
    (
        "a chunk with a length that lies",
        "(call $write (call $start (local.get $start)) (i32.const 0) (i32.const -1) (i32.const 64))
        (call $bytes (i32.const 8) (i32.const 2))",
        TRAP,
        "out of bounds",
    ),
    (
        "a result to be placed outside of memory",
        "(call $get (local.get $environ) (i32.const 16) (i32.const 9) (i32.const -8)) (call $ok (local.get $start))",
        TRAP,
        "out of bounds",
    ),
    (
        "a result to be placed at an odd address",
        "(call $get (local.get $environ) (i32.const 16) (i32.const 9) (i32.const 65)) (call $ok (local.get $start))",
        TRAP,
        "not aligned",
    ),
];

/// `realloc` in each of its modes, when the host places all variables.
const REALLOCS: &[Attack] = &[
    ("that traps", "1", TRAP, "unreachable"),
    ("that points outside of memory", "2", TRAP, "beyond end of memory"),
    ("that points at the end of memory", "3", TRAP, "beyond end of memory"),
    ("that does not align", "4", TRAP, "not aligned"),
    ("that points at what is in use", "5", MISUSE, "bad status"),
    ("that calls the host", "6", TRAP, "cannot leave component instance"),
    ("that drops a handle", "7", TRAP, "cannot leave component instance"),
    ("that never returns", "8", CPU, "cpu-max"),
    ("that recurses without end", "9", TRAP, "call stack exhausted"),
    ("that takes all memory", "10", OUT_OF_MEMORY, "memory-max"),
];

/// `post-return` in each of its modes.
const POST_RETURNS: &[Attack] = &[
    ("that traps", "1", TRAP, "unreachable"),
    ("that calls the host", "2", TRAP, "cannot leave component instance"),
    ("that never returns", "3", CPU, "cpu-max"),
    ("that takes all memory", "4", Served, ""),
];

const MEMORIES: &[Attack] = &[
    (
        "page by page",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
        OUT_OF_MEMORY,
        "memory-max",
    ),
    (
        "4 GiB at once",
        "(br_if 0 (i32.const 0) (i32.ne (memory.grow (i32.const 65534)) (i32.const -1))) unreachable",
        OUT_OF_MEMORY,
        "memory-max",
    ),
    (
        "a table, in steps",
        "(loop $more (br_if $more (i32.ne (table.grow $functions (ref.null func) (i32.const 100)) (i32.const -1))))
        unreachable",
        TRAP,
        "unreachable",
    ),
    (
        "a table of four billion elements at once",
        "(drop (table.grow $functions (ref.null func) (i32.const -2))) (call $ok (local.get $start))",
        Served,
        "",
    ),
    ("the stack", "(call $recurse (i32.const 0))", TRAP, "call stack exhausted"),
    // Last, since a reused instance keeps what it has taken.
    (
        "4 GiB at once, and then all that there is",
        "(drop (memory.grow (i32.const 65534)))
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const 1))
        (call $ok (local.get $start))",
        Served,
        "",
    ),
];

/// All of them in one component, with their paths.
fn besieged(attacks: &[Attack], wrap: impl Fn(&str) -> String) -> (Raw, Vec<String>) {
    let mut raw = Raw::new();
    raw.main = "(func $recurse (param $depth i32) (result i32)
        (i32.add (call $recurse (i32.add (local.get $depth) (i32.const 1))) (local.get $depth)))"
        .into();
    let paths = attacks.iter().map(|(_, code, ..)| raw.function(&wrap(code))).collect();
    (raw, paths)
}

/// On fresh instances, and on those that are reused.
fn all_get_their_due(attacks: &[Attack], wrap: impl Fn(&str) -> String) {
    let (raw, paths) = besieged(attacks, wrap);
    for reuse in ["1", "100"] {
        let limits = ["--cpu-max", "300ms", "--memory-max", "128MiB", "--reuse", reuse];
        let siege = Siege::started(raw.beside_hello().args(limits), "/raw", "/0");
        for ((what, _, due, told), path) in attacks.iter().zip(&paths) {
            let id = siege.attack_named(what, path, *due).request_id();
            if !told.is_empty() {
                siege.host.log().wait_with(&[&id, told]);
            }
        }
    }
}

#[test]
fn a_guest_that_lies_in_what_it_returns_traps() {
    all_get_their_due(RETURNS, str::to_owned);
}

#[test]
fn a_guest_whose_texts_are_none_traps_and_one_with_foreign_letters_is_told() {
    all_get_their_due(TEXTS, str::to_owned);
}

#[test]
fn a_guest_that_lies_about_lists_traps_before_the_host_has_copied_them() {
    all_get_their_due(LISTS, str::to_owned);
}

#[test]
fn a_guest_whose_realloc_misbehaves_hurts_nobody_but_itself() {
    all_get_their_due(REALLOCS, |mode| {
        format!(
            "(global.set $kept-environ (local.get $environ)) (global.set $mode (i32.const {mode}))
            (call $entries (local.get $environ) (i32.const 64)) (call $ok (local.get $start))"
        )
    });
}

#[test]
fn a_guest_whose_post_return_misbehaves_hurts_nobody_but_itself() {
    all_get_their_due(POST_RETURNS, |mode| {
        format!("(global.set $after (i32.const {mode})) (call $ok (local.get $start))")
    });
}

#[test]
fn a_guest_that_grows_gets_what_it_may_have_and_no_more() {
    all_get_their_due(MEMORIES, str::to_owned);
}
