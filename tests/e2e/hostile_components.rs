//! Components of odd shapes.

use std::time::{Duration, Instant};

use wasgi_harness::{Host, Wasgi, guest};

use crate::common::refused;

#[test]
pub(crate) fn a_memory_over_the_limit_is_refused_with_the_limits_name() {
    let outcome = Wasgi::new(["serve"]).arg(guest("big-memory")).args(["--listen", "127.0.0.1:0"]).finish();
    refused(&outcome, 65, &["big-memory.wasm", "memory-max"]);
    // Under a larger limit it is an app like any other.
    let host = Host::serving("big-memory").args(["--memory-max", "300MiB"]).start();
    assert!(host.get("/").status() < 500);
}

#[test]
pub(crate) fn a_nested_component_is_served_but_not_snapshotted() {
    Host::serving("nested").start().get("/").expect_text("nested");
    let outcome = Wasgi::new(["serve"]).arg(guest("init-nested")).args(["--listen", "127.0.0.1:0"]).finish();
    refused(&outcome, 65, &["init-nested.wasm", "initialize", "cannot be snapshotted", "nested"]);
}

#[test]
fn one_bad_component_in_a_directory_is_told_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["hello", "core-module"] {
        std::fs::copy(guest(name), dir.path().join(name).with_added_extension("wasm")).unwrap();
    }
    let outcome = Wasgi::new(["serve"]).arg(dir.path()).args(["--listen", "127.0.0.1:0"]).finish();
    refused(&outcome, 65, &["core-module.wasm"]);
    assert!(!outcome.message().contains("hello.wasm"), "{outcome:?}");
}

/// Components within components, `depth` levels of them.
fn nested(depth: usize) -> Vec<u8> {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const COMPONENT_SECTION: u8 = 4;
    (0..depth).fold(COMPONENT.to_vec(), |inner, _| {
        let mut outer = [COMPONENT, &[COMPONENT_SECTION]].concat();
        let mut length = inner.len();
        // The length as LEB128.
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        [outer, inner].concat()
    })
}

#[test]
fn components_without_end_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep.wasm");
    for depth in [101, 1_000, 20_000] {
        std::fs::write(&path, nested(depth)).unwrap();
        let since = Instant::now();
        let outcome = Wasgi::new(["check"]).arg(&path).finish();
        refused(&outcome, 65, &["deep.wasm", "more than 100 deep"]);
        assert!(since.elapsed() < Duration::from_secs(20), "{depth}: after {:?}", since.elapsed());
    }
}

#[test]
fn bytes_that_look_like_a_component_are_refused_in_one_line() {
    // A few of many: each byte of a real one changed in turn would take minutes.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.wasm");
    let whole = std::fs::read(guest("nested")).unwrap();
    for at in (8..whole.len()).step_by((whole.len() / 24).max(1)) {
        let mut odd = whole.clone();
        odd[at] ^= 0xff;
        std::fs::write(&path, odd).unwrap();
        let outcome = Wasgi::new(["check"]).arg(&path).finish();
        // Some bytes are names, which may be anything.
        if outcome.code != Some(0) {
            refused(&outcome, 65, &["odd.wasm"]);
        }
    }
}
