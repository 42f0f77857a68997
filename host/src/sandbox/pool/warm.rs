//! Warm instances: made off the path of requests, before anybody asks for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::config::Warm;
use crate::sandbox::pool::{Generation, Pool};

/// How long to wait after the first failure, and while there is no slot to spare.
const RETRY: Duration = Duration::from_millis(100);

/// How long to wait at most between two failures: each of them is in the log.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// How many instances should rest: as few as were needed, between the app's `warm.min` and `warm.max`.
#[derive(Debug)]
pub(super) struct Demand {
    warm: Warm,
    target: AtomicU32,
    changed: Notify,
}

impl Demand {
    pub(super) fn new(warm: Warm) -> Self {
        Self { warm, target: AtomicU32::new(warm.min), changed: Notify::new() }
    }

    /// How many rest on although nobody needs them.
    pub(super) fn min(&self) -> usize {
        self.warm.min as usize
    }

    /// How many rest at most for want of requests.
    pub(super) fn max(&self) -> u32 {
        self.warm.max
    }

    /// A request began, with an instance that rested or for want of one without.
    pub(super) fn taken(&self, rested: bool) {
        if self.warm.max == 0 {
            return;
        }
        if !rested {
            let more = |target: u32| (target < self.warm.max).then_some(target + 1);
            // Refused when it is the most already.
            let _ = self.target.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
        self.changed();
    }

    /// Some rested for so long that they were dropped, and `left` are what was needed.
    pub(super) fn surplus(&self, left: usize) {
        let left = u32::try_from(left).unwrap_or(u32::MAX).clamp(self.warm.min, self.warm.max);
        self.target.fetch_min(left, Ordering::Relaxed);
        // What was dropped for its age is made anew.
        self.changed();
    }

    /// Has the filler look again.
    pub(super) fn changed(&self) {
        if self.warm.max > 0 {
            self.changed.notify_one();
        }
    }

    fn is_short(&self, resting: usize) -> bool {
        resting < self.target.load(Ordering::Relaxed) as usize
    }
}

/// Keeps a pool's warm instances made, one at a time, until dropped. `make` makes one in the slot, and
/// logs what makes it fail.
pub(crate) async fn fill<I, F>(pool: Arc<Pool<I>>, make: impl Fn(OwnedSemaphorePermit) -> F)
where
    I: Send + std::fmt::Debug + 'static,
    F: Future<Output = Option<I>>,
{
    let mut retry = RETRY;
    loop {
        if !pool.demand.is_short(pool.rest().len()) {
            pool.demand.changed.notified().await;
            continue;
        }
        let Some(slot) = pool.slots.try_spare() else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        // Before the code is looked at: what is made of replaced code does not come to rest.
        let generation: Generation = pool.generation();
        match make(slot).await {
            Some(instance) => {
                retry = RETRY;
                pool.put_to_rest(instance, generation, None);
                tracing::debug!(resting = pool.rest().len(), "warm instance made");
            }
            None => {
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
        // A wait that a stream of wake-ups never lets happen would keep its neighbours from running.
        tokio::task::yield_now().await;
    }
}
