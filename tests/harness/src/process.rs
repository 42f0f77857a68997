//! Processes: their end, waited for without polling, and what they leave behind.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::PATIENCE;

/// Waits until `child` has exited; none if it is still there after `patience`.
pub(crate) fn wait_for_exit(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let handle = pidfd_open(pid(child), PidfdFlags::empty()).expect("a child that is not reaped can be opened");
    let timeout = Timespec::try_from(patience).expect("some seconds fit");
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)));
    let ready = ready.expect("polling a process");
    (ready > 0).then(|| child.wait().expect("a child can be reaped"))
}

/// Sends `signal` to `child`, which must not be reaped yet.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(pid(child), signal).expect("a child can be signalled");
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Whether the process has ended, be it that nobody has reaped it yet.
pub fn is_gone(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state stands behind the name, which is in parentheses.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// The processes that `parent` has started and not yet reaped.
pub fn children(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// What `look` finds, looking again and again. For what gives no event of its own, such as the end of a grandchild.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was waited for.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}
