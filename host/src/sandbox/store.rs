//! A guest's store: the only place that makes one, so that none exists without its limits.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bundle::mounts::Mounts;
use crate::config::Grants;
use crate::limits::AppLimits;
use crate::sandbox::host_calls::Request;
use crate::sandbox::limiter::MemoryLimiter;
use crate::sandbox::meter::{AtTick, Meter};
use crate::sandbox::outgoing::Outgoing;
use crate::sandbox::output::{GuestLog, Output};
use crate::sandbox::program::Program;
use crate::sandbox::wasi::{self, Files};
use crate::sandbox::wear::Held;

/// What all instances of an app share: what it may use, what it was granted and what it brought along.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The limits of each of its instances and requests.
    pub(crate) limits: AppLimits,
    /// The environment and directories it was given.
    pub(crate) grants: Grants,
    /// Its bundle. Empty where no requests are served.
    pub(crate) mounts: Arc<Mounts>,
    /// The directories of both.
    pub(crate) files: Files,
}

impl Terms {
    /// Opens the directories that were granted, and those of a bundle.
    ///
    /// # Errors
    /// [`wasi::OpenError`].
    pub(crate) fn open(limits: AppLimits, grants: Grants, mounts: Arc<Mounts>) -> Result<Self, wasi::OpenError> {
        let granted = [grants.dirs.clone(), mounts.mirrored(&grants.dirs)].concat();
        let files = Files::open(mounts.handles(), granted)?;
        Ok(Self { limits, grants, mounts, files })
    }

    /// All that a guest can tell of its terms, as text: two snapshots under the same are the same.
    pub(crate) fn identity(&self) -> String {
        format!("{:?} {:?} {}", self.limits, self.grants, self.mounts.identity())
    }
}

/// The host's side of one instance: the data of its store.
pub(crate) struct Guest {
    pub(crate) terms: Arc<Terms>,
    /// The request in hand; none in `initialize` and between requests.
    pub(crate) request: Option<Request>,
    pub(crate) limiter: MemoryLimiter,
    pub(crate) meter: Arc<Meter>,
    pub(crate) output: Output,
    table: ResourceTable,
    /// Handles of `wasgi:gateway` that the guest holds, of this request and of earlier ones.
    pub(crate) gateway_handles: usize,
    /// Made at the first WASI call: many requests make none, and the context costs several
    /// allocations.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    /// Its requests to the outside.
    outgoing: Outgoing,
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let held = self.table.iter_mut().count();
        self.http.set_field_size_limit(fields_max(self.terms.limits.head_size_max.to_usize(), held));
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| wasi::context(&self.terms, &self.output));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl Guest {
    /// Gives a program what WASI has for it: this environment, and these streams.
    pub(crate) fn run(&mut self, environment: &[(String, String)], program: &Program) {
        self.wasi = Some(wasi::context_of(&self.terms, &self.output, (environment, program)));
    }

    /// The WASI handles that the guest holds.
    pub(crate) fn handles(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// What the guest holds.
    pub(crate) fn held(&mut self) -> Held {
        let wasi = if self.table.is_empty() { 0 } else { self.table.iter_mut().count() };
        Held { memory: self.limiter.held(), handles: wasi + self.gateway_handles }
    }
}

/// Room for a few headers, however many handles a guest holds.
const FIELDS_MIN: usize = 1024;

/// Handles that one request of a sound guest needs, well counted.
const HELD_FREE: usize = 16;

/// Makes a store with its limiter, its interruption and its bounds set together.
pub(crate) fn build_store(
    engine: &Engine,
    terms: Arc<Terms>,
    meter: Arc<Meter>,
    sink: Arc<dyn GuestLog>,
) -> Store<Guest> {
    let limits = terms.limits.clone();
    let handles_max = usize::try_from(limits.handles_max).unwrap_or(usize::MAX);
    let mut table = ResourceTable::new();
    table.set_max_capacity(handles_max);
    let guest = Guest {
        output: Output::new(&limits, sink),
        limiter: MemoryLimiter::new(limits.memory_max.bytes()),
        request: None,
        terms,
        meter,
        table,
        gateway_handles: 0,
        wasi: None,
        http: WasiHttpCtx::new(),
        outgoing: Outgoing::new(&limits),
    };
    #[expect(clippy::disallowed_methods, reason = "the one place that may make a store")]
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_hostcall_fuel(usize::try_from(limits.hostcall_max.bytes()).unwrap_or(usize::MAX));
    store.set_max_component_handles(handles_max);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let meter = &context.data().meter;
        Ok(match meter.check()? {
            AtTick::RunOn => UpdateDeadline::Continue(1),
            // Not `Yield`: that wakes the task itself, before the gate says that it has a turn.
            AtTick::Pause => UpdateDeadline::YieldCustom(1, Box::pin(meter.pause())),
        })
    });
    store
}

/// Bytes of the next set of headers that a guest makes, while it holds so many handles. The host keeps them, out of reach of
/// `memory-max`, so those who hold many get less for each: all together are no more than some 80 times the first.
fn fields_max(head_size_max: usize, held: usize) -> usize {
    // They count with what a map of headers takes in memory, which is more than what is sent.
    let first = head_size_max + FIELDS_MIN;
    (first * HELD_FREE / held.max(HELD_FREE)).max(FIELDS_MIN.min(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_a_guest_keeps_are_bounded_together() {
        let first = fields_max(64 * 1024, 0);
        assert!(first > 64 * 1024);
        let all: usize = (0..1000).map(|held| fields_max(64 * 1024, held)).sum();
        assert!(all < 100 * first, "{all}");
        assert_eq!(fields_max(64 * 1024, HELD_FREE), first);
        assert!(fields_max(64 * 1024, 1_000_000) >= FIELDS_MIN);
    }
}
