//! Components with too much of everything: each is refused in one line that says why, or served like any other, and
//! what it takes is not taken from its neighbours.

use std::fmt::Write as _;
use std::fs;

use wasgi_harness::{Host, Wasgi};

use crate::isolation::Due::Served;
use crate::isolation::Siege;
use crate::raw::Raw;

/// `text` so many times, with the number in place of `#`.
fn repeated(count: u32, text: &str) -> String {
    let mut all = String::new();
    for number in 0..count {
        // Writing to a String cannot fail.
        let _ = writeln!(all, "{}", text.replace('#', &number.to_string()));
    }
    all
}

fn in_main(main: String) -> Raw {
    let mut raw = Raw::new();
    raw.main = main;
    raw
}

fn in_component(component: String) -> Raw {
    let mut raw = Raw::new();
    raw.component = component;
    raw
}

/// Instances of one module with `items`.
fn instances(count: u32, items: &str) -> Raw {
    in_component(format!("(core module $many {items})\n{}", repeated(count, "(core instance (instantiate $many))")))
}

/// Shapes of which the host has none, with words of the refusal.
fn refused() -> Vec<(&'static str, Raw, &'static str)> {
    vec![
        ("a memory of 4 GiB at the start", in_main("(memory 65536)".into()), "memory-max"),
        ("tables of 1 GiB at the start", in_main("(table 134217728 funcref)".into()), "memory-max"),
        ("a table of four billion", in_main("(table 4294967295 funcref)".into()), "memory-max"),
        ("a thousand tables in a module", in_main(repeated(1000, "(table 1 funcref)")), "tables"),
        ("a hundred memories in a module", in_main(repeated(100, "(memory 0)")), "memories"),
        (
            "a data segment outside of its memory",
            in_main("(memory 1) (data (memory 1) (i32.const 65536) \"x\")".into()),
            "out of bounds",
        ),
        (
            "an element outside of its table",
            in_main("(table $few 1 funcref) (elem (table $few) (i32.const 1) func $ok)".into()),
            "out of bounds",
        ),
        ("a 64-bit memory", in_main("(memory i64 1)".into()), "memory64"),
        ("seventeen tables in a module", in_main(repeated(16, "(table 1 funcref)")), "tables"),
        ("thirty memories in as many instances", instances(30, "(memory 1)"), "memories"),
        ("nine hundred memories in as many instances", instances(900, "(memory 1)"), "memories"),
        ("nine hundred tables in as many instances", instances(900, "(table 1 funcref)"), "tables"),
        ("a shared memory", in_main("(memory 1 1 shared)".into()), "threads"),
        ("an exception", in_main("(tag)".into()), "exceptions"),
        ("a struct of the collected heap", in_main("(type (struct))".into()), "gc"),
    ]
}

#[test]
fn a_component_with_more_than_there_is_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shape.wasm");
    for (what, raw, told) in refused() {
        fs::write(&path, raw.assemble()).unwrap();
        let outcome = Wasgi::new(["check"]).arg(&path).finish();
        assert_eq!(outcome.code, Some(65), "{what}: {outcome:?}");
        let message = outcome.message();
        assert!(message.contains("shape.wasm") && message.contains(told), "{what}: {message}");
    }
}

/// Shapes that are odd and large, and within limits.
fn served() -> Vec<(&'static str, Raw)> {
    let mut tables = instances(90, "(table 10 funcref)");
    tables.main = "(table 10000000 funcref)".into();
    vec![
        ("nine hundred core instances", instances(900, "(func)")),
        ("ninety tables, one of ten million", tables),
        ("sixteen memories and tables in a module", in_main(repeated(15, "(memory 1) (table 10 funcref)"))),
        ("ten thousand globals", in_main(repeated(10_000, "(global i64 (i64.const 1))"))),
        ("a data segment of 8 MiB", in_main(format!("(data \"{}\")", "x".repeat(8 << 20)))),
        ("thirty thousand elements", in_main(format!("(elem func {})", "$ok ".repeat(30_000)))),
    ]
}

#[test]
fn a_component_that_takes_much_takes_nothing_from_its_neighbours() {
    let slots = |host: &Host| {
        let line = host.log().wait("instance pool reserved");
        line.split_whitespace().find_map(|word| word.strip_prefix("instances=")?.parse::<u32>().ok()).expect("a number")
    };
    let modest = slots(&Raw::new().beside_hello().start());
    for (what, raw) in served() {
        let siege = Siege::started(raw.beside_hello(), "/raw", "/0");
        assert_eq!(slots(&siege.host), modest, "{what}: there are as many slots as beside a modest app");
        for _ in 0..20 {
            siege.attack_named(what, "/0", Served);
        }
    }
}
