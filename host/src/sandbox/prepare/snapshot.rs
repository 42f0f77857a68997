//! Runs `initialize` once and bakes the memory it leaves into the component.

use std::sync::Arc;

use wasmtime::component::{Component, Val};
use wasmtime::{AsContextMut as _, Store};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wizer::Wizer;

use crate::client::Client;
use crate::sandbox::code;
use crate::sandbox::engine;
use crate::sandbox::fault::Fault;
use crate::sandbox::gate::Seat;
use crate::sandbox::meter::Meter;
use crate::sandbox::output::GuestLog;
use crate::sandbox::prepare::inspect::Refusal;
use crate::sandbox::store::{Guest, Terms, build_store};

/// The component as it is after its `initialize`.
///
/// # Errors
/// [`Refusal`]: it failed, trapped, passed a limit, left handles open, or cannot be snapshotted.
pub(super) async fn take(component: &[u8], terms: &Arc<Terms>, log: Arc<dyn GuestLog>) -> Result<Vec<u8>, Refusal> {
    let host = |error: &dyn std::fmt::Display| Refusal::Host(format!("{error:#}"));
    let engine = engine::initializing(terms.limits.memory_max.bytes()).map_err(|error| host(&error))?;
    let ticker = super::work::start_ticker(&engine)?;
    let meter = Arc::new(Meter::start(&terms.limits, Arc::new(Client::default())));
    let mut store = build_store(&engine, Arc::clone(terms), Arc::clone(&meter), log);

    // With the parentheses wizer takes a function that returns something.
    let mut wizer = Wizer::new();
    wizer.init_func("initialize()");
    let mut started = false;
    let instantiate = async |store: &mut Store<Guest>, component: &Component| {
        let pre = code::link(store.engine(), component)?;
        started = true;
        pre.instantiate_async(store.as_context_mut()).await
    };
    let ran = meter.supervise(&Seat::alone(), &ticker, wizer.run_component(&mut store, component, instantiate)).await;
    store.data_mut().output.end();
    let (snapshot, returned) = match ran {
        Err(overrun) => return Err(Refusal::InitializeFault(overrun.to_string())),
        Ok(Err(error)) => return Err(failure(&error, started, store.data_mut())),
        Ok(Ok(done)) => done,
    };
    if let [Val::Result(Err(error))] = returned.as_slice() {
        let message = match error.as_deref() {
            Some(Val::String(message)) => crate::text::printable(message, 1024),
            _ => "it gave no message".into(),
        };
        return Err(Refusal::InitializeFailed(message));
    }
    match handles_left(store.data_mut()) {
        left if left.is_empty() => Ok(snapshot),
        left => Err(Refusal::HandlesLeft(left)),
    }
}

/// Tells the guest's failures from what wizer cannot handle.
fn failure(error: &wasmtime::Error, started: bool, guest: &mut Guest) -> Refusal {
    if guest.limiter.host_is_exhausted() {
        return Refusal::Exhausted;
    }
    let out_of_memory = guest.limiter.take_refused();
    let text = crate::text::printable(&format!("{error:#}"), 2048);
    match Fault::from_call(error, out_of_memory) {
        fault if started && (out_of_memory || guest_stopped(error)) => Refusal::InitializeFault(fault.to_string()),
        _ if started => Refusal::Snapshot(text),
        _ if text.contains("import") || text.contains("export") => Refusal::Link(text),
        _ => Refusal::Snapshot(text),
    }
}

fn guest_stopped(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::Trap>()
        || error.is::<wasmtime::WasmBacktrace>()
        || error.is::<wasmtime_wasi::I32Exit>()
        || error.is::<crate::sandbox::meter::Overrun>()
}

/// Handles that `initialize` forgot. Standard streams and granted directories are not counted: the
/// adapter under every libc opens them for itself, and the SDKs reset it (`reset_adapter_state`).
fn handles_left(guest: &mut Guest) -> Vec<String> {
    let (stdio_out, stdio_in) = (guest.output.open_streams(), 1);
    let directories = guest.terms.files.count();
    let (mut files, mut dirs, mut inputs, mut outputs, mut pollables, mut others) = (0_usize, 0, 0, 0, 0, 0);
    for entry in guest.handles().iter_mut() {
        match entry.downcast_ref::<Descriptor>() {
            Some(Descriptor::File(_)) => files += 1,
            Some(Descriptor::Dir(_)) => dirs += 1,
            None if entry.is::<DynInputStream>() => inputs += 1,
            None if entry.is::<DynOutputStream>() => outputs += 1,
            None if entry.is::<DynPollable>() => pollables += 1,
            None => others += 1,
        }
    }
    [
        (files, "file"),
        (dirs - directories.min(dirs), "directory"),
        (inputs - stdio_in.min(inputs), "input stream"),
        (outputs - stdio_out.min(outputs), "output stream"),
        (pollables, "pollable"),
        (others, "other WASI handle"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
    .collect()
}
