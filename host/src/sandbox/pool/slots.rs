//! The slots of all apps together: what the pooling allocator has reserved.

use std::any::Any;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::sandbox::pool::Waiting;

/// One part of so many slots is for requests alone: warm instances leave it free.
const RESERVE_PART: usize = 8;

/// The slots, and who may have instances at rest in them.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    reserve: usize,
    pools: Mutex<Pools>,
    /// Requests that wait for a slot; while there are any, no instance rests.
    wanted: AtomicU32,
    /// Whether nothing rests, so that the reaper waits to be told of the first instance that does.
    reaper_waits: AtomicBool,
    first_rests: Notify,
}

#[derive(Debug, Default)]
struct Pools {
    all: Vec<Weak<dyn Rests>>,
    /// Whom to ask next for a slot: each in turn, so that a shortage does not fall on one app alone.
    next: usize,
}

/// An instance that has to go.
pub(super) type Retired = Box<dyn Any + Send>;

/// A pool, as far as its instances at rest go.
pub(super) trait Rests: Debug + Send + Sync {
    /// Takes out one instance at rest, if there is any; its slot is free once it is dropped.
    fn give_way(&self) -> Option<Retired>;

    /// Drops the instances that have rested for too long; how many rest on.
    fn reap(&self, now: Instant) -> usize;
}

impl Slots {
    /// All slots that the engine has.
    pub(crate) fn new(count: u32) -> Self {
        let count = count as usize;
        Self {
            free: Arc::new(Semaphore::new(count)),
            reserve: (count / RESERVE_PART).max(1),
            pools: Mutex::default(),
            wanted: AtomicU32::new(0),
            reaper_waits: AtomicBool::new(false),
            first_rests: Notify::new(),
        }
    }

    /// Notes a pool that may have instances at rest.
    pub(super) fn register(&self, pool: Weak<dyn Rests>) {
        let mut pools = self.pools();
        // Now and then, so that many apps do not each look through all others.
        if pools.all.len() == pools.all.capacity() {
            pools.all.retain(|pool| pool.strong_count() > 0);
        }
        pools.all.push(pool);
    }

    /// A free slot, if there is one and nobody waits for it.
    pub(super) fn try_acquire(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// A slot that no request is likely to miss soon, for an instance that nobody asked for.
    pub(super) fn try_spare(&self) -> Option<OwnedSemaphorePermit> {
        if self.is_wanted() || self.free.available_permits() <= self.reserve {
            return None;
        }
        self.try_acquire()
    }

    /// A free slot; if there is none, one that an instance rests in, else the next that comes free.
    /// `None` never comes: the semaphore is not closed.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        // Told before looking: an instance that goes to rest after the look sees it and does not rest.
        self.wanted.fetch_add(1, Ordering::SeqCst);
        let _wanted = Waiting(&self.wanted);
        self.retire_one();
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Call when an instance has gone to rest: it gives way at once to a request that waits for a slot.
    pub(super) fn one_rests(&self) {
        if self.is_wanted() {
            self.retire_one();
        }
        if self.reaper_waits.load(Ordering::SeqCst) {
            self.first_rests.notify_one();
        }
    }

    /// Drops all that has rested for too long; whether anything rests on.
    pub(super) fn reap(&self, now: Instant) -> bool {
        let pools = self.live_pools();
        // All of them: not just until the first that has some.
        pools.iter().map(|pool| pool.reap(now)).sum::<usize>() > 0
    }

    /// Resolves when something rests.
    pub(super) async fn until_one_rests(&self) {
        self.reaper_waits.store(true, Ordering::SeqCst);
        // What came to rest before the flag was seen has told nobody.
        if !self.reap(Instant::now()) {
            self.first_rests.notified().await;
        }
        self.reaper_waits.store(false, Ordering::SeqCst);
    }

    /// Whether some request waits for a slot.
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) > 0
    }

    fn retire_one(&self) {
        // Dropped while nothing is locked: to give back a large memory takes its time.
        drop(self.next_to_go());
    }

    fn next_to_go(&self) -> Option<Retired> {
        let mut pools = self.pools();
        let count = pools.all.len();
        for step in 0..count {
            let index = (pools.next + step) % count;
            if let Some(retired) = pools.all[index].upgrade().and_then(|pool| pool.give_way()) {
                pools.next = index + 1;
                return Some(retired);
            }
        }
        None
    }

    fn live_pools(&self) -> Vec<Arc<dyn Rests>> {
        self.pools().all.iter().filter_map(Weak::upgrade).collect()
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of one instance that tells how its end was.
    #[derive(Debug)]
    struct One {
        slots: Weak<Slots>,
        was_locked: Arc<Mutex<Option<bool>>>,
    }

    struct Instance {
        slots: Weak<Slots>,
        was_locked: Arc<Mutex<Option<bool>>>,
    }

    impl Rests for One {
        fn give_way(&self) -> Option<Retired> {
            Some(Box::new(Instance { slots: Weak::clone(&self.slots), was_locked: Arc::clone(&self.was_locked) }))
        }

        fn reap(&self, _now: Instant) -> usize {
            0
        }
    }

    impl Drop for Instance {
        fn drop(&mut self) {
            let locked = self.slots.upgrade().map(|slots| slots.pools.try_lock().is_err());
            *self.was_locked.lock().unwrap() = locked;
        }
    }

    #[test]
    fn nobody_waits_while_an_instance_is_dropped() {
        let slots = Arc::new(Slots::new(1));
        let was_locked = Arc::default();
        let pool = Arc::new(One { slots: Arc::downgrade(&slots), was_locked: Arc::clone(&was_locked) });
        let weak: Weak<dyn Rests> = Arc::downgrade(&(Arc::clone(&pool) as Arc<dyn Rests>));
        slots.register(weak);
        slots.retire_one();
        assert_eq!(*was_locked.lock().unwrap(), Some(false));
    }
}
