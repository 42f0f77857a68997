//! How a slot is made clean for the next instance: `pagemap_scan` where that is safe.
//!
//! The scan resets just the pages that were touched, several times cheaper than `madvise`. But in
//! wasmtime 48 a touched page that was *swapped out* escapes it, and the next instance would read
//! it. So it is on only where nothing can be swapped, and swap that appears later turns it off.

use std::fmt;

use wasmtime::PoolingAllocationConfig;

use crate::config::ResetMode;
use crate::sandbox::room::Cgroup;
use crate::sandbox::swap::Swaps;

/// How slots are reset, and why so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotReset {
    /// Touched pages are found by the kernel and reset one by one.
    PagemapScan {
        /// Why it is safe.
        because: &'static str,
        /// Whether swap may yet appear, so that somebody must watch for it.
        watch: bool,
    },
    /// The start of a memory is overwritten, the rest given back to the kernel.
    Madvise {
        /// Why the scan is off.
        because: &'static str,
    },
}

impl fmt::Display for SlotReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PagemapScan { because, .. } => write!(f, "pagemap_scan: {because}"),
            Self::Madvise { because } => write!(f, "madvise: {because}"),
        }
    }
}

impl SlotReset {
    /// What is safe on this machine now, or what is safe everywhere if the operator wants that.
    pub(crate) fn choose(mode: ResetMode, swaps: &Swaps) -> Self {
        if mode == ResetMode::Madvise {
            return Self::Madvise { because: "slot-reset asks for it" };
        }
        if !PoolingAllocationConfig::is_pagemap_scan_available() {
            return Self::Madvise { because: "this kernel has no PAGEMAP_SCAN (Linux 6.7 or newer has)" };
        }
        match swaps.any() {
            Ok(false) => Self::PagemapScan { because: "/proc/swaps is empty (and watched)", watch: true },
            // Not watched: whoever may raise it may as well attach a debugger.
            _ if Cgroup::own().forbids_swap() => {
                Self::PagemapScan { because: "the cgroup's memory.swap.max is 0", watch: false }
            }
            Ok(true) => {
                Self::Madvise { because: "this machine has swap; set memory.swap.max (systemd: MemorySwapMax) to 0" }
            }
            Err(_) => Self::Madvise { because: "/proc/swaps cannot be read" },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn an_operator_can_choose_the_safe_way_and_only_that() {
        let swaps = Swaps::of_this_machine();
        let chosen = SlotReset::choose(ResetMode::Madvise, &swaps);
        assert!(matches!(chosen, SlotReset::Madvise { because } if because.contains("slot-reset")));
        assert!(ResetMode::from_str("pagemap-scan", false).is_err());
    }
}
