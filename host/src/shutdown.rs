//! From a signal to a quiet end: drain within the grace period; a second signal ends at once.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// SIGTERM, SIGINT and SIGHUP, caught from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A terminal that was closed.
    hangup: Signal,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything accepted was finished.
    Whole,
    /// The grace period was over first; so many tasks were given up.
    GraceOver(usize),
    /// A second signal came.
    Hurried,
}

impl Signals {
    /// Catches them. Call before the host says that it is ready.
    ///
    /// # Errors
    /// When the operating system does not let them be caught.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Waits until `tracker` is empty, for at most `grace`, or until `hurry` resolves.
pub async fn drain(
    stop: &CancellationToken,
    tracker: &TaskTracker,
    grace: Duration,
    hurry: impl Future<Output = ()>,
) -> Drained {
    stop.cancel();
    tracker.close();
    tokio::select! {
        () = tracker.wait() => Drained::Whole,
        () = tokio::time::sleep(grace) => Drained::GraceOver(tracker.len()),
        () = hurry => Drained::Hurried,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn busy(tracker: &TaskTracker, stop: &CancellationToken, finish: Duration) {
        let stop = stop.clone();
        tracker.spawn(async move {
            stop.cancelled().await;
            tokio::time::sleep(finish).await;
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_what_runs_but_not_longer_than_its_grace() {
        let grace = Duration::from_secs(30);
        for (finish, expected) in [(29, Drained::Whole), (31, Drained::GraceOver(1))] {
            let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
            busy(&tracker, &stop, Duration::from_secs(finish));
            assert_eq!(drain(&stop, &tracker, grace, pending()).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_the_wait() {
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        busy(&tracker, &stop, Duration::from_secs(9));
        assert_eq!(drain(&stop, &tracker, Duration::from_secs(30), async {}).await, Drained::Hurried);
    }
}
