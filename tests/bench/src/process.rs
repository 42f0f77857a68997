//! Processes that end with whoever started them, and what they use.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Add;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::failure::{Explain as _, Result};

/// A process that is killed with all its descendants when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

/// Memory of a process and its descendants, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Pages in memory; those that processes share count for each of them.
    pub(crate) rss: u64,
    /// The same, where a shared page is divided among those that share it.
    pub(crate) pss: u64,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn().explain(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Memory of the whole tree.
    pub(crate) fn memory(&self) -> Memory {
        let rollups =
            self.tree().into_iter().filter_map(|id| fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok());
        rollups.map(|text| memory(&text)).fold(Memory::default(), Add::add)
    }

    /// CPU time of the whole tree so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stats = self.tree().into_iter().filter_map(|id| fs::read_to_string(format!("/proc/{id}/stat")).ok());
        Duration::from_secs_f64(stats.map(|stat| ticks(&stat)).sum::<f64>() / TICKS_PER_SECOND)
    }

    /// It and all that come from it. A process that starts meanwhile may be missed.
    fn tree(&self) -> BTreeSet<u32> {
        let mut tree = BTreeSet::new();
        let mut new = vec![self.0.id()];
        while let Some(id) = new.pop() {
            if tree.insert(id) {
                new.extend(children(id));
            }
        }
        tree
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for id in self.tree() {
            // Not a process group of its own: Ctrl-C is to reach all of them, and us.
            if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                let _ = kill_process(id, Signal::KILL);
            }
        }
        let _ = self.0.wait();
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rss: self.rss + other.rss, pss: self.pss + other.pss }
    }
}

/// USER_HZ, which Linux has fixed for all that reads /proc.
const TICKS_PER_SECOND: f64 = 100.0;

fn children(parent: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// From the text of smaps_rollup.
fn memory(rollup: &str) -> Memory {
    let kib = |key: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Memory { rss: kib("Rss:") * 1024, pss: kib("Pss:") * 1024 }
}

/// User and system time, from the text of stat.
fn ticks(stat: &str) -> f64 {
    // The name, which may have spaces, is in parentheses; behind it the third field is the first.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let text = "55-7f ---p 00000000 00:00 0 [rollup]\nRss:    2048 kB\nPss:       10 kB\nPss_Dirty:  4 kB\n";
        assert_eq!(memory(text), Memory { rss: 2 << 20, pss: 10 << 10 });
    }

    #[test]
    fn cpu_time_is_user_and_system_time() {
        let stat = "77 (a) b) S 1 77 77 0 -1 4194560 1000 0 0 0 12 30 5 6 20 0 1 0 1000 1 1";
        assert_eq!(ticks(stat), 42.0);
    }

    #[test]
    fn a_process_that_was_started_uses_memory_and_ends_when_dropped() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; true"]).stdin(std::process::Stdio::piped());
        let running = Running::start(&mut command).unwrap();
        let id = running.0.id();
        assert!(running.memory().rss > 0);
        drop(running);
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    }
}
