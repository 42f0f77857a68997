//! Components that are small to write and large to compile, or that claim to be: each is refused in one line that
//! names the reason. What bounds the time is the compile child's CPU limit; what bounds the host's own memory is a limit
//! that the tests set on it.

use wasgi_harness::{Outcome, Wasgi, guest};

use crate::giants;

/// Memory that the host itself may have while a child compiles: room for a component of some megabytes.
const HOST_DATA_MAX: u64 = 512 << 20;

/// Checks a component in bounds that are narrow for a sound one and wide for these tests.
fn check(component: &[u8], flags: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("giant.wasm");
    std::fs::write(&path, component).unwrap();
    Wasgi::new(["check"]).arg(&path).args(flags.iter().copied()).data_max(HOST_DATA_MAX).finish()
}

#[track_caller]
fn assert_refused(outcome: &Outcome, reason: &str) {
    assert_eq!(outcome.code, Some(65), "{outcome:?}");
    let message = outcome.message();
    assert!(message.contains("giant.wasm") && message.contains(reason), "no {reason:?} in {message}");
    assert!(message.len() < 4096, "a message of {} bytes", message.len());
}

#[test]
fn compiling_is_stopped_when_it_has_used_up_its_cpu_time() {
    for component in [giants::functions(1_000_000), giants::blocks(1_000_000)] {
        assert_refused(&check(&component, &["--compile-cpu-max", "1s"]), "compile-cpu-max (1s)");
    }
}

#[test]
fn compiling_is_stopped_when_it_takes_too_much_memory() {
    for component in [giants::laughs(2, 40), giants::sparse_data(100_000)] {
        assert_refused(&check(&component, &["--compile-memory-max", "256MiB"]), "compile-memory-max (256MiB)");
    }
}

#[test]
fn types_nested_without_end_cost_no_more_than_a_child() {
    for component in [giants::nested_component_types(100_000), giants::nested_instance_types(1_000_000)] {
        assert_refused(&check(&component, &[]), "nested too deep");
    }
}

#[test]
fn what_is_over_a_limit_of_the_format_is_refused_by_its_name() {
    let cases = [
        (giants::functions(1_000_001), "functions count exceeds limit"),
        (giants::jump_table(7_000_000), "`br_table` has 7000000 targets"),
        (giants::locals(50_001), "too many locals"),
        (giants::tuples(40), "effective type size exceeds the limit"),
        (giants::lists(1_000), "type nesting is too deep"),
        (giants::core_exports(1_000_000), "effective type size exceeds the limit"),
        (giants::core_imports(1_000_000), "effective type size exceeds the limit"),
        (giants::exports(1, 200_000), "string size out of bounds"),
        (giants::section_of(7, &[0xff, 0xff, 0xff, 0xff, 0x0f]), "types count exceeds limit"),
        (giants::section_that_claims(1 << 30), "unexpected end"),
    ];
    for (component, reason) in cases {
        assert_refused(&check(&component, &[]), reason);
    }
}

#[test]
fn giant_names_do_not_make_a_giant_message() {
    assert_refused(&check(&giants::exports(20, 99_000), &[]), "and more");
}

#[test]
fn an_app_with_giant_parts_is_held_to_its_own_limits() {
    let app = std::fs::read(guest("nested")).unwrap();
    let cases = [
        (giants::tables(16, 9_000_000), "memory-max"),
        (giants::memories(100), "has 101 memories"),
        (giants::tables(17, 1), "tables count of 17"),
        (giants::data_past_the_end(), "out of bounds"),
        (giants::spinning_start(), "cpu-max"),
    ];
    for (part, reason) in cases {
        assert_refused(&check(&giants::added_to(&app, &part), &["--cpu-max", "100ms"]), reason);
    }
}

#[test]
fn a_giant_among_others_keeps_a_host_from_starting_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(guest("hello"), dir.path().join("hello.wasm")).unwrap();
    std::fs::write(dir.path().join("giant.wasm"), giants::nested_component_types(100_000)).unwrap();
    let serve = Wasgi::new(["serve"]).arg(dir.path()).args(["--listen", "127.0.0.1:0"]);
    assert_refused(&serve.data_max(HOST_DATA_MAX).finish(), "nested too deep");
}
