//! The work itself: check, snapshot, compile. Runs in the compile child, or in the process of an
//! embedder that asked for that.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::sandbox::code::{Code, Serving};
use crate::sandbox::engine::{self, Needs};
use crate::sandbox::epoch::Ticker;
use crate::sandbox::exports::Kind;
use crate::sandbox::gate::Seat;
use crate::sandbox::output::GuestLog;
use crate::sandbox::prepare::child::Order;
use crate::sandbox::prepare::inspect::{self, Refusal};
use crate::sandbox::prepare::{Report, fuse, snapshot, wrap};
use crate::text::printable;

/// Memories of a component, all its instances together; tools make one. Each takes 4 GiB of address space.
const MEMORIES_MAX: u32 = 16;

/// Tables of a component, all its instances together; tools make a few for each of some thirty modules at most.
const TABLES_MAX: u32 = 100;

/// Bytes of a WebAssembly page.
const PAGE: u64 = 64 * 1024;

/// Prepares `component` and writes the compiled code to the order's output.
///
/// # Errors
/// [`Refusal`].
pub(super) async fn run(component: &[u8], order: &Order, log: Arc<dyn GuestLog>) -> Result<Report, Refusal> {
    inspect::check(component)?;
    let terms = order.terms()?;
    let wrapped;
    let component = if inspect::is_module(component) {
        wrapped = wrap::program(component, terms.limits.memory_max)?;
        &wrapped
    } else {
        component
    };
    let initialized = inspect::exports_initialize(component);
    let snapshot;
    let serves = if initialized {
        snapshot = snapshot::take(component, &terms, Arc::clone(&log)).await?;
        &snapshot
    } else {
        component
    };
    let engine = engine::compiling().map_err(|error| host(&error))?;
    let compiled = compile(&engine, serves)?;
    let report = report(&engine, &compiled, initialized)?;
    let ticker = start_ticker(&engine)?;
    let serving = Serving::new(engine, ticker).map_err(|error| host(&error))?;
    let code = Code::link(&serving, &compiled, report.kind).map_err(|error| misfit(&error))?;
    code.try_instance(&terms, &Seat::alone(), log).await?;
    let code = compiled.serialize().map_err(|error| host(&error))?;
    write(order.output(), &code)
        .map_err(|error| Refusal::Host(format!("cannot write {}: {error}", order.output().display())))?;
    Ok(report)
}

/// Compiles a component, with its core modules fused if that can be.
fn compile(engine: &Engine, component: &[u8]) -> Result<Component, Refusal> {
    match fuse::fuse(component) {
        Ok(fused) => match Component::new(engine, fused) {
            Ok(compiled) => return Ok(compiled),
            Err(error) => tracing::warn!(error = short(&error), "cannot compile the component with its modules fused"),
        },
        Err(unfused) => tracing::debug!("core modules are not fused: {unfused}"),
    }
    Component::new(engine, component).map_err(|error| not_compiled(&error))
}

fn not_compiled(error: &wasmtime::Error) -> Refusal {
    if is_exhaustion(error) { Refusal::Exhausted } else { Refusal::Invalid(short(error)) }
}

/// What a component that does not link is refused for.
fn misfit(error: &wasmtime::Error) -> Refusal {
    if is_exhaustion(error) { Refusal::Exhausted } else { Refusal::Link(short(error)) }
}

/// Whether the operating system had no more memory.
pub(crate) fn is_exhaustion(error: &wasmtime::Error) -> bool {
    let io =
        |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    error.chain().filter_map(io).any(|kind| kind == std::io::ErrorKind::OutOfMemory)
}

/// A thread is the first thing that a limit on memory refuses.
pub(super) fn start_ticker(engine: &Engine) -> Result<Ticker, Refusal> {
    Ticker::start(engine).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory => Refusal::Exhausted,
        _ => Refusal::Host(error.to_string()),
    })
}

fn report(engine: &Engine, component: &Component, initialized: bool) -> Result<Report, Refusal> {
    let shape = component.component_type();
    let exports = || shape.exports(engine).map(|(name, _)| name);
    let kind = Kind::of(exports()).ok_or_else(|| Refusal::OtherWorld(names(exports())))?;
    let resources = component
        .resources_required()
        .ok_or_else(|| Refusal::Link("it imports a module or instance whose size cannot be known".into()))?;
    few("memories", resources.num_memories, MEMORIES_MAX)?;
    few("tables", resources.num_tables, TABLES_MAX)?;
    Ok(Report {
        kind,
        exports: names(exports()),
        // Types named by the world itself come from the interfaces that are listed too.
        imports: names(shape.imports(engine).map(|(name, _)| name).filter(|name| name.contains(':'))),
        initialized,
        needs: Needs {
            memories: resources.num_memories,
            initial_memory: resources.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE),
            tables: resources.num_tables,
            table_elements: resources.max_initial_table_size.unwrap_or(0),
        },
    })
}

/// Refuses more than `max` of what the pool keeps address space for, once for each instance of any app.
fn few(what: &'static str, count: u32, max: u32) -> Result<(), Refusal> {
    if count > max { Err(Refusal::TooMany { what: what.into(), count, max }) } else { Ok(()) }
}

/// Names as they are shown: not all of a hostile many, none of a hostile length.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const NAMES_MAX: usize = 200;
    const NAME_MAX: usize = 200;
    names.take(NAMES_MAX).map(|name| printable(name, NAME_MAX)).collect()
}

/// Writes the code where only this user can touch it.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(code)?;
    file.sync_all()
}

fn short(error: &wasmtime::Error) -> String {
    printable(&format!("{error:#}"), 2048)
}

fn host(error: &wasmtime::Error) -> Refusal {
    Refusal::Host(short(error))
}
