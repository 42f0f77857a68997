//! What the service knows before the first request.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::methods::{self, Method};

/// Numbers below this are factored by looking up the table.
const LIMIT: u32 = 1 << 20;

static REGISTRY: OnceLock<Registry> = OnceLock::new();
static INITIALIZED: AtomicU32 = AtomicU32::new(0);
static CALLS: AtomicU32 = AtomicU32::new(0);

/// The methods by name, and a table that would be too slow to make for each request.
pub struct Registry {
    methods: BTreeMap<&'static str, Method>,
    /// The smallest prime factor of each number.
    smallest_factors: Vec<u32>,
    /// Requests that had come before: always 0.
    calls_before: u32,
}

impl Registry {
    /// Called at deployment, and never again: requests start from the memory it leaves.
    pub fn initialize() {
        INITIALIZED.fetch_add(1, Ordering::Relaxed);
        REGISTRY.get_or_init(|| Self {
            methods: methods::all(),
            smallest_factors: sieve(LIMIT),
            calls_before: CALLS.load(Ordering::Relaxed),
        });
    }

    /// The registry; none if the host did not call `initialize`.
    pub fn get() -> Option<&'static Self> {
        REGISTRY.get()
    }

    /// Notes that a request has come.
    pub fn count_call() {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }

    pub fn method(&self, name: &str) -> Option<Method> {
        self.methods.get(name).copied()
    }

    pub fn smallest_factors(&self) -> &[u32] {
        &self.smallest_factors
    }

    /// What the method `registry` answers.
    pub fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "methods": self.methods.keys().collect::<Vec<_>>(),
            "numbers": self.smallest_factors.len(),
            "initialized": INITIALIZED.load(Ordering::Relaxed),
            "calls_before_initialize": self.calls_before,
            "calls_of_this_instance": CALLS.load(Ordering::Relaxed),
        })
    }
}

fn sieve(limit: u32) -> Vec<u32> {
    let mut smallest: Vec<u32> = (0..limit).collect();
    let mut prime = 2;
    while prime * prime < limit {
        if smallest[prime as usize] == prime {
            for multiple in (prime * prime..limit).step_by(prime as usize) {
                let smallest = &mut smallest[multiple as usize];
                *smallest = prime.min(*smallest);
            }
        }
        prime += 1;
    }
    smallest
}
