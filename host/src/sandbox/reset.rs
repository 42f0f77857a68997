//! How a slot is made clean for the next instance: `pagemap_scan` where that is safe.
//!
//! The scan resets just the pages that were touched, several times cheaper than `madvise`. But in
//! wasmtime 48 a touched page that was *swapped out* escapes it, and the next instance would read
//! it. So it is on only where nothing can be swapped, and swap that appears later turns it off.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use wasmtime::PoolingAllocationConfig;

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

/// Lists the swap areas in use: a heading line, then a line for each.
pub(crate) const SWAPS: &str = "/proc/swaps";

impl SlotReset {
    /// What is safe on this machine now.
    pub(crate) fn choose() -> Self {
        if !PoolingAllocationConfig::is_pagemap_scan_available() {
            return Self::Madvise { because: "this kernel has no PAGEMAP_SCAN (Linux 6.7 or newer has)" };
        }
        match fs::read_to_string(SWAPS) {
            Ok(swaps) if !any_swap(&swaps) => {
                Self::PagemapScan { because: "/proc/swaps is empty (and watched)", watch: true }
            }
            // Not watched: whoever may raise it may as well attach a debugger.
            _ if cgroup_forbids_swap(Path::new("/sys/fs/cgroup"), Path::new("/proc/self/cgroup")) => {
                Self::PagemapScan { because: "the cgroup's memory.swap.max is 0", watch: false }
            }
            Ok(_) => {
                Self::Madvise { because: "this machine has swap; set memory.swap.max (systemd: MemorySwapMax) to 0" }
            }
            Err(_) => Self::Madvise { because: "/proc/swaps cannot be read" },
        }
    }
}

/// Whether a text of /proc/swaps lists an area.
pub(crate) fn any_swap(swaps: &str) -> bool {
    swaps.lines().skip(1).any(|line| !line.trim().is_empty())
}

/// Whether this process's cgroup (version 2), or one above it, may not swap at all.
fn cgroup_forbids_swap(root: &Path, own: &Path) -> bool {
    let Ok(own) = fs::read_to_string(own) else { return false };
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::")) else { return false };
    let group = root.join(path.trim_start_matches('/'));
    let limit =
        |group: &Path| -> Option<String> { fs::read_to_string(PathBuf::from(group).join("memory.swap.max")).ok() };
    group.ancestors().take_while(|group| group.starts_with(root)).filter_map(limit).any(|limit| limit.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn a_heading_alone_is_no_swap() {
        assert!(!any_swap(HEADING));
        assert!(!any_swap(""));
        assert!(any_swap(&format!("{HEADING}/dev/sda2 partition 1048572 0 -2\n")));
    }

    #[test]
    fn a_cgroup_that_may_not_swap_is_found_at_any_level() {
        let dir = tempfile::tempdir().unwrap();
        let leaf = dir.path().join("system.slice/wasgi.service");
        fs::create_dir_all(&leaf).unwrap();
        let own = dir.path().join("own");
        fs::write(&own, "12:memory:/x\n0::/system.slice/wasgi.service\n").unwrap();
        assert!(!cgroup_forbids_swap(dir.path(), &own));
        fs::write(leaf.join("memory.swap.max"), "max\n").unwrap();
        assert!(!cgroup_forbids_swap(dir.path(), &own));
        fs::write(dir.path().join("system.slice/memory.swap.max"), "0\n").unwrap();
        assert!(cgroup_forbids_swap(dir.path(), &own));
    }
}
