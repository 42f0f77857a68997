//! What a `.wasm` file is, read off its first sections.

use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, ExternalKind, Parser, Payload};

use crate::limits::Size;

/// Why a component is not served. The texts name the mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Not WebAssembly at all.
    #[error("not a WebAssembly component: {0}; build the app for wasm32-wasip2")]
    NotWasm(String),
    /// A core module.
    #[error("a core module, not a component; build for wasm32-wasip2, or wrap it with `wasm-tools component new`")]
    CoreModule,
    /// A program for which no component can be made.
    #[error(
        "a core module that cannot be made a component: {0}; build it for WASI alone, without imports of other hosts"
    )]
    Wrap(String),
    /// A component that does not validate or compile.
    #[error("not a valid component: {0}; rebuild it with current tools")]
    Invalid(String),
    /// A component of another world.
    #[error("exports no `application` of wasgi:gateway@0.1.0, no wasi:http/incoming-handler of 0.2, and no wasi:cli/run of 0.2 as a CGI program does, but {}; build it with a wasgi SDK", list(.0))]
    OtherWorld(Vec<String>),
    /// An import that the host does not have or does not grant, or an export of a wrong type.
    #[error("does not fit the host: {0}; an app may import wasgi:gateway@0.1.0 and WASI 0.2 with wasi:http")]
    Link(String),
    /// The component cannot be instantiated under its limits.
    #[error("cannot be instantiated: {0}; raise the limit named, or build a smaller component")]
    Instantiate(String),
    /// `initialize` returned an error.
    #[error("initialize failed: {0}")]
    InitializeFailed(String),
    /// `initialize` trapped or passed a limit.
    #[error("initialize did not finish: {0}")]
    InitializeFault(String),
    /// The compile child got no more memory.
    #[error(
        "the guest took more memory than the compile child may have; raise compile-memory-max, or lower memory-max to refuse the guest earlier"
    )]
    Exhausted,
    /// Its memories do not fit under the app's limit from the start.
    #[error(
        "needs {needed} of memory at the start, over memory-max ({max}); raise memory-max, or build a smaller component"
    )]
    MemoryMax {
        /// What its largest memory has at the start.
        needed: Size,
        /// The limit.
        max: Size,
    },
    /// It would take the address space that other apps need.
    #[error("has {count} {what}, over {max}; build it of fewer modules")]
    TooMany {
        /// Of what.
        what: String,
        /// How many of them.
        count: u32,
        /// How many there may be.
        max: u32,
    },
    /// `initialize` left WASI handles open, which would be dead in the snapshot.
    #[error("initialize left open: {}; what it opens it must close before it returns, since no handle survives the snapshot", .0.join(", "))]
    HandlesLeft(Vec<String>),
    /// The component's shape does not allow a snapshot.
    #[error(
        "exports initialize, but cannot be snapshotted: {0}; nested components with modules of their own, a module instantiated twice and component start functions stand in the way; drop the export or build it as one module"
    )]
    Snapshot(String),
    /// The host could not do its part.
    #[error("the host could not prepare it: {0}")]
    Host(String),
}

fn list(names: &[String]) -> String {
    const SHOWN_MAX: usize = 10;
    match names.len() {
        0 => "nothing".into(),
        count if count > SHOWN_MAX => format!("{} and more", names[..SHOWN_MAX].join(", ")),
        _ => names.join(", "),
    }
}

/// Components within components that are still compiled: tools nest a few, and each level costs the
/// compiler more than the one before.
const DEPTH_MAX: u32 = 100;

/// Refuses what is neither a component nor a program that one can be made of.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => check_depth(bytes),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) if is_program(bytes) => Ok(()),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => Err(Refusal::CoreModule),
        _ if bytes.is_empty() => Err(Refusal::NotWasm("the file is empty".into())),
        _ if !bytes.starts_with(b"\0asm") => Err(Refusal::NotWasm("it does not begin as WebAssembly does".into())),
        Some(Err(error)) => Err(Refusal::NotWasm(one_line(error.message()))),
        Some(Ok(_)) | None => Err(Refusal::NotWasm("it has no header".into())),
    }
}

/// Whether it is a core module.
pub(super) fn is_module(bytes: &[u8]) -> bool {
    Parser::is_core_wasm(bytes)
}

/// Whether a core module has the entry point that makes it a program.
fn is_program(module: &[u8]) -> bool {
    let exports = Parser::new(0).parse_all(module).find_map(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => Some(exports),
        _ => None,
    });
    exports.is_some_and(|exports| {
        exports.into_iter().flatten().any(|export| export.name == "_start" && export.kind == ExternalKind::Func)
    })
}

fn check_depth(bytes: &[u8]) -> Result<(), Refusal> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            Err(error) => return Err(Refusal::Invalid(one_line(error.message()))),
        }
        if depth > DEPTH_MAX {
            return Err(Refusal::Invalid(format!("it nests components more than {DEPTH_MAX} deep")));
        }
    }
    Ok(())
}

/// Messages of wasmparser may span lines.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a component exports `initialize` itself, rather than a part nested in it. Reads no more
/// than the outermost sections; damaged input answers false and is refused later.
pub(super) fn exports_initialize(bytes: &[u8]) -> bool {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentExportSection(exports)) if depth == 0 => {
                if exports.into_iter().any(|export| export.is_ok_and(|export| export.name.name == "initialize")) {
                    return true;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn only_components_pass() {
        assert_eq!(check(COMPONENT), Ok(()));
        assert_eq!(check(MODULE), Err(Refusal::CoreModule));
        for junk in [&b""[..], b"\0asm", b"#!/bin/sh", b"\0asm\x0d\0\x02\0"] {
            assert!(matches!(check(junk), Err(Refusal::NotWasm(_))), "{junk:?}");
        }
    }

    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(COMPONENT.to_vec(), |inner, _| {
            let mut outer = [COMPONENT, &[4]].concat();
            let mut length = inner.len();
            while length >= 0x80 {
                outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
                length >>= 7;
            }
            outer.push(u8::try_from(length).unwrap());
            outer.extend(inner);
            outer
        })
    }

    #[test]
    fn components_may_nest_but_not_for_ever() {
        assert_eq!(check(&nested(100)), Ok(()));
        assert!(matches!(check(&nested(101)), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn damaged_input_has_no_exports() {
        assert!(!exports_initialize(COMPONENT));
        assert!(!exports_initialize(b"\0asm\x0d\0\x01\0\x0b\xff"));
    }
}
