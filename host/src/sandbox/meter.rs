//! Two budgets per request: CPU time spent in the guest, and wall time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use rustix::time::{ClockId, clock_gettime};

use crate::client::Client;
use crate::limits::AppLimits;
use crate::sandbox::epoch::Ticker;

/// Why a guest was stopped by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overrun {
    /// `cpu-max` is spent.
    #[error("the guest has used up its CPU time (cpu-max)")]
    Cpu,
    /// `wall-max` has passed.
    #[error("the guest has used up its wall time (wall-max)")]
    Wall,
    /// The client left, and `abandon-max` was not enough to clean up.
    #[error("the client left, and the guest did not return within abandon-max")]
    Abandoned,
}

/// Spending of one request against its budgets.
#[derive(Debug)]
pub(crate) struct Meter {
    client: Arc<Client>,
    cpu_max: Duration,
    deadline: Instant,
    abandon_max: Duration,
    /// Nanoseconds of CPU time spent in polls that have ended.
    spent: AtomicU64,
    /// The polling thread's CPU clock when the poll under way began.
    poll_began: AtomicU64,
}

impl Meter {
    /// Starts the wall clock of a request.
    pub(crate) fn start(limits: &AppLimits, client: Arc<Client>) -> Self {
        Self {
            client,
            cpu_max: limits.cpu_max.into(),
            deadline: Instant::now() + Duration::from(limits.wall_max),
            abandon_max: limits.abandon_max.into(),
            spent: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
        }
    }

    /// Checks all budgets. Called from inside a poll, at each epoch tick.
    ///
    /// # Errors
    /// The first budget that is overrun.
    pub(crate) fn check(&self) -> Result<(), Overrun> {
        let now = Instant::now();
        let in_poll = thread_cpu_time().saturating_sub(self.poll_began.load(Ordering::Relaxed));
        if Duration::from_nanos(self.spent.load(Ordering::Relaxed) + in_poll) >= self.cpu_max {
            return Err(Overrun::Cpu);
        }
        if now >= self.deadline {
            return Err(Overrun::Wall);
        }
        match self.client.left_at() {
            Some(left) if now >= left + self.abandon_max => Err(Overrun::Abandoned),
            _ => Ok(()),
        }
    }

    /// Drives `guest` within the budgets. The epoch callback stops a guest that computes; this stops
    /// one that waits, whose future is then dropped.
    ///
    /// # Errors
    /// [`Overrun`] when the guest was stopped while it waited.
    pub(crate) async fn supervise<F: Future>(
        self: &Arc<Self>,
        ticker: &Ticker,
        guest: F,
    ) -> Result<F::Output, Overrun> {
        let mut guest = std::pin::pin!(Metered { guest, meter: self, ticker });
        tokio::select! {
            biased;
            output = &mut guest => Ok(output),
            () = tokio::time::sleep_until(self.deadline.into()) => Err(Overrun::Wall),
            () = self.client.left() => {
                let left = self.client.left_at().unwrap_or_else(Instant::now);
                let until = (left + self.abandon_max).min(self.deadline);
                tokio::time::timeout_at(until.into(), guest).await.map_err(|_elapsed| Overrun::Abandoned)
            }
        }
    }
}

pin_project! {
    /// Charges each poll of a guest to its meter, and keeps the ticker awake for as long.
    struct Metered<'a, F> {
        #[pin]
        guest: F,
        meter: &'a Meter,
        ticker: &'a Ticker,
    }
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _running = this.ticker.enter();
        let began = thread_cpu_time();
        this.meter.poll_began.store(began, Ordering::Relaxed);
        let polled = this.guest.poll(context);
        this.meter.spent.fetch_add(thread_cpu_time().saturating_sub(began), Ordering::Relaxed);
        polled
    }
}

/// Nanoseconds of CPU time that the calling thread has used.
fn thread_cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // A thread's CPU clock is never negative.
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
