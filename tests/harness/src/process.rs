//! The end of a process, waited for without polling.

use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

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
