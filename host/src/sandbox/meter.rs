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
use crate::sandbox::epoch::{TICK, Ticker};

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
    /// Nanoseconds of CPU time spent before the stretch under way.
    spent: AtomicU64,
    /// When the poll under way began, in nanoseconds since `started`.
    poll_began: AtomicU64,
    started: Instant,
    /// The polling thread's CPU clock at the last tick of the poll under way; 0 before its first.
    ticked: AtomicU64,
}

/// Most that a stretch without a tick is charged. Such stretches are timed by the wall clock, since
/// reading a thread's CPU clock is a system call and most requests end before their first tick; a
/// thread that is preempted meanwhile must not cost its guest more than this.
const UNTICKED_MAX: Duration = TICK;

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
            started: Instant::now(),
            ticked: AtomicU64::new(0),
        }
    }

    /// Checks all budgets. Called from inside a poll, at each epoch tick.
    ///
    /// # Errors
    /// The first budget that is overrun.
    pub(crate) fn check(&self) -> Result<(), Overrun> {
        let now = Instant::now();
        if self.tick(thread_cpu_time()) >= self.cpu_max {
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

    /// Starts the clock of a poll.
    fn begin_poll(&self) {
        self.poll_began.store(nanos(self.started.elapsed()), Ordering::Relaxed);
    }

    /// What a poll is charged for its time before its first tick.
    fn unticked(&self) -> u64 {
        let elapsed = nanos(self.started.elapsed()).saturating_sub(self.poll_began.load(Ordering::Relaxed));
        elapsed.min(nanos(UNTICKED_MAX))
    }

    /// Charges the CPU time since the last tick; the sum so far.
    fn tick(&self, cpu_time: u64) -> Duration {
        let stretch = match self.ticked.swap(cpu_time, Ordering::Relaxed) {
            0 => self.unticked(),
            before => cpu_time.saturating_sub(before),
        };
        Duration::from_nanos(self.spent.fetch_add(stretch, Ordering::Relaxed) + stretch)
    }

    /// Charges what the poll under way has used since its last tick.
    fn end_poll(&self) {
        let stretch = match self.ticked.swap(0, Ordering::Relaxed) {
            0 => self.unticked(),
            before => thread_cpu_time().saturating_sub(before),
        };
        self.spent.fetch_add(stretch, Ordering::Relaxed);
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
        this.meter.begin_poll();
        let polled = this.guest.poll(context);
        this.meter.end_poll();
        polled
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds of CPU time that the calling thread has used.
fn thread_cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // A thread's CPU clock is never negative.
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    fn meter(cpu_max: &str) -> Meter {
        let limits = AppLimits { cpu_max: cpu_max.parse().unwrap(), ..AppLimits::default() };
        Meter::start(&limits, Arc::default())
    }

    #[test]
    fn stretches_between_ticks_are_charged_by_the_thread_s_clock() {
        let meter = meter("5s");
        meter.begin_poll();
        let first = meter.tick(100 * MILLISECOND);
        assert!(first <= UNTICKED_MAX, "{first:?}");
        meter.tick(103 * MILLISECOND);
        assert_eq!(meter.tick(103 * MILLISECOND), first + Duration::from_millis(3));
    }

    #[test]
    fn each_poll_starts_a_clock_of_its_own() {
        let meter = meter("5s");
        meter.begin_poll();
        meter.tick(thread_cpu_time());
        meter.end_poll();
        let before = Duration::from_nanos(meter.spent.load(Ordering::Relaxed));
        meter.begin_poll();
        // On another thread, whose clock has run far longer.
        assert!(meter.tick(900_000 * MILLISECOND) <= before + UNTICKED_MAX);
    }

    #[test]
    fn a_poll_that_was_preempted_before_its_first_tick_costs_a_tick() {
        let mut meter = meter("5s");
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
        meter.started = long_ago;
        meter.end_poll();
        assert_eq!(meter.spent.load(Ordering::Relaxed), nanos(UNTICKED_MAX));
    }

    #[test]
    fn the_budget_is_spent_at_its_last_nanosecond() {
        let meter = meter("1ms");
        meter.begin_poll();
        meter.tick(100 * MILLISECOND);
        let left = MILLISECOND - meter.spent.load(Ordering::Relaxed);
        assert_eq!(meter.tick(100 * MILLISECOND + left), Duration::from_millis(1));
        assert_eq!(meter.check(), Err(Overrun::Cpu));
    }
}
