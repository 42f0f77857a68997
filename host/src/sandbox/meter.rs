//! Two budgets per request: CPU time spent in the guest, and wall time.
//!
//! Wall time goes by tokio's clock, as the timers do that end a guest which waits: where a test pauses it, both stand
//! still. CPU time is a thread's, and what stands in for it between ticks is `std`'s clock, which nobody can pause.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant as WallInstant;

use crate::client::Client;
use crate::limits::AppLimits;
use crate::sandbox::epoch::{TICK, Ticker};
use crate::sandbox::gate::{InTurns, Seat};

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

/// What a running guest is to do at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtTick {
    /// It has just begun: run on until the next one.
    RunOn,
    /// Its slice is over.
    Pause,
}

/// Spending of one request against its budgets.
#[derive(Debug)]
pub struct Meter {
    client: Arc<Client>,
    cpu_max: Duration,
    deadline: WallInstant,
    abandon_max: Duration,
    /// Nanoseconds of CPU time spent before the stretch under way.
    spent: AtomicU64,
    /// When the stretch under way began, in nanoseconds since `started`; [`NOT_POLLED`] between polls.
    began: AtomicU64,
    started: Instant,
    /// The polling thread's CPU clock at the last tick of the poll under way; 0 before its first.
    ticked: AtomicU64,
    /// Whether the poll under way has outlasted a tick.
    ran_on: AtomicBool,
    is_paused: AtomicBool,
    /// Whom the guest's own machinery expects to be woken by when the pause is over.
    paused: Mutex<Option<Waker>>,
}

const NOT_POLLED: u64 = u64::MAX;

/// Most that a stretch without a tick is charged. Such stretches are timed by the wall clock, since
/// reading a thread's CPU clock is a system call and most requests end before their first tick; a
/// thread that is preempted meanwhile must not cost its guest more than this.
const UNTICKED_MAX: Duration = TICK;

/// A poll that began so shortly before a tick runs on until the next one. So a slice is a tick long on
/// average, and a guest that was made to wait does not come back only to wait again.
const RUN_ON: Duration = Duration::from_micros(500);

impl Meter {
    /// Starts the wall clock of a request.
    pub(crate) fn start(limits: &AppLimits, client: Arc<Client>) -> Self {
        let started = Instant::now();
        Self {
            client,
            cpu_max: limits.cpu_max.into(),
            deadline: WallInstant::now() + Duration::from(limits.wall_max),
            abandon_max: limits.abandon_max.into(),
            spent: AtomicU64::new(0),
            began: AtomicU64::new(NOT_POLLED),
            started,
            ticked: AtomicU64::new(0),
            ran_on: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            paused: Mutex::new(None),
        }
    }

    /// Checks all budgets, and whether the slice is over. Called from inside a poll, at each epoch tick.
    ///
    /// # Errors
    /// The first budget that is overrun.
    pub(crate) fn check(&self) -> Result<AtTick, Overrun> {
        let now = Instant::now();
        let may_run_on = !self.ran_on.load(Ordering::Relaxed);
        let elapsed = self.stretch(now);
        if self.tick(thread_cpu_time(), now) >= self.cpu_max {
            return Err(Overrun::Cpu);
        }
        let wall = WallInstant::now();
        if wall >= self.deadline {
            return Err(Overrun::Wall);
        }
        match self.client.left_at() {
            Some(left) if wall >= left + self.abandon_max => Err(Overrun::Abandoned),
            _ if may_run_on && elapsed < nanos(RUN_ON) => {
                self.ran_on.store(true, Ordering::Relaxed);
                Ok(AtTick::RunOn)
            }
            _ => Ok(AtTick::Pause),
        }
    }

    /// CPU time of the request so far. May lack some of a poll that is under way on another thread.
    pub fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.spent() + self.stretch(Instant::now()).min(nanos(UNTICKED_MAX)))
    }

    /// Nanoseconds of CPU time, without those of the stretch under way.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Has the poll that begins be timed by the thread's CPU clock from its start.
    pub(crate) fn begin_turn(&self) {
        self.ticked.store(thread_cpu_time(), Ordering::Relaxed);
    }

    /// Starts the clock of a poll, which `waker` is for; returns what was spent before.
    pub(crate) fn begin_poll(&self, now: Instant, waker: &Waker) -> u64 {
        self.ran_on.store(false, Ordering::Relaxed);
        self.began.store(nanos(now.saturating_duration_since(self.started)), Ordering::Relaxed);
        if self.is_paused() {
            self.is_paused.store(false, Ordering::Relaxed);
            let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner).take();
            // The guest is about to be polled through `waker`: only another one needs to be told.
            if let Some(paused) = paused.filter(|paused| !paused.will_wake(waker)) {
                paused.wake();
            }
        }
        self.spent()
    }

    /// Charges what the poll under way has used since its last tick; returns what was spent in all.
    pub(crate) fn end_poll(&self) -> u64 {
        let stretch = match self.ticked.load(Ordering::Relaxed) {
            0 => self.unticked(Instant::now()),
            before => {
                self.ticked.store(0, Ordering::Relaxed);
                thread_cpu_time().saturating_sub(before)
            }
        };
        self.began.store(NOT_POLLED, Ordering::Relaxed);
        self.spend(stretch)
    }

    /// Adds to what was spent; the sum. Not in one step, which would cost more: only a poll does this,
    /// and there is one at a time.
    fn spend(&self, stretch: u64) -> u64 {
        let spent = self.spent() + stretch;
        self.spent.store(spent, Ordering::Relaxed);
        spent
    }

    /// Whether the guest stopped because its slice is over. It will not wake its task: whoever polls it
    /// has to.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// Ends a slice: resolves when the guest is polled again.
    pub(crate) fn pause(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let meter = Arc::clone(self);
        let mut is_over = false;
        poll_fn(move |context| {
            if is_over {
                return Poll::Ready(());
            }
            is_over = true;
            *meter.paused.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
            meter.is_paused.store(true, Ordering::Relaxed);
            Poll::Pending
        })
    }

    /// Nanoseconds since the stretch under way began; 0 between polls.
    fn stretch(&self, now: Instant) -> u64 {
        let now = nanos(now.saturating_duration_since(self.started));
        now.saturating_sub(self.began.load(Ordering::Relaxed))
    }

    /// What a poll is charged for its time before its first tick.
    fn unticked(&self, now: Instant) -> u64 {
        self.stretch(now).min(nanos(UNTICKED_MAX))
    }

    /// Charges the CPU time since the last tick; the sum so far.
    fn tick(&self, cpu_time: u64, now: Instant) -> Duration {
        let stretch = match self.ticked.load(Ordering::Relaxed) {
            0 => self.unticked(now),
            before => cpu_time.saturating_sub(before),
        };
        self.ticked.store(cpu_time, Ordering::Relaxed);
        self.began.store(nanos(now.saturating_duration_since(self.started)), Ordering::Relaxed);
        Duration::from_nanos(self.spend(stretch))
    }

    /// Drives `guest` within the budgets, in turns with those of other tenants. The epoch callback stops
    /// a guest that computes; this stops one that waits, whose future is then dropped.
    ///
    /// # Errors
    /// [`Overrun`] when the guest was stopped while it waited.
    pub(crate) async fn supervise<F: Future>(
        &self,
        seat: &Seat,
        ticker: &Ticker,
        guest: F,
    ) -> Result<F::Output, Overrun> {
        let mut guest = std::pin::pin!(InTurns::new(guest, self, ticker, seat));
        tokio::select! {
            biased;
            output = &mut guest => Ok(output),
            () = tokio::time::sleep_until(self.deadline) => Err(Overrun::Wall),
            () = self.client.left() => {
                let left = self.client.left_at().unwrap_or_else(WallInstant::now);
                let until = (left + self.abandon_max).min(self.deadline);
                tokio::time::timeout_at(until, guest).await.map_err(|_elapsed| Overrun::Abandoned)
            }
        }
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

    fn begin(meter: &Meter) {
        meter.begin_poll(Instant::now(), Waker::noop());
    }

    #[test]
    fn stretches_between_ticks_are_charged_by_the_thread_s_clock() {
        let meter = meter("5s");
        begin(&meter);
        let first = meter.tick(100 * MILLISECOND, Instant::now());
        assert!(first <= UNTICKED_MAX, "{first:?}");
        meter.tick(103 * MILLISECOND, Instant::now());
        assert_eq!(meter.tick(103 * MILLISECOND, Instant::now()), first + Duration::from_millis(3));
    }

    #[test]
    fn each_poll_starts_a_clock_of_its_own() {
        let meter = meter("5s");
        begin(&meter);
        meter.tick(thread_cpu_time(), Instant::now());
        let before = Duration::from_nanos(meter.end_poll());
        begin(&meter);
        // On another thread, whose clock has run far longer.
        assert!(meter.tick(900_000 * MILLISECOND, Instant::now()) <= before + UNTICKED_MAX);
    }

    #[test]
    fn a_poll_that_was_preempted_before_its_first_tick_costs_a_tick() {
        let mut meter = meter("5s");
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
        meter.started = long_ago;
        meter.begin_poll(long_ago, Waker::noop());
        assert_eq!(meter.cpu_time(), UNTICKED_MAX, "as seen from outside");
        assert_eq!(meter.end_poll(), nanos(UNTICKED_MAX));
    }

    #[test]
    fn nothing_is_charged_between_polls() {
        let mut meter = meter("5s");
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
        meter.started = long_ago;
        assert_eq!(meter.cpu_time(), Duration::ZERO);
        begin(&meter);
        let spent = Duration::from_nanos(meter.end_poll());
        assert_eq!(meter.cpu_time(), spent);
    }

    #[test]
    fn the_budget_is_spent_at_its_last_nanosecond() {
        let meter = meter("1ms");
        begin(&meter);
        meter.tick(100 * MILLISECOND, Instant::now());
        let left = MILLISECOND - meter.spent();
        assert_eq!(meter.tick(100 * MILLISECOND + left, Instant::now()), Duration::from_millis(1));
        assert_eq!(meter.check(), Err(Overrun::Cpu));
    }

    #[tokio::test(start_paused = true)]
    async fn wall_time_stands_still_where_it_is_paused() {
        let (limits, client) = (AppLimits::default(), Arc::new(Client::default()));
        let meter = Meter::start(&limits, Arc::clone(&client));
        meter.check().unwrap();
        client.leave();
        tokio::time::advance(limits.abandon_max.into()).await;
        assert_eq!(meter.check(), Err(Overrun::Abandoned));
        tokio::time::advance(limits.wall_max.into()).await;
        assert_eq!(meter.check(), Err(Overrun::Wall));
    }

    #[test]
    fn a_slice_that_has_just_begun_outlasts_one_tick() {
        let meter = meter("5s");
        // This thread may be made to wait, so it begins in the future.
        meter.begin_poll(Instant::now() + Duration::from_secs(9), Waker::noop());
        assert_eq!(meter.check(), Ok(AtTick::RunOn));
        assert_eq!(meter.check(), Ok(AtTick::Pause));
    }
}
