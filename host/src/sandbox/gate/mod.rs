//! The gate: which guests run, when more of them want to than there are cores.
//!
//! A request runs at once and undisturbed until its first tick. One that computes for longer is
//! *demoted*: from then on its guest is polled in *turns*, each of which takes one of the gate's
//! permits, and ends at the next tick or as soon as the guest waits for something or returns. The
//! tenant that has run least, by its weight, has the next turn (`policy`). Requests of a tenant that
//! runs more than its share start demoted.
//!
//! ```text
//!  request ──▶ inline ──▶ done                      (its tenant is not ahead of others)
//!     │          │ a tick
//!     │          ▼
//!     └─────▶ waiting ──▶ called ──▶ turn ──▶ done  (a permit is out from `called` to the end of `turn`)
//!                ▲                     │
//!                ├───── a tick ────────┤
//!                └─── wakes ◀─ rests ◀─┘ waits for something
//! ```

mod policy;
#[cfg(test)]
mod simulation;
mod tenant;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::config::{TenantName, Weight};

use policy::{Nanos, Policy, Start, Ticket, Took};
use tenant::CpuTime;

pub use tenant::Tenant;
pub(crate) use turns::InTurns;

/// The gate of one host.
#[derive(Debug)]
pub(crate) struct Gate {
    started: Instant,
    workers: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    policy: Policy,
    /// How to reach those who wait, until they are called.
    wakers: HashMap<Ticket, Waker>,
}

/// An app's place at the gate: where its guests wait, and whom their time is charged to.
#[derive(Debug)]
pub(crate) struct Seat {
    gate: Arc<Gate>,
    tenant: Arc<Tenant>,
    app: CpuTime,
}

impl Gate {
    /// A gate for the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn new() -> Self {
        Self::of_workers(Handle::current().metrics().num_workers())
    }

    fn of_workers(workers: usize) -> Self {
        let state = State { policy: Policy::new(workers), wakers: HashMap::new() };
        Self { started: Instant::now(), workers, state: Mutex::new(state) }
    }

    /// A tenant from now on.
    pub(crate) fn enrol(&self, name: TenantName, weight: Weight) -> Arc<Tenant> {
        self.state().policy.enrol(name, weight)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nanos(&self, now: Instant) -> Nanos {
        Nanos::try_from(now.saturating_duration_since(self.started).as_nanos()).unwrap_or(Nanos::MAX)
    }

    /// Changes something, and wakes whoever is called in consequence. `look` sees the state after that.
    fn change<R>(&self, change: impl FnOnce(&mut Policy, Nanos) -> R, look: impl FnOnce(&mut State, &R)) -> R {
        let now = self.nanos(Instant::now());
        let mut state = self.state();
        let result = change(&mut state.policy, now);
        let mut called = Vec::new();
        while let Some(ticket) = state.policy.call(now) {
            called.extend(state.wakers.remove(&ticket));
        }
        look(&mut state, &result);
        drop(state);
        called.into_iter().for_each(Waker::wake);
        result
    }

    /// A guest of this tenant is about to be polled, for the first time in this window.
    fn see(&self, tenant: &Tenant) {
        self.change(|policy, now| policy.see(tenant.id, now), |_, ()| {});
    }

    /// Waits for a turn, from the end of another if it `had` one. Whether it is called at once; if not,
    /// `waker` will be woken.
    fn wait(&self, tenant: &Tenant, had: Option<Took>, waker: &Waker) -> (Ticket, bool) {
        let mut is_called = false;
        let wait = |policy: &mut Policy, now| {
            // In one step, so that it competes for the permit that it gives back.
            if let Some(took) = had {
                policy.finish(tenant.id, took, now);
            }
            policy.wait(tenant.id, now)
        };
        let ticket = self.change(wait, |state, ticket| {
            is_called = state.policy.is_called(*ticket);
            if !is_called {
                state.wakers.insert(*ticket, waker.clone());
            }
        });
        (ticket, is_called)
    }

    /// Whether a request that waits has been called; none if it has lost its turn since. If not yet,
    /// `waker` will be woken.
    fn look(&self, ticket: Ticket, waker: &Waker) -> Option<bool> {
        let state = &mut *self.state();
        if state.policy.is_called(ticket) {
            return Some(true);
        }
        // It is called when it is taken out of here.
        let known = state.wakers.get_mut(&ticket)?;
        known.clone_from(waker);
        Some(false)
    }

    /// A request that was called is ready to run.
    fn start(&self, ticket: Ticket, waker: &Waker) -> Start {
        let start = |policy: &mut Policy, now| policy.start(ticket, now);
        self.change(start, |state, start| {
            if *start != Start::Back {
                return;
            }
            if state.policy.is_called(ticket) {
                waker.wake_by_ref();
            } else {
                state.wakers.insert(ticket, waker.clone());
            }
        })
    }

    fn finish(&self, tenant: &Tenant, took: Took) {
        self.change(|policy, now| policy.finish(tenant.id, took, now), |_, ()| {});
    }

    /// A request that waits, or was called, gives up.
    fn leave(&self, ticket: Ticket, tenant: &Tenant) {
        let forget = |state: &mut State, _: &()| drop(state.wakers.remove(&ticket));
        self.change(|policy, _| policy.leave(ticket, tenant.id), forget);
    }
}

impl Seat {
    /// A place for an app of this tenant, which the gate knows.
    pub(crate) fn new(gate: Arc<Gate>, tenant: Arc<Tenant>) -> Self {
        Self { gate, tenant, app: CpuTime::default() }
    }

    /// A place where nobody else is, for guests that run before there is a host.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn alone() -> Self {
        let gate = Arc::new(Gate::new());
        let tenant = gate.enrol(TenantName::nobody(), Weight::default());
        Self::new(gate, tenant)
    }

    /// The owner of the app.
    pub(crate) fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// CPU time of the app's guests.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.app.get()
    }

    fn charge(&self, nanos: u64) {
        self.app.charge(nanos);
        self.tenant.charge(nanos);
    }
}
