//! What a tenant has used, and what the gate remembers of it between two looks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::{TenantName, Weight};

/// A tenant of this host: its weight and the CPU time of its guests.
#[derive(Debug)]
#[repr(align(128))]
pub struct Tenant {
    name: TenantName,
    weight: Weight,
    /// Its number at the gate.
    pub(super) id: usize,
    /// Nanoseconds that its guests have run.
    run: AtomicU64,
    /// The window in which the gate last heard of it; see [`super::policy::window`].
    pub(super) seen: AtomicU64,
    /// Whether its new requests start demoted.
    pub(super) ahead: AtomicBool,
}

impl Tenant {
    /// A tenant that has used nothing. Gates number theirs from 0.
    pub(super) fn new(name: TenantName, weight: Weight, id: usize) -> Self {
        let never = AtomicU64::new(u64::MAX);
        Self { name, weight, id, run: AtomicU64::new(0), seen: never, ahead: AtomicBool::new(false) }
    }

    /// Its name.
    pub fn name(&self) -> &TenantName {
        &self.name
    }

    /// Its share beside others that want to run.
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// CPU time that its guests have used since the host started. Never goes back.
    pub fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.run())
    }

    pub(super) fn run(&self) -> u64 {
        self.run.load(Ordering::Relaxed)
    }

    pub(super) fn charge(&self, nanos: u64) {
        self.run.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// CPU time of the guests of one app. On a cache line of its own: every worker writes to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CpuTime(AtomicU64);

impl CpuTime {
    pub(super) fn charge(&self, nanos: u64) {
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The sum so far.
    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
