//! A secret left in memory, and a search for one that an earlier request left.

use std::hint::black_box;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// Spells `Secret! `. The search holds it in its code alone, which is not in memory.
const SECRET: u64 = u64::from_le_bytes(*b"Secret! ");

const MIB: u64 = 1024 * 1024;

static LEFT: AtomicU64 = AtomicU64::new(0);

/// Fills a static and `mib` MiB of new memory.
pub(crate) fn plant(mib: u64) -> Value {
    LEFT.store(SECRET, Ordering::Relaxed);
    let words = usize::try_from(mib * MIB / 8).unwrap_or(0);
    mem::forget(black_box(vec![SECRET; words]));
    json!({"planted": words})
}

/// Counts the words of the secret in memory, once it has grown by `mib` MiB.
#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "reads memory that belongs to nobody, which is the point")]
pub(crate) fn search(mib: u64) -> Value {
    use std::arch::wasm32::{memory_grow, memory_size};
    use std::ptr::{read_volatile, with_exposed_provenance};

    let grown = memory_grow(0, usize::try_from(mib * MIB / 65536).unwrap_or(0)) != usize::MAX;
    let end = memory_size(0) * 65536;
    // SAFETY: all addresses below the size of memory can be read, as any bytes.
    let is_secret = |at: &usize| unsafe { read_volatile(with_exposed_provenance::<u64>(*at)) } == SECRET;
    let found = (8..end).step_by(8).filter(is_secret).count();
    json!({"static": LEFT.load(Ordering::Relaxed) == SECRET, "found": found, "grown": grown})
}

/// There is nothing to search outside of a guest.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn search(_mib: u64) -> Value {
    json!({"static": LEFT.load(Ordering::Relaxed) == SECRET})
}
