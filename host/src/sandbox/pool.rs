//! Admission and instances of one app: permits, a bounded queue, and instances kept for reuse.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::AppLimits;
use crate::sandbox::instance::Instance;

/// Why a request got no place in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// `queue-max` requests are waiting already.
    #[error("the app's queue is full (queue-max)")]
    Full,
    /// No place came free within `queue-wait-max`.
    #[error("no instance came free within queue-wait-max")]
    TimedOut,
}

/// The places of one app.
#[derive(Debug)]
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
    waiting: AtomicU32,
    queue_max: u32,
    queue_wait_max: Duration,
    /// Instances at rest between two requests, the last used last: its pages are the warmest.
    idle: Mutex<Vec<Instance>>,
    slots: Arc<Slots>,
}

/// The slots of all apps together: what the pooling allocator has reserved.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    /// Who may hold idle instances, to be asked for one when slots run short.
    pools: Mutex<Vec<Weak<Pool>>>,
    /// Requests that wait for a slot; while there are any, no instance rests.
    wanted: AtomicU32,
}

/// Proof that a request holds a place in a pool. Must outlive its instance.
#[derive(Debug)]
pub struct Lease {
    start: Start,
    place: Place,
}

/// The permit of a lease. Held until the guest is gone, never given up earlier.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

/// What a request starts with: an instance that rested, or room for a new one.
#[derive(Debug)]
pub(crate) enum Start {
    /// An instance that served before.
    Reuse(Instance),
    /// A slot to instantiate into.
    Fresh(OwnedSemaphorePermit),
}

impl Slots {
    /// All slots that the engine has.
    pub(crate) fn new(count: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(count as usize)), pools: Mutex::default(), wanted: AtomicU32::new(0) }
    }

    /// A free slot; if there is none, one that rests with some pool, else the next that comes free.
    async fn acquire(&self) -> Result<OwnedSemaphorePermit, PoolError> {
        // Told before looking: an instance that goes to rest after the look sees it and does not rest.
        self.wanted.fetch_add(1, Ordering::SeqCst);
        let _wanted = Waiting(&self.wanted);
        self.retire_one();
        // The semaphore lives as long as `self` and is never closed.
        Arc::clone(&self.free).acquire_owned().await.map_err(|_closed| PoolError::TimedOut)
    }

    /// Whether some request waits for a slot.
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) > 0
    }

    /// Frees the slot of one instance at rest, if there is any.
    fn retire_one(&self) {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let retired = pools.iter().filter_map(Weak::upgrade).find_map(|pool| pool.idle().pop());
        drop(pools);
        drop(retired);
    }
}

impl Pool {
    /// The pool of an app with these limits, drawing on the host's slots.
    pub(crate) fn new(limits: &AppLimits, slots: Arc<Slots>) -> Arc<Self> {
        let pool = Arc::new(Self {
            permits: Arc::new(Semaphore::new(limits.concurrency_max as usize)),
            waiting: AtomicU32::new(0),
            queue_max: limits.queue_max,
            queue_wait_max: limits.queue_wait_max.into(),
            idle: Mutex::default(),
            slots,
        });
        let mut pools = pool.slots.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&pool));
        drop(pools);
        pool
    }

    /// Whether a request could be taken or queued now. Asked before a body is read, so that a client
    /// learns of a full queue before it has sent its upload.
    ///
    /// # Errors
    /// [`PoolError::Full`].
    pub(crate) fn admits(&self) -> Result<(), PoolError> {
        if self.permits.available_permits() == 0 && self.waiting.load(Ordering::Relaxed) >= self.queue_max {
            return Err(PoolError::Full);
        }
        Ok(())
    }

    /// A place and a slot, waiting in the queue if need be.
    ///
    /// # Errors
    /// [`PoolError`] when the queue is full or the wait too long.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Lease, PoolError> {
        fail::fail_point!("acquire", |_| Err(PoolError::TimedOut));
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned()
            && let Some(start) = self.try_start()
        {
            return Ok(self.lease(permit, start));
        }
        let _waiting = self.queue()?;
        let wait = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_closed| PoolError::TimedOut)?;
            let start = match self.try_start() {
                Some(start) => start,
                None => Start::Fresh(self.slots.acquire().await?),
            };
            Ok(self.lease(permit, start))
        };
        tokio::time::timeout(self.queue_wait_max, wait).await.map_err(|_elapsed| PoolError::TimedOut)?
    }

    /// Drops the instances at rest: the app is going away or its engine is.
    pub(crate) fn retire_idle(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn try_start(&self) -> Option<Start> {
        if let Some(instance) = self.idle().pop() {
            return Some(Start::Reuse(instance));
        }
        Arc::clone(&self.slots.free).try_acquire_owned().ok().map(Start::Fresh)
    }

    fn lease(self: &Arc<Self>, permit: OwnedSemaphorePermit, start: Start) -> Lease {
        Lease { start, place: Place { pool: Arc::clone(self), _permit: permit } }
    }

    fn queue(&self) -> Result<Waiting<'_>, PoolError> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue_max {
            return Err(PoolError::Full);
        }
        Ok(waiting)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        // Pushes and pops leave nothing half-done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request that waits, until dropped.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lease {
    /// Parts into what to run the request on and the place that must outlive it.
    pub(crate) fn take(self) -> (Start, Place) {
        (self.start, self.place)
    }
}

impl Place {
    /// Puts an instance to rest until the next request of its app.
    pub(crate) fn give_back(&self, instance: Instance) {
        self.pool.idle().push(instance);
        if self.pool.slots.is_wanted() {
            self.pool.slots.retire_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(concurrency: u32, queue: u32, slots: u32) -> Arc<Pool> {
        let limits = AppLimits { concurrency_max: concurrency, queue_max: queue, ..AppLimits::default() };
        Pool::new(&limits, Arc::new(Slots::new(slots)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_queues_and_a_full_queue_refuses() {
        let pool = pool(1, 1, 9);
        let lease = pool.acquire().await.unwrap();
        pool.admits().unwrap();
        let queued = pool.acquire();
        tokio::pin!(queued);
        assert!(futures_util::poll!(&mut queued).is_pending());
        assert_eq!(pool.admits(), Err(PoolError::Full));
        assert_eq!(pool.acquire().await.unwrap_err(), PoolError::Full);
        drop(lease);
        queued.await.unwrap();
        pool.admits().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_in_the_queue_ends() {
        let pool = pool(1, 1, 9);
        let _lease = pool.acquire().await.unwrap();
        assert_eq!(pool.acquire().await.unwrap_err(), PoolError::TimedOut);
        pool.admits().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn slots_that_run_out_queue_too() {
        let pool = pool(2, 1, 1);
        let _lease = pool.acquire().await.unwrap();
        assert_eq!(pool.acquire().await.unwrap_err(), PoolError::TimedOut);
    }
}
