//! From a signal to a quiet end: drain within the grace period; a second signal ends at once.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// SIGTERM, SIGINT and SIGHUP, caught from now on. SIGHUP is left alone if the host was started with it
/// ignored, as `nohup` does: it is then to outlive its terminal.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A terminal that was closed.
    hangup: Option<Signal>,
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
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hangup = (!ignores(&status, SignalKind::hangup())).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hangup })
    }

    /// The next of them.
    pub async fn next(&mut self) {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// Whether a process whose `/proc/PID/status` is this ignores a signal.
fn ignores(status: &str, signal: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // The lowest bit is signal 1.
    mask >> (signal.as_raw_value() - 1) & 1 == 1
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

    #[test]
    fn ignored_signals_are_read_off_the_mask() {
        let status = "Name:\twasgi\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(status, SignalKind::hangup()));
        assert!(!ignores(status, SignalKind::interrupt()));
        assert!(!ignores("", SignalKind::hangup()));
    }

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
