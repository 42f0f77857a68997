//! How fast a pool serves, to tell those who find it full when to come back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Least time over which requests are counted, and least answer.
const SECOND: Duration = Duration::from_secs(1);

/// A count over longer than this says nothing of now: nobody was refused in between.
const WINDOW_MAX: Duration = Duration::from_secs(10);

/// Counts what is served; looks at the count only when somebody is refused.
#[derive(Debug, Default)]
pub(super) struct Rate {
    served: AtomicU64,
    window: Mutex<Option<Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    /// The count at that time.
    served: u64,
    /// What the window before has shown.
    per_second: Option<f64>,
}

impl Rate {
    pub(super) fn served_one(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// How long `ahead` requests will take, in whole seconds from one to `most`.
    pub(super) fn time_for(&self, ahead: u32, now: Instant, most: Duration) -> Duration {
        let seconds = match self.per_second(now) {
            // Nothing comes free: by `most` all who wait have been refused.
            Some(rate) if rate <= 0.0 => f64::INFINITY,
            Some(rate) => (f64::from(ahead) / rate).ceil(),
            None => 0.0,
        };
        let most = Duration::from_secs(most.as_secs()).max(SECOND);
        Duration::try_from_secs_f64(seconds).unwrap_or(most).clamp(SECOND, most)
    }

    /// Requests served per second of late; none if that is not known yet.
    fn per_second(&self, now: Instant) -> Option<f64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // Within the lock, so that nobody notes a later count before this one is looked at.
        let served = self.served.load(Ordering::Relaxed);
        let elapsed = window.map(|window| now.saturating_duration_since(window.since));
        match (*window, elapsed) {
            (Some(current), Some(elapsed)) if elapsed < SECOND => current.per_second,
            (Some(current), Some(elapsed)) if elapsed <= WINDOW_MAX => {
                #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 requests in ten seconds")]
                let rate = (served - current.served) as f64 / elapsed.as_secs_f64();
                *window = Some(Window { since: now, served, per_second: Some(rate) });
                Some(rate)
            }
            _ => {
                *window = Some(Window { since: now, served, per_second: None });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    /// A rate that has been watched for two seconds, in which so many were served.
    fn rate(served: u32) -> (Rate, Instant) {
        let (rate, start) = (Rate::default(), Instant::now());
        rate.time_for(1, start, MOST);
        (0..served).for_each(|_| rate.served_one());
        (rate, start + SECOND * 2)
    }

    #[test]
    fn who_is_refused_comes_back_when_those_ahead_are_served() {
        let (rate, now) = rate(200);
        assert_eq!(rate.time_for(256, now, MOST), SECOND * 3);
        assert_eq!(rate.time_for(300, now + SECOND / 2, MOST), SECOND * 3, "by the same count");
        assert_eq!(rate.time_for(0, now + SECOND / 2, MOST), SECOND);
    }

    #[test]
    fn a_pool_that_serves_nobody_asks_for_the_most() {
        let (rate, now) = rate(0);
        assert_eq!(rate.time_for(1, now, MOST), MOST);
        assert_eq!(rate.time_for(1, now, Duration::from_millis(300)), SECOND, "never less than a second");
    }

    #[test]
    fn an_old_count_tells_nothing() {
        let (rate, now) = rate(1);
        assert_eq!(rate.time_for(100, now + WINDOW_MAX, MOST), SECOND);
        assert_eq!(Rate::default().time_for(100, now, MOST), SECOND);
    }
}
