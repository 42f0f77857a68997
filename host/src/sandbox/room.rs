//! How much there is of what instances take: address space and memory.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

/// Address space the pool may reserve in all. Of the 128 TiB that a process has, so much again is for the pool that
/// takes its place if swap appears, while the first still serves what it began.
const ADDRESS_SPACE_MAX: u64 = 48 << 40;

/// What may be had on this machine, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Address space to reserve.
    pub(crate) address_space: u64,
    /// Memory that is available: the least of the machine's and of the cgroup's, and of those above it.
    pub(crate) memory: u64,
}

impl Room {
    /// What there is now.
    pub(crate) fn of_this_machine() -> Self {
        let address_space = address_space(getrlimit(Resource::As).current);
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
        let group = Cgroup::own().memory();
        // Not told: then nothing is known against it.
        Self { address_space, memory: machine.unwrap_or(u64::MAX).min(group.unwrap_or(u64::MAX)) }
    }
}

/// What the pool may reserve under a limit on all of it: a third, since there may be two, and the last third is for
/// all else.
fn address_space(limit: Option<u64>) -> u64 {
    limit.map_or(u64::MAX, |limit| limit / 3).min(ADDRESS_SPACE_MAX)
}

/// `MemAvailable` of a text of /proc/meminfo, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// A control group (version 2).
#[derive(Debug)]
pub(crate) struct Cgroup {
    root: PathBuf,
    path: PathBuf,
}

impl Cgroup {
    /// That of this process. Where there are no groups it has no limits.
    pub(crate) fn own() -> Self {
        Self::of(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
    }

    /// The one that a text of /proc/self/cgroup names.
    fn of(root: &Path, own: &str) -> Self {
        let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
        Self { root: root.into(), path: root.join(path.trim_start_matches('/')) }
    }

    /// Whether it, or one above it, may not swap at all.
    pub(crate) fn forbids_swap(&self) -> bool {
        self.levels().any(|level| read(&level.join("memory.swap.max")).as_deref() == Some("0"))
    }

    /// What it, and all above it, may still take of memory; none if that is not limited.
    fn memory(&self) -> Option<u64> {
        let left = |level: &Path| {
            let max: u64 = read(&level.join("memory.max"))?.parse().ok()?;
            let current = read(&level.join("memory.current")).and_then(|text| text.parse().ok()).unwrap_or(0);
            Some(max.saturating_sub(current))
        };
        self.levels().filter_map(left).min()
    }

    fn levels(&self) -> impl Iterator<Item = &Path> {
        self.path.ancestors().take_while(|level| level.starts_with(&self.root))
    }
}

fn read(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hierarchy with a group two levels down.
    fn group() -> (tempfile::TempDir, Cgroup) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("system.slice/wasgi.service")).unwrap();
        let group = Cgroup::of(dir.path(), "12:memory:/x\n0::/system.slice/wasgi.service\n");
        (dir, group)
    }

    #[test]
    fn a_cgroup_that_may_not_swap_is_found_at_any_level() {
        let (dir, group) = group();
        assert!(!group.forbids_swap());
        fs::write(group.path.join("memory.swap.max"), "max\n").unwrap();
        assert!(!group.forbids_swap());
        fs::write(dir.path().join("system.slice/memory.swap.max"), "0\n").unwrap();
        assert!(group.forbids_swap());
    }

    #[test]
    fn the_tightest_of_the_groups_counts_by_what_is_left_of_it() {
        let (dir, group) = group();
        assert_eq!(group.memory(), None);
        fs::write(group.path.join("memory.max"), "max\n").unwrap();
        assert_eq!(group.memory(), None);
        fs::write(dir.path().join("system.slice/memory.max"), "1000\n").unwrap();
        fs::write(dir.path().join("system.slice/memory.current"), "400\n").unwrap();
        assert_eq!(group.memory(), Some(600));
        fs::write(group.path.join("memory.max"), "500\n").unwrap();
        assert_eq!(group.memory(), Some(500));
    }

    #[test]
    fn available_memory_is_read_in_kib() {
        assert_eq!(available("MemTotal:  100 kB\nMemAvailable:    12 kB\n"), Some(12 * 1024));
        assert_eq!(available("MemTotal:  100 kB\n"), None);
    }

    #[test]
    fn a_second_pool_fits_beside_the_first() {
        for (limit, all) in [(Some(30 << 30), 30 << 30), (None, 128 << 40), (Some(u64::MAX), 128 << 40)] {
            let pool = address_space(limit);
            assert!(pool * 2 < all - all / 5, "{limit:?}: {pool}");
        }
    }

    #[test]
    fn this_machine_has_some() {
        let room = Room::of_this_machine();
        assert!(room.address_space > 0 && room.memory > 0, "{room:?}");
    }
}
