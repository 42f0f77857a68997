use std::fmt::Write as _;

use proptest::prelude::*;
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Store, StoreContextMut};

use super::*;
use crate::sandbox::engine;

/// What a guest told the host, in order.
type Told = Vec<u32>;

/// What a component does: whether it starts, what its `run` returns or traps with for some numbers,
/// and what it tells the host in all of that.
fn behaviour(component: &[u8]) -> (Vec<Result<u32, String>>, Told) {
    const FUEL: u64 = 1;
    let engine = engine::compiling().unwrap();
    let component = Component::new(&engine, component).unwrap();
    let mut linker = Linker::<Told>::new(&engine);
    let tell = |mut store: StoreContextMut<'_, Told>, (number,): (u32,)| {
        store.data_mut().push(number);
        Ok(())
    };
    let send = |mut store: StoreContextMut<'_, Told>, (bytes,): (Vec<u8>,)| {
        store.data_mut().extend(bytes.into_iter().map(u32::from));
        Ok(())
    };
    linker.root().func_wrap("tell", tell).unwrap();
    linker.root().func_wrap("send", send).unwrap();
    #[expect(clippy::disallowed_methods, reason = "no app of anybody's runs here")]
    let mut store = Store::new(&engine, Told::new());
    store.set_epoch_deadline(FUEL);
    let cause = |error: wasmtime::Error| match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    };
    let mut outcomes = Vec::new();
    for number in 0..24 {
        // A trap ends an instance, so each number has its own, in the same store.
        let outcome = linker.instantiate(&mut store, &component).and_then(|instance| {
            let run = instance.get_func(&mut store, "run").unwrap();
            let mut results = [Val::U32(0)];
            run.call(&mut store, &[Val::U32(number)], &mut results)?;
            let [Val::U32(result)] = results else { panic!("{results:?}") };
            Ok(result)
        });
        outcomes.push(outcome.map_err(cause));
    }
    (outcomes, store.into_data())
}

/// Fuses, sees that nothing else has changed, and counts the modules that are left.
fn modules_left(component: &str) -> usize {
    let component = wat::parse_str(component).unwrap();
    let fused = fuse(&component).unwrap();
    assert_eq!(behaviour(&component), behaviour(&fused));
    modules(&fused)
}

fn modules(component: &[u8]) -> usize {
    outline::Outline::read(component).unwrap().modules.len()
}

fn reason(component: &str) -> String {
    fuse(&wat::parse_str(component).unwrap()).unwrap_err().to_string()
}

/// As tools make it: the program calls the host through a table that is filled last, since what
/// fills it needs the program's memory.
const SHIM_AND_FIXUP: &str = r#"(component
    (import "tell" (func $tell (param "number" u32)))
    (import "send" (func $send (param "bytes" (list u8))))
    (core module $shim
        (type $send (func (param i32 i32)))
        (type $twice (func (param i32) (result i32)))
        (table (export "$imports") 2 2 funcref)
        (func (export "0") (type $send) local.get 0 local.get 1 i32.const 0 call_indirect (type $send))
        (func (export "1") (type $twice) local.get 0 i32.const 1 call_indirect (type $twice)))
    (core module $program
        (import "host" "tell" (func $tell (param i32)))
        (import "host" "send" (func $send (param i32 i32)))
        (import "adapter" "twice" (func $twice (param i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 8) "abc")
        (func (export "run") (param i32) (result i32)
            (call $tell (local.get 0))
            (call $send (i32.const 8) (i32.const 3))
            (call $twice (local.get 0))))
    (core module $adapter
        (import "env" "memory" (memory 0))
        (import "host" "tell" (func $tell (param i32)))
        (func (export "twice") (param i32) (result i32)
            (call $tell (i32.load8_u (i32.const 9)))
            (i32.mul (local.get 0) (i32.const 2))))
    (core module $fixup
        (import "" "$imports" (table 2 2 funcref))
        (import "" "0" (func (param i32 i32)))
        (import "" "1" (func (param i32) (result i32)))
        (elem (i32.const 0) func 0 1))
    (core instance $shim (instantiate $shim))
    (core func $tell (canon lower (func $tell)))
    (core instance $host
        (export "tell" (func $tell))
        (export "send" (func $shim "0")))
    (core instance $adapter-by-shim (export "twice" (func $shim "1")))
    (core instance $program (instantiate $program
        (with "host" (instance $host))
        (with "adapter" (instance $adapter-by-shim))))
    (core instance $env (export "memory" (memory $program "memory")))
    (core instance $adapter (instantiate $adapter
        (with "env" (instance $env))
        (with "host" (instance $host))))
    (core func $send (canon lower (func $send) (memory (core memory $program "memory"))))
    (core instance $late
        (export "$imports" (table $shim "$imports"))
        (export "0" (func $send))
        (export "1" (func $adapter "twice")))
    (core instance (instantiate $fixup (with "" (instance $late))))
    (func (export "run") (param "number" u32) (result u32) (canon lift (core func $program "run"))))"#;

#[test]
fn a_program_its_adapter_and_the_shim_become_one() {
    assert_eq!(modules_left(SHIM_AND_FIXUP), 2);
}

#[test]
fn the_same_component_is_fused_to_the_same_bytes() {
    let component = wat::parse_str(SHIM_AND_FIXUP).unwrap();
    assert_eq!(fuse(&component).unwrap(), fuse(&component).unwrap());
}

#[test]
fn what_is_fused_is_fused_no_further() {
    let fused = fuse(&wat::parse_str(SHIM_AND_FIXUP).unwrap()).unwrap();
    assert!(matches!(fuse(&fused), Err(Unfused::NothingToFuse)));
}

/// A library that is told where to put itself, as by a dynamic linker.
#[test]
fn imported_constants_become_values() {
    let component = r#"(component
        (core module $env
            (memory (export "memory") 1)
            (table (export "table") 8 funcref)
            (global (export "base") i32 (i32.const 4))
            (global (export "wide") i64 (i64.const 5))
            (global (export "count") (mut i32) (i32.const 0)))
        (core module $library
            (import "env" "memory" (memory 1))
            (import "env" "table" (table 8 funcref))
            (import "env" "base" (global $base i32))
            (import "env" "wide" (global $wide i64))
            (import "env" "count" (global $count (mut i32)))
            (global $end (export "end") i32
                (i32.sub (i32.mul (global.get $base) (i32.const 3)) (i32.const 2)))
            (global $wider i64 (i64.add (global.get $wide) (i64.const 37)))
            (global $seven (ref null func) (ref.func $seven))
            (global $float f64 (f64.const 2.5))
            (elem (table 0) (offset (global.get $base)) funcref (ref.func $seven) (ref.null func))
            (data (i32.add (global.get $base) (i32.const 96)) "\01\02\03\04")
            (func $seven (result i32) i32.const 7)
            (func (export "run") (param i32) (result i32)
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (i32.add (i32.load (i32.const 100))
                    (i32.add (call_indirect (result i32) (global.get $base))
                        (i32.add (global.get $end) (i32.wrap_i64 (global.get $wider)))))))
        (core module $user
            (import "library" "end" (global $end i32))
            (import "library" "run" (func $run (param i32) (result i32)))
            (global $after (mut i32) (global.get $end))
            (func (export "run") (param i32) (result i32)
                (global.set $after (i32.add (global.get $after) (local.get 0)))
                (i32.add (global.get $after) (call $run (local.get 0)))))
        (core instance $env (instantiate $env))
        (core instance $library (instantiate $library (with "env" (instance $env))))
        (core instance $user (instantiate $user (with "library" (instance $library))))
        (func (export "run") (param "number" u32) (result u32) (canon lift (core func $user "run"))))"#;
    assert_eq!(modules_left(component), 1);
}

/// Three modules with a start function in the one named.
fn with_start(number: usize) -> String {
    let mut component = String::from(r#"(component (import "tell" (func $tell (param "number" u32)))"#);
    component += r#"(core func $tell (canon lower (func $tell))) (core instance $host (export "tell" (func $tell)))"#;
    component += r#"(core module $m0 (memory (export "memory") 1) (data (i32.const 0) "\01"))"#;
    component += "(core instance $i0 (instantiate $m0))";
    for module in 1..=3 {
        let start = if module == number { "(start $start)" } else { "" };
        write!(
            component,
            r#"(core module $m{module}
                (import "env" "memory" (memory 1)) (import "host" "tell" (func $tell (param i32)))
                (data (i32.const 0) "\0{module}")
                (func $start (call $tell (i32.load8_u (i32.const 0))))
                (func (export "run") (param i32) (result i32) (i32.load8_u (i32.const 0)))
                {start})
            (core instance $i{module}
                (instantiate $m{module} (with "env" (instance $i0)) (with "host" (instance $host))))"#
        )
        .unwrap();
    }
    component + r#"(func (export "run") (param "number" u32) (result u32) (canon lift (core func $i3 "run"))))"#
}

#[test]
fn a_start_function_sees_no_more_than_it_did() {
    assert_eq!(modules_left(&with_start(3)), 1, "the last may have one");
    assert_eq!(modules_left(&with_start(2)), 2, "the next module's data comes after it");
    assert_eq!(modules_left(&with_start(1)), 3);
}

#[test]
fn names_of_functions_survive() {
    let component = r#"(component
        (core module $library (func $deep (export "deep") unreachable))
        (core module $program
            (import "library" "deep" (func $deep))
            (func $shallow (export "run") (param i32) (result i32) call $deep i32.const 0))
        (core instance $library (instantiate $library))
        (core instance $program (instantiate $program (with "library" (instance $library))))
        (func (export "run") (param "number" u32) (result u32) (canon lift (core func $program "run"))))"#;
    let fused = fuse(&wat::parse_str(component).unwrap()).unwrap();
    assert_eq!(modules(&fused), 1);
    let (outcomes, _) = behaviour(&fused);
    assert_eq!(outcomes[0].as_ref().unwrap_err(), "wasm trap: wasm `unreachable` instruction executed");
    let outline = outline::Outline::read(&fused).unwrap();
    let mut names = Vec::new();
    for name in outline.modules[0].names.clone().unwrap() {
        if let wasmparser::Name::Function(functions) = name.unwrap() {
            names.extend(functions.into_iter().map(|naming| naming.unwrap().name));
        }
    }
    assert_eq!(names, ["deep", "shallow"]);
}

#[test]
fn what_is_unusual_is_left_as_it_is() {
    const TWO: &str = "(core module $a (func (export \"f\"))) (core module $b (import \"a\" \"f\" (func)))
        (core instance $a (instantiate $a)) (core instance $b (instantiate $b (with \"a\" (instance $a))))";
    const DESTRUCTOR: &str = "(core module $d (func (export \"d\") (param i32))) (core instance $d (instantiate $d))
        (type (resource (rep i32) (dtor (core func $d \"d\"))))";
    let and = |more: &str| reason(&format!("(component {TWO} {more})"));
    assert!(fuse(&wat::parse_str(format!("(component {TWO})")).unwrap()).is_ok(), "it is the rest that counts");
    assert!(and("(component (core module))").contains("a component with code of its own"));
    assert!(and("(import \"m\" (core module))").contains("core modules that are imported"));
    assert!(and("(export \"m\" (core module $a))").contains("core modules that are imported, exported"));
    assert!(and(DESTRUCTOR).contains("a resource with a destructor"));
}

#[test]
fn a_module_of_two_instances_is_left_as_it_is() {
    let component = r#"(component
        (core module $a (global (export "g") (mut i32) (i32.const 0)))
        (core instance (instantiate $a)) (core instance (instantiate $a)))"#;
    assert!(matches!(fuse(&wat::parse_str(component).unwrap()), Err(Unfused::NothingToFuse)));
}

/// `$f` may be taken as a reference since it is exported, which it is not in the fused module.
#[test]
fn what_is_valid_in_modules_apart_alone_is_left_as_it_is() {
    let component = r#"(component
        (core module $a (func $f (export "f") (drop (ref.func $f))))
        (core module $b (import "a" "f" (func)))
        (core instance $a (instantiate $a)) (core instance (instantiate $b (with "a" (instance $a)))))"#;
    assert!(matches!(fuse(&wat::parse_str(component).unwrap()), Err(Unfused::Broken(_))));
}

#[test]
fn invalid_input_stays_invalid() {
    let component = r#"(component
        (core module $a (func (export "f") (param i32)))
        (core module $b (import "a" "f" (func)))
        (core instance $a (instantiate $a)) (core instance (instantiate $b (with "a" (instance $a)))))"#;
    assert!(matches!(fuse(&wat::parse_str(component).unwrap()), Err(Unfused::NotValid(_))));
    assert!(matches!(fuse(b"\0asm"), Err(Unfused::NotValid(_))));
}

/// A module that shares the first one's memory and table with others, and writes to both.
#[derive(Debug)]
struct Part {
    /// Which of those before it passes them on.
    from: prop::sample::Index,
    /// Where its byte of data goes, if it has one.
    data: Option<u8>,
    /// Where its function goes in the table, if it does.
    slot: Option<u8>,
    starts: bool,
    /// It calls a function of the host that reads the memory.
    sends: bool,
}

fn part() -> impl Strategy<Value = Part> {
    let parts = (
        any::<prop::sample::Index>(),
        prop::option::of(0_u8..8),
        prop::option::of(0_u8..8),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.25),
    );
    parts.prop_map(|(from, data, slot, starts, sends)| Part { from, data, slot, starts, sends })
}

/// A component of such modules, where each calls the one it imports from, and others by the table.
fn component(parts: &[Part]) -> String {
    let mut text = String::from(
        r#"(component
        (import "tell" (func $tell (param "number" u32)))
        (import "send" (func $send (param "bytes" (list u8))))
        (core module $m0
            (memory (export "memory") 1) (table (export "table") 8 funcref)
            (global (export "base") i32 (i32.const 64))
            (func (export "run") (param i32) (result i32) local.get 0))
        (core instance $i0 (instantiate $m0))
        (core func $tell (canon lower (func $tell)))
        (core func $send (canon lower (func $send) (memory (core memory $i0 "memory"))))
        (core instance $host (export "tell" (func $tell)) (export "send" (func $send)))"#,
    );
    for (number, part) in (1..).zip(parts) {
        let from = part.from.index(number);
        let data = part.data.map(|offset| {
            format!(r#"(data (i32.add (global.get $base) (i32.const {offset})) "{}")"#, char::from(b'a' + offset))
        });
        let slot = part.slot.map(|slot| format!("(elem (i32.const {slot}) func $run)"));
        let start = part.starts.then_some("(start $start)");
        let (import, send) = match part.sends {
            true => {
                (r#"(import "host" "send" (func $send (param i32 i32)))"#, "(call $send (i32.const 64) (i32.const 8))")
            }
            false => ("", ""),
        };
        write!(
            text,
            r#"(core module $m{number}
                (import "from" "memory" (memory 1)) (import "from" "table" (table 8 funcref))
                (import "from" "base" (global $base i32))
                (import "from" "run" (func $from (param i32) (result i32)))
                (import "host" "tell" (func $tell (param i32))) {import}
                (export "memory" (memory 0)) (export "table" (table 0)) (export "base" (global $base))
                (global $calls (mut i32) (i32.const {number}))
                {data} {slot} {start}
                (func $start (call $tell (call $run (i32.const 21))))
                (func $run (export "run") (param i32) (result i32)
                    (call $tell (i32.load (i32.and (local.get 0) (i32.const 71))))
                    {send}
                    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                    (i32.store8 (i32.add (i32.const 64) (i32.and (local.get 0) (i32.const 7))) (global.get $calls))
                    (if (result i32) (i32.eqz (local.get 0))
                        (then (global.get $calls))
                        (else (i32.add
                            (call $from (i32.shr_u (local.get 0) (i32.const 1)))
                            (call_indirect (param i32) (result i32)
                                (i32.shr_u (local.get 0) (i32.const 2))
                                (i32.and (local.get 0) (i32.const 7))))))))
            (core instance $i{number} (instantiate $m{number}
                (with "from" (instance $i{from})) (with "host" (instance $host))))"#,
            data = data.unwrap_or_default(),
            slot = slot.unwrap_or_default(),
            start = start.unwrap_or_default(),
        )
        .unwrap();
    }
    let last = parts.len();
    write!(text, r#"(func (export "run") (param "number" u32) (result u32) (canon lift (core func $i{last} "run"))))"#)
        .unwrap();
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn fused_or_not_a_component_does_the_same(parts in prop::collection::vec(part(), 1..8)) {
        let component = wat::parse_str(component(&parts)).unwrap();
        match fuse(&component) {
            Ok(fused) => {
                prop_assert!(modules(&fused) < modules(&component));
                prop_assert_eq!(behaviour(&component), behaviour(&fused));
            }
            Err(Unfused::NothingToFuse) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
