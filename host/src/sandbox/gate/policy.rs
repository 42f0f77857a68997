//! Who goes next: pure, with the time as an argument.
//!
//! Each tenant has a *virtual time*: what its guests have run, divided by its weight. Of the tenants
//! that wait the one with the least goes first, which is start-time fair queueing (Goyal, Vin and
//! Cheng, 1996): over time each gets CPU by its weight. Within a tenant requests take turns.
//!
//! A tenant that comes back after a pause is lifted to the virtual time of those at the gate, less a
//! small credit: it goes first, but not for as long as it was away. At the gate the credit is smaller than
//! elsewhere, so what a tenant is lifted by to come there counts for as long as it stays: else whoever was there
//! once would be before all who were not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::config::{TenantName, Weight};
use crate::sandbox::epoch::TICK;

use super::tenant::Tenant;

/// Nanoseconds since the gate was made.
pub(super) type Nanos = u64;

/// Orders requests by when they came to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// How a turn ends at the latest, and what a turn under way counts until it is charged.
pub(super) const SLICE: Nanos = TICK.subsec_nanos() as Nanos;

/// Virtual time is real time for a tenant of this weight, the default.
const SCALE: u64 = 100;

/// How far a tenant of short requests is kept before those at the gate at most, in virtual nanoseconds.
const CREDIT: u64 = 20 * SLICE;

/// How long a tenant that comes back to the gate goes first: as long as most requests take.
pub(super) const GATE_CREDIT: Nanos = 4 * SLICE;

/// How far before the least one a tenant may run, in virtual nanoseconds, before its new requests
/// start demoted. Less than the credit, so that those at work make room as soon as somebody comes.
const SLACK: u64 = 10 * SLICE;

/// Tenants are told to the gate, and looked over, once in so many nanoseconds at most: 4.2 ms.
const WINDOW_BITS: u32 = 22;

/// How long a tenant counts as wanting to run after its last request was polled: it may be one of
/// short requests, each sent when the one before is answered.
const PRESENCE: Nanos = 4 << WINDOW_BITS;

/// A request that was called and does not come within this time loses its turn. Its task may be one
/// that nobody polls, and it must not keep the permit from all others.
const LAPSE: Nanos = 100 * SLICE;

/// How often a request that was called lets others pass before one turn: until a tenant of short requests has caught up
/// with a turn, of which each passes for a few microseconds. No more, for among many tenants there is always one behind
/// that runs.
pub(super) const PASSES_MAX: u32 = 128;

/// The same where each time takes a millisecond.
pub(super) const PASSES_OF_CORES_MAX: u32 = 4;

/// How far before another a tenant must have run to let it pass, in virtual nanoseconds. Many tenants of short
/// requests have all run about the same, and one of them is demoted now and then because it lost its core: it owes nothing.
/// Less than what a tenant that comes to the gate has as credit.
const LEAD: u64 = 2 * SLICE;

/// The window that a moment lies in.
pub(super) fn window(now: Nanos) -> u64 {
    now >> WINDOW_BITS
}

/// How long a turn took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// By the clock on the wall.
    pub(super) wall: Nanos,
    /// By that of the thread.
    pub(super) cpu: Nanos,
}

/// Part of their time that turns may lose to other threads before cores count as short, in 1024ths.
const SQUEEZED: u64 = 48;

/// The state of the gate.
#[derive(Debug)]
pub(super) struct Policy {
    workers: usize,
    entries: Vec<Entry>,
    /// Tenants that want to run: at the gate, or seen lately.
    present: Vec<usize>,
    /// Permits that wait for their request to come.
    called: Vec<Call>,
    /// Permits out, those of `called` included.
    out: usize,
    waiting: usize,
    /// Virtual time of the least tenant at the gate; never goes back.
    clock: u64,
    swept: Nanos,
    tickets: u64,
    /// What turns lose to other threads of late, in 1024ths.
    squeeze: u64,
}

#[derive(Debug)]
struct Entry {
    tenant: Arc<Tenant>,
    virtual_time: u64,
    /// What is added to it at the gate, until the tenant leaves.
    lifted: u64,
    /// When its last turn ended.
    ended: Nanos,
    /// What of the tenant's run time is in `virtual_time`.
    synced: u64,
    /// The same at the last sweep.
    swept: u64,
    /// What those behind had run when it last let them pass.
    passed: Option<u64>,
    queue: VecDeque<Waiting>,
    /// Permits of its requests.
    out: usize,
    seen: Nanos,
    is_present: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: Ticket,
    /// How often it has let others pass before this turn already.
    passes: u32,
}

#[derive(Debug)]
struct Call {
    ticket: Ticket,
    tenant: usize,
    since: Nanos,
    /// How often it has let others pass.
    passes: u32,
}

/// What a request that was called may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Run.
    Go,
    /// Let others pass once more, then ask again.
    Again,
    /// Wait in the queue: somebody came meanwhile who goes first.
    Back,
    /// Wait anew: the turn has lapsed.
    Lost,
}

impl Entry {
    fn is_here(&self) -> bool {
        self.out > 0 || !self.queue.is_empty()
    }

    /// Its virtual time among those at the gate.
    fn at_gate(&self) -> u64 {
        self.virtual_time.saturating_add(self.lifted)
    }

    /// Counts what was charged since the last time.
    fn sync(&mut self) {
        let run = self.tenant.run();
        self.virtual_time += self.cost(run - self.synced);
        self.synced = run;
    }

    fn lift(&mut self, virtual_time: u64) {
        self.virtual_time = self.virtual_time.max(virtual_time);
    }

    /// Virtual time of a stretch of run time.
    fn cost(&self, nanos: Nanos) -> u64 {
        nanos * SCALE / u64::from(self.tenant.weight().get())
    }
}

impl Policy {
    /// A gate on a runtime of so many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            workers: workers.max(1),
            entries: Vec::new(),
            present: Vec::new(),
            called: Vec::new(),
            out: 0,
            waiting: 0,
            clock: 0,
            swept: 0,
            tickets: 0,
            squeeze: 0,
        }
    }

    /// A tenant from now on.
    pub(super) fn enrol(&mut self, name: TenantName, weight: Weight) -> Arc<Tenant> {
        let tenant = Arc::new(Tenant::new(name, weight, self.entries.len()));
        self.entries.push(Entry {
            tenant: Arc::clone(&tenant),
            virtual_time: self.clock,
            lifted: 0,
            ended: 0,
            synced: 0,
            swept: 0,
            passed: None,
            queue: VecDeque::new(),
            out: 0,
            seen: 0,
            is_present: false,
        });
        tenant
    }

    /// A guest of this tenant runs now, or wants to.
    pub(super) fn see(&mut self, tenant: usize, now: Nanos) {
        let entry = &mut self.entries[tenant];
        entry.seen = now;
        entry.tenant.seen.store(window(now), Ordering::Relaxed);
        entry.sync();
        if !entry.is_here() {
            entry.lift(self.clock.saturating_sub(CREDIT));
        }
        if !entry.is_present {
            entry.is_present = true;
            entry.swept = entry.synced;
            self.present.push(tenant);
        }
        self.sweep(now);
    }

    /// A demoted request wants its next turn.
    pub(super) fn wait(&mut self, tenant: usize, now: Nanos) -> Ticket {
        self.see(tenant, now);
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let entry = &mut self.entries[tenant];
        if !entry.is_here() {
            let lifted = self.clock.saturating_sub(entry.cost(GATE_CREDIT)).saturating_sub(entry.virtual_time);
            // Whose turn has ended just now has not left.
            entry.lifted = if entry.ended == now { entry.lifted.max(lifted) } else { lifted };
        }
        entry.queue.push_back(Waiting { ticket, passes: 0 });
        self.waiting += 1;
        ticket
    }

    /// Gives a permit to the request that goes next, if there is one and it may. Ask until there is none.
    pub(super) fn call(&mut self, now: Nanos) -> Option<Ticket> {
        if self.waiting == 0 || self.out >= self.workers {
            return None;
        }
        let (mut best, mut least, mut all_here) = (None, u64::MAX, true);
        for &tenant in &self.present {
            let entry = &mut self.entries[tenant];
            entry.sync();
            if !entry.is_here() {
                all_here = false;
                continue;
            }
            least = least.min(entry.at_gate());
            if let Some(front) = entry.queue.front() {
                // Turns under way are not charged yet, but must count.
                let under_way = entry.cost(SLICE).saturating_mul(entry.out as u64);
                let rank = (entry.at_gate().saturating_add(under_way), front.ticket, tenant);
                best = Some(best.map_or(rank, |best| rank.min(best)));
            }
        }
        if least < u64::MAX {
            self.clock = self.clock.max(least);
        }
        if self.out >= self.permits(all_here) {
            return None;
        }
        let (_, _, tenant) = best?;
        let entry = &mut self.entries[tenant];
        let Waiting { ticket, passes } = entry.queue.pop_front()?;
        if self.workers == 1 {
            // Nothing else ran during the last turn, so others may pass before each.
            entry.passed = None;
        }
        entry.out += 1;
        self.waiting -= 1;
        self.out += 1;
        self.called.push(Call { ticket, tenant, since: now, passes });
        Some(ticket)
    }

    /// One worker is kept for requests that are not demoted and for the network; it is lent while
    /// nobody but those at the gate wants to run.
    fn permits(&self, all_here: bool) -> usize {
        if all_here { self.workers } else { (self.workers - 1).max(1) }
    }

    /// Whether this request has been called.
    pub(super) fn is_called(&self, ticket: Ticket) -> bool {
        self.called.iter().any(|call| call.ticket == ticket)
    }

    /// A request that was called has come.
    ///
    /// A tenant of short requests is not here between two of them. With one worker nothing else runs during a
    /// turn, and where cores are short turns take them from its requests. So whoever is before such a tenant
    /// lets it pass for as long as it runs and is behind.
    pub(super) fn start(&mut self, ticket: Ticket, now: Nanos) -> Start {
        let Some(index) = self.called.iter().position(|call| call.ticket == ticket) else { return Start::Lost };
        let tenant = self.called[index].tenant;
        let passes_max = match self.workers {
            1 => PASSES_MAX,
            _ if self.squeeze > SQUEEZED => PASSES_OF_CORES_MAX,
            _ => 0,
        };
        let behind = if self.called[index].passes < passes_max { self.behind(tenant) } else { None };
        let Some((run, is_preceded)) = behind.filter(|(run, _)| self.entries[tenant].passed != Some(*run)) else {
            self.called.swap_remove(index);
            return Start::Go;
        };
        if is_preceded {
            let passes = self.called.swap_remove(index).passes + 1;
            self.take_back(tenant);
            let queue = &mut self.entries[tenant].queue;
            queue.insert(queue.partition_point(|other| other.ticket < ticket), Waiting { ticket, passes });
            self.waiting += 1;
            return Start::Back;
        }
        self.entries[tenant].passed = Some(run);
        self.called[index].since = now;
        self.called[index].passes += 1;
        Start::Again
    }

    /// What the tenants that are behind this one have run, and whether one of them waits; none if
    /// there are none.
    fn behind(&mut self, tenant: usize) -> Option<(u64, bool)> {
        self.entries[tenant].sync();
        let (virtual_time, at_gate) = (self.entries[tenant].virtual_time, self.entries[tenant].at_gate());
        let mut behind = None;
        for &other in self.present.iter().filter(|other| **other != tenant) {
            let entry = &mut self.entries[other];
            entry.sync();
            let (theirs, mine) =
                if entry.is_here() { (entry.at_gate(), at_gate) } else { (entry.virtual_time, virtual_time) };
            if theirs.saturating_add(LEAD) < mine {
                let (run, is_preceded) = behind.unwrap_or((0_u64, false));
                behind = Some((run.wrapping_add(entry.synced), is_preceded || !entry.queue.is_empty()));
            }
        }
        behind
    }

    /// A turn has ended.
    pub(super) fn finish(&mut self, tenant: usize, took: Took, now: Nanos) {
        self.take_back(tenant);
        self.entries[tenant].ended = now;
        // What is shorter tells nothing.
        if took.wall >= SLICE / 4 {
            let lost = took.wall.saturating_sub(took.cpu) * 1024 / took.wall;
            self.squeeze = (self.squeeze * 15 + lost) / 16;
        }
    }

    /// A request that waited, or was called, has gone.
    pub(super) fn leave(&mut self, ticket: Ticket, tenant: usize) {
        if let Some(index) = self.called.iter().position(|call| call.ticket == ticket) {
            self.called.swap_remove(index);
            self.take_back(tenant);
        } else if let Ok(index) = self.entries[tenant].queue.binary_search_by_key(&ticket, |waiting| waiting.ticket) {
            self.entries[tenant].queue.remove(index);
            self.waiting -= 1;
        }
    }

    fn take_back(&mut self, tenant: usize) {
        self.entries[tenant].out -= 1;
        self.out -= 1;
    }

    /// Once in a window: who is still there, who is over its share, who did not come.
    fn sweep(&mut self, now: Nanos) {
        let elapsed = now.saturating_sub(self.swept);
        if elapsed < 1 << WINDOW_BITS {
            return;
        }
        self.swept = now;
        let (mut used, mut least, mut least_here) = (0_u64, u64::MAX, u64::MAX);
        let entries = &mut self.entries;
        self.present.retain(|&tenant| {
            let entry = &mut entries[tenant];
            entry.sync();
            used = used.saturating_add(entry.synced - entry.swept);
            entry.swept = entry.synced;
            entry.is_present = entry.is_here() || now.saturating_sub(entry.seen) <= PRESENCE;
            if !entry.is_present {
                entry.tenant.ahead.store(false, Ordering::Relaxed);
                return false;
            }
            least = least.min(entry.virtual_time);
            if entry.is_here() {
                least_here = least_here.min(entry.at_gate());
            }
            true
        });
        let clock = if least_here == u64::MAX { least } else { least_here };
        if clock < u64::MAX {
            self.clock = self.clock.max(clock);
        }
        // Nobody takes from anybody on a host that is half idle.
        let is_busy = self.waiting > 0 || used.saturating_mul(2) > elapsed.saturating_mul(self.workers as u64);
        for &tenant in &self.present {
            let entry = &self.entries[tenant];
            let ahead = is_busy && entry.virtual_time > least.saturating_add(SLACK);
            entry.tenant.ahead.store(ahead, Ordering::Relaxed);
        }
        while let Some(index) = self.called.iter().position(|call| now.saturating_sub(call.since) > LAPSE) {
            let tenant = self.called.swap_remove(index).tenant;
            self.take_back(tenant);
        }
    }

    /// Permits out and requests that wait.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.out, self.waiting)
    }
}
