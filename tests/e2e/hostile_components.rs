//! Components of odd shapes.

use wasgi_harness::{Host, Wasgi, guest};

#[test]
pub(crate) fn a_memory_over_the_limit_is_refused_with_the_limits_name() {
    let outcome = Wasgi::new(["serve"]).arg(guest("big-memory")).args(["--listen", "127.0.0.1:0"]).finish();
    assert_eq!(outcome.code, Some(65), "{outcome:?}");
    let message = outcome.message();
    assert!(message.contains("big-memory.wasm") && message.contains("memory-max"), "{message}");
    // Under a larger limit it is an app like any other.
    let host = Host::serving("big-memory").args(["--memory-max", "300MiB"]).start();
    assert!(host.get("/").status() < 500);
}

#[test]
pub(crate) fn a_nested_component_is_served_but_not_snapshotted() {
    Host::serving("nested").start().get("/").expect_text("nested");
    let outcome = Wasgi::new(["serve"]).arg(guest("init-nested")).args(["--listen", "127.0.0.1:0"]).finish();
    assert_eq!(outcome.code, Some(65), "{outcome:?}");
    let message = outcome.message();
    for told in ["init-nested.wasm", "initialize", "cannot be snapshotted", "nested"] {
        assert!(message.contains(told), "{told}: {message}");
    }
}

#[test]
fn one_bad_component_in_a_directory_is_told_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["hello", "core-module"] {
        std::fs::copy(guest(name), dir.path().join(name).with_added_extension("wasm")).unwrap();
    }
    let outcome = Wasgi::new(["serve"]).arg(dir.path()).args(["--listen", "127.0.0.1:0"]).finish();
    assert_eq!(outcome.code, Some(65), "{outcome:?}");
    let message = outcome.message();
    assert!(message.contains("core-module.wasm") && !message.contains("hello.wasm"), "{message}");
}
