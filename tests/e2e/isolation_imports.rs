//! Components that import what they were not granted, or more than the host has.

use std::fs;

use wasgi_harness::Wasgi;

use crate::raw::Raw;

/// Items of a component, with words of the refusal.
const REFUSED: &[(&str, &str)] = &[
    (
        "(import \"wasi:http/outgoing-handler@0.2.0\" (instance (export \"handle\" (func))))",
        "wasi:http/outgoing-handler",
    ),
    ("(import \"wasi:keyvalue/store@0.2.0\" (instance (export \"open\" (func))))", "wasi:keyvalue/store"),
    ("(import \"wasgi:gateway/admin@0.1.0\" (instance (export \"stop\" (func))))", "wasgi:gateway/admin"),
    (
        "(import \"wasgi:gateway/gateway@0.2.0\" (instance (export \"write-errors\" (func (param \"text\" string)))))",
        "wasgi:gateway/gateway@0.2.0",
    ),
    ("(import \"system\" (func (param \"command\" string)))", "system"),
    ("(import \"m\" (core module (import \"a\" \"b\" (func))))", "module"),
    // What there is, but with another type.
    (
        "(import \"wasi:cli/environment@0.2.0\" (instance (export \"get-environment\" (func (result string)))))",
        "wasi:cli/environment",
    ),
    (
        "(import \"wasi:random/random@0.2.0\" (instance (export \"get-random-u64\" (func (param \"seed\" u64) (result u64)))))",
        "wasi:random/random",
    ),
    ("(import \"wasi:cli/exit@0.2.1\" (instance (export \"exit-now\" (func))))", "exit-now"),
];

#[test]
fn an_import_that_the_host_does_not_have_refuses_the_app_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wants.wasm");
    for (import, told) in REFUSED {
        let mut raw = Raw::new();
        raw.component = (*import).into();
        fs::write(&path, raw.assemble()).unwrap();
        let outcome = Wasgi::new(["check"]).arg(&path).finish();
        assert_eq!(outcome.code, Some(65), "{import}: {outcome:?}");
        let message = outcome.message();
        assert!(message.contains("wants.wasm") && message.contains(told), "{import}: {message}");
    }
}

#[test]
fn resources_of_another_kind_cannot_be_passed_for_those_of_the_host() {
    // A guest that exports an `application` of its own types of environ and start-response.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.wasm");
    let text = "(component
        (core module $m (func (export \"application\") (param i32 i32) (result i32) unreachable) (memory (export \"memory\") 1)
            (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) unreachable))
        (core instance $m (instantiate $m))
        (type $own (resource (rep i32)))
        (export $environ \"environ\" (type $own))
        (func (export \"application\") (param \"environ\" (own $environ)) (param \"start-response\" (own $environ)) (result string)
            (canon lift (core func $m \"application\") (memory (core memory $m \"memory\")) (realloc (core func $m \"realloc\")))))";
    fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    let outcome = Wasgi::new(["check"]).arg(&path).finish();
    assert_eq!(outcome.code, Some(65), "{outcome:?}");
    assert!(outcome.message().contains("own.wasm"), "{outcome:?}");
}
