//! Generated guests: code that validates and does what nobody would write.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use wasm_encoder::{Component, ComponentSectionId, RawSection};
use wasm_smith::Config;

use wasmparser::{Parser, Payload};

use crate::loading;

/// What `wasm-smith` makes of the input: an app with its code for a main module, which is called for one request, or
/// (if the first byte is odd) a component of any shape, which is checked and mostly refused.
///
/// # Panics
/// If the app that fits the host is refused, or as `component`.
pub fn smith(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let mut bytes = Unstructured::new(rest);
    if kind % 2 == 1 {
        let Ok(generated) = wasm_smith::Component::new(config(), &mut bytes) else { return };
        let _ = loading::serve_once(&generated.to_bytes());
        return;
    }
    // Code that traps seldom gets far, code that cannot trap is unlike any other: both have their turn.
    let shape = Config { module_shape: Some(MAIN.clone()), disallow_traps: kind % 4 == 2, ..config() };
    let Ok(generated) = wasm_smith::Module::new(shape, &mut bytes) else { return };
    let _ = loading::serve_once(&shell_around(&generated.to_bytes()));
}

/// Small enough to be compiled in a moment, and nothing that the host's engine does not know.
fn config() -> Config {
    Config {
        max_funcs: 12,
        max_instructions: 300,
        max_memories: 3,
        max_tables: 3,
        max_memory32_bytes: 16 << 20,
        max_table_elements: 1000,
        max_components: 8,
        max_nesting_depth: 20,
        bulk_memory_enabled: true,
        memory64_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        relaxed_simd_enabled: false,
        ..Config::default()
    }
}

static SHELL: LazyLock<Vec<u8>> = LazyLock::new(|| wat::parse_str(include_str!("shell.wat")).unwrap());

/// The main module that is to be replaced: its imports and exports are those of any other.
static MAIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let sections = sections();
    let main = sections.iter().rfind(|(id, _)| *id == ComponentSectionId::CoreModule as u8);
    main.unwrap().1.to_vec()
});

/// The sections of the shell, each with its number.
fn sections() -> Vec<(u8, &'static [u8])> {
    let mut depth = 0_u32;
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(&SHELL) {
        let payload = payload.unwrap();
        if depth == 0
            && let Some((id, range)) = payload.as_section()
        {
            sections.push((id, &SHELL[range]));
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    sections
}

/// The shell with another main module.
fn shell_around(module: &[u8]) -> Vec<u8> {
    let mut component = Component::new();
    for (id, data) in sections() {
        let is_main = id == ComponentSectionId::CoreModule as u8 && data == MAIN.as_slice();
        component.section(&RawSection { id, data: if is_main { module } else { data } });
    }
    component.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loading::{Served, serve_once};

    #[test]
    fn the_shell_with_its_own_module_or_with_another_is_called() {
        // Without start_response a guest has no head to give.
        assert_eq!(serve_once(&SHELL), Served::Answered(502));
        let other = wat::parse_str(
            r#"(module (import "memory" "memory" (memory 1))
                 (import "gateway" "call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
                 (func (export "application") (param i32 i32) (result i32)
                   (call $call (local.get 1) (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0)
                     (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
                   (i32.const 32)))"#,
        );
        assert_eq!(serve_once(&shell_around(&other.unwrap())), Served::Answered(200));
    }

    #[test]
    fn generated_code_fits_into_the_shell() {
        let mut called = 0;
        for seed in 0..20_u32 {
            let data: Vec<u8> = (0..2000_u32).map(|at| (at * at * 31 + at / 7 + seed).to_le_bytes()[0]).collect();
            let shape = Config { module_shape: Some(MAIN.clone()), ..config() };
            let Ok(generated) = wasm_smith::Module::new(shape, &mut Unstructured::new(&data)) else { continue };
            if let Served::Answered(_) = serve_once(&shell_around(&generated.to_bytes())) {
                called += 1;
            }
        }
        assert!(called > 0, "no generated guest was ever called");
    }
}
