//! Start functions, which run before the guest is called: in the compile child, when the host starts, and again in each
//! fresh instance.

use std::fs;

use wasgi_harness::{Host, Wasgi};

use crate::common::access_entry;
use crate::raw::Raw;

/// A component whose start function is `code`.
fn starting_with(code: &str) -> Raw {
    let mut raw = Raw::new();
    raw.main = format!("(func $begin (local $left i32) {code})\n(start $begin)");
    raw
}

#[test]
fn a_start_function_that_misbehaves_refuses_the_app() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("starts.wasm");
    for (code, told) in [
        ("unreachable", "unreachable"),
        ("(loop $again (br $again))", "cpu-max"),
        ("(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable", "memory-max"),
        ("(call $exit (i32.const 0))", "exit(0)"),
        ("(call $exit (i32.const 1))", "exit(1)"),
        ("(call $errors (i32.const -2) (i32.const 1))", "out of bounds"),
        ("(loop $more (call $directories (i32.const 64)) (br $more))", "cpu-max"),
    ] {
        fs::write(&path, starting_with(code).assemble()).unwrap();
        let limits = ["--cpu-max", "300ms", "--memory-max", "64MiB"];
        let outcome = Wasgi::new(["check"]).arg(&path).args(limits).finish();
        assert_eq!(outcome.code, Some(65), "{code}: {outcome:?}");
        let message = outcome.message();
        assert!(message.contains("starts.wasm") && message.contains(told), "{code}: {message}");
    }
}

/// Behaves as long as all five of its directories are there.
const WELL_BEHAVED_AT_FIRST: &str = "
    (call $directories (i32.const 64))
    (local.set $left (i32.load (i32.const 68)))
    (if (i32.eq (local.get $left) (i32.const 4)) (then unreachable))
    (if (i32.eq (local.get $left) (i32.const 3)) (then (loop $again (br $again))))
    (if (i32.eq (local.get $left) (i32.const 2)) (then
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))
    (if (i32.eq (local.get $left) (i32.const 1)) (then (call $exit (i32.const 1))))
    (if (i32.eqz (local.get $left)) (then (call $errors (i32.const -2) (i32.const 1))))";

#[test]
fn a_start_function_that_misbehaves_later_is_the_guest_s_fault_and_hurts_nobody_else() {
    let grants: String =
        (0..5).map(|number| format!("[[app.dir]]\nhost = \"$DIR/{number}\"\nguest = \"/{number}\"\n")).collect();
    let builder = Host::config(&format!(
        "[[app]]\nname = \"hello\"\ncomponent = \"$GUESTS/hello.wasm\"\nroutes = [\"/hello\"]\n\
         [[app]]\nname = \"raw\"\ncomponent = \"$DIR/raw.wasm\"\nroutes = [\"/raw\"]\n{grants}"
    ));
    starting_with(WELL_BEHAVED_AT_FIRST).write(&builder);
    for number in 0..5 {
        fs::create_dir(builder.path(&number.to_string())).unwrap();
    }
    let limits = ["--cpu-max", "300ms", "--memory-max", "64MiB"];
    let host = builder.args(limits).args(["--access-log-format", "json"]).start();
    host.get("/raw/0").expect_text("ok");
    let dues = [
        (500, "trap", "unreachable"),
        (504, "cpu-max", "cpu-max"),
        (500, "out-of-memory", "memory-max"),
        (500, "exit", "exit(1)"),
        (500, "trap", "out of bounds"),
    ];
    for (number, (status, kind, told)) in dues.into_iter().enumerate() {
        fs::remove_dir(host.path(&number.to_string())).unwrap();
        for _ in 0..3 {
            let response = host.get("/raw/0");
            let entry = access_entry(&host, &response.request_id());
            assert_eq!((response.status(), entry["error"].as_str()), (status, Some(kind)), "{entry}");
            host.log().wait_with(&[&response.request_id(), told]);
            host.get("/hello").expect_text("Hello, world!\n");
        }
    }
    for number in 0..5 {
        fs::create_dir(host.path(&number.to_string())).unwrap();
    }
    host.get("/raw/0").expect_text("ok");
}
