//! Admission and instances of one app: permits, a bounded queue, and instances at rest.
//!
//! `slots` is what all apps share, `rest` the instances between two requests, `warm` makes them
//! before anybody asks, `reaper` drops those that nobody needs.

mod quota;
mod rate;
pub(crate) mod reaper;
mod rest;
mod slots;
#[cfg(test)]
mod tests;
pub(crate) mod warm;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::Warm;
use crate::limits::AppLimits;
use crate::sandbox::instance::Instance;
use quota::{Quota, Share};
use rate::Rate;
use rest::Rest;
use slots::{Rests, Retired};
use warm::Demand;

pub(crate) use quota::Quotas;
pub(crate) use rest::Generation;
pub(crate) use slots::Slots;

/// Why a request got no place in a pool, and when there may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{busy}")]
pub struct PoolError {
    /// What there was no room in.
    pub busy: Busy,
    /// How long those who wait already will take, by what was served of late; from a second to
    /// `queue-wait-max`.
    pub retry_after: Duration,
}

/// What there was no room in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// `queue-max` requests are waiting already.
    #[error("the app's queue is full (queue-max)")]
    QueueFull,
    /// No place came free within `queue-wait-max`.
    #[error("no instance came free within queue-wait-max")]
    QueueTimeout,
    /// As [`Busy::QueueFull`] or [`Busy::QueueTimeout`], while the tenant runs as many requests as it may.
    #[error("the tenant runs as many requests as it may (concurrency-max of its [[tenant]])")]
    Tenant,
}

/// The places of one app. `I` is what serves; only tests put something else in its place.
#[derive(Debug)]
pub(crate) struct Pool<I = Instance> {
    permits: Arc<Semaphore>,
    quota: Quota,
    waiting: AtomicU32,
    queue_max: u32,
    queue_wait_max: Duration,
    rest_max: Duration,
    rest: Mutex<Rest<I>>,
    demand: Demand,
    rate: Rate,
    slots: Arc<Slots>,
    /// Whether the slots know that some instance may rest here: in most pools none ever does.
    is_registered: AtomicBool,
}

/// Proof that a request holds a place in a pool. Must outlive its instance.
#[derive(Debug)]
pub struct Lease<I = Instance> {
    start: Start<I>,
    place: Place<I>,
}

/// The permit of a lease. Held until the guest is gone, never given up earlier.
#[derive(Debug)]
pub(crate) struct Place<I = Instance> {
    pool: Arc<Pool<I>>,
    /// The code that was served when the lease was given, so that no other comes to rest by it.
    generation: Generation,
    _permits: Permits,
}

/// What lets one request run. The tenant's part is asked for last: requests that wait for it keep none of
/// the tenant's other apps from running.
#[derive(Debug)]
struct Permits {
    _app: OwnedSemaphorePermit,
    _tenant: Share,
}

/// What a request starts with: an instance that rested, or room for a new one.
#[derive(Debug)]
pub(crate) enum Start<I = Instance> {
    /// An instance that is ready: warm, or one that served before.
    Ready(I),
    /// A slot to instantiate into.
    Fresh(OwnedSemaphorePermit),
}

impl<I: Send + std::fmt::Debug + 'static> Pool<I> {
    /// The pool of an app with these limits, drawing on the host's slots and its tenant's quota.
    pub(crate) fn new(limits: &AppLimits, warm: Warm, (slots, quota): (Arc<Slots>, Quota)) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(limits.concurrency_max as usize)),
            quota,
            waiting: AtomicU32::new(0),
            queue_max: limits.queue_max,
            queue_wait_max: limits.queue_wait_max.into(),
            rest_max: limits.rest_max.into(),
            rest: Mutex::default(),
            demand: Demand::new(warm),
            rate: Rate::default(),
            slots,
            is_registered: AtomicBool::new(false),
        })
    }

    /// Whether a request could be taken or queued now. Asked before a body is read, so that a client
    /// learns of a full queue before it has sent its upload.
    ///
    /// # Errors
    /// [`Busy::QueueFull`] or [`Busy::Tenant`].
    pub(crate) fn admits(&self) -> Result<(), PoolError> {
        let is_busy = self.permits.available_permits() == 0 || self.quota.is_spent();
        if is_busy && self.waiting.load(Ordering::Relaxed) >= self.queue_max {
            return Err(self.refusal(Busy::QueueFull));
        }
        Ok(())
    }

    /// A place and a slot, waiting in the queue if need be: first come, first served.
    ///
    /// # Errors
    /// [`PoolError`] when the queue is full or the wait too long.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Lease<I>, PoolError> {
        fail::fail_point!("acquire", |_| Err(self.refusal(Busy::QueueTimeout)));
        if let Some(lease) = self.try_acquire() {
            return Ok(lease);
        }
        let _waiting = self.queue()?;
        let wait = async {
            // The semaphores live as long as `self` and are never closed.
            let app = Arc::clone(&self.permits).acquire_owned().await.ok()?;
            let permits = Permits { _app: app, _tenant: self.quota.take().await? };
            let (start, generation) = match self.try_start() {
                Some(start) => start,
                None => {
                    let slot = self.slots.acquire().await?;
                    (Start::Fresh(slot), self.rest().generation())
                }
            };
            Some(self.lease(permits, start, generation))
        };
        let waited = tokio::time::timeout(self.queue_wait_max, wait).await;
        waited.ok().flatten().ok_or_else(|| self.refusal(Busy::QueueTimeout))
    }

    /// Drops the instances at rest: the app is going away or its engine is. Those at work, and those
    /// that are being made, will not come to rest here either.
    pub(crate) fn retire_all(&self) {
        let retired = self.rest().clear();
        drop(retired);
        self.demand.surplus(0);
    }

    /// Whether some are made and kept even if nobody comes.
    pub(crate) fn keeps_warm(&self) -> bool {
        self.demand.min() > 0
    }

    /// Whether some of its instances are to be made before anybody asks for them.
    pub(crate) fn wants_warm(&self) -> bool {
        self.demand.max() > 0
    }

    /// The code that instances may come to rest of now. To be asked before the code is.
    pub(crate) fn generation(&self) -> Generation {
        self.rest().generation()
    }

    fn try_acquire(self: &Arc<Self>) -> Option<Lease<I>> {
        let app = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let permits = Permits { _app: app, _tenant: self.quota.try_take()? };
        let (start, generation) = self.try_start()?;
        Some(self.lease(permits, start, generation))
    }

    fn try_start(&self) -> Option<(Start<I>, Generation)> {
        let (ready, generation) = {
            let mut rest = self.rest();
            (rest.pop(), rest.generation())
        };
        self.demand.taken(ready.is_some());
        let start = match ready {
            Some(instance) => Start::Ready(instance),
            None => Start::Fresh(self.slots.try_acquire()?),
        };
        Some((start, generation))
    }

    fn lease(self: &Arc<Self>, permits: Permits, start: Start<I>, generation: Generation) -> Lease<I> {
        Lease { start, place: Place { pool: Arc::clone(self), generation, _permits: permits } }
    }

    fn queue(&self) -> Result<Waiting<'_>, PoolError> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue_max {
            return Err(self.refusal(Busy::QueueFull));
        }
        Ok(waiting)
    }

    fn refusal(&self, busy: Busy) -> PoolError {
        let busy = if self.quota.is_spent() { Busy::Tenant } else { busy };
        let ahead = self.waiting.load(Ordering::Relaxed);
        PoolError { busy, retry_after: self.rate.time_for(ahead, Instant::now(), self.queue_wait_max) }
    }

    /// Puts an instance to rest, unless its code was replaced meanwhile. `until`: when it will be too old.
    fn put_to_rest(self: &Arc<Self>, instance: I, generation: Generation, until: Option<Instant>) {
        let refused = self.rest().push(instance, generation, (Instant::now(), until));
        if let Err(stale) = refused {
            drop(stale);
            return;
        }
        if !self.is_registered.swap(true, Ordering::Relaxed) {
            let weak = Arc::downgrade(self);
            self.slots.register(weak);
        }
        self.slots.one_rests();
    }

    fn rest(&self) -> MutexGuard<'_, Rest<I>> {
        // Pushes and pops leave nothing half-done.
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Send + std::fmt::Debug + 'static> Rests for Pool<I> {
    fn give_way(&self) -> Option<Retired> {
        let retired = self.rest().pop_oldest()?;
        Some(Box::new(retired))
    }

    fn reap(&self, now: Instant) -> usize {
        let (expired, left) = {
            let mut rest = self.rest();
            let expired = rest.expire(now, self.rest_max, self.demand.min());
            (expired, rest.len())
        };
        if !expired.is_empty() {
            tracing::debug!(count = expired.len(), left, "instances have rested too long");
            self.demand.surplus(left);
        }
        left
    }
}

/// Counts a request that waits, until dropped.
pub(super) struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<I> Lease<I> {
    /// Parts into what to run the request on and the place that must outlive it.
    pub(crate) fn take(self) -> (Start<I>, Place<I>) {
        (self.start, self.place)
    }
}

impl<I: Send + std::fmt::Debug + 'static> Place<I> {
    /// Puts an instance to rest until the next request of its app, at the longest `until` then.
    pub(crate) fn give_back(&self, instance: I, until: Instant) {
        self.pool.put_to_rest(instance, self.generation, Some(until));
    }
}

impl<I> Drop for Place<I> {
    fn drop(&mut self) {
        self.pool.rate.served_one();
    }
}
