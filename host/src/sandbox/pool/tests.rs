//! Pools whose instances are made up: a number, and the slot that it holds.

use std::sync::atomic::AtomicUsize;

use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::config::{TenantConfig, TenantName};

/// An instance made up.
#[derive(Debug)]
struct Fake {
    number: u32,
    _slot: OwnedSemaphorePermit,
}

const MINUTE: Duration = Duration::from_secs(60);

fn pool_of(limits: &AppLimits, warm: Warm, slots: &Arc<Slots>) -> Arc<Pool<Fake>> {
    Pool::new(limits, warm, (Arc::clone(slots), Quota::default()))
}

fn pool(concurrency: u32, queue: u32, slots: u32) -> Arc<Pool<Fake>> {
    let limits = AppLimits { concurrency_max: concurrency, queue_max: queue, ..AppLimits::default() };
    pool_of(&limits, Warm::default(), &Arc::new(Slots::new(slots)))
}

fn warm_pool(min: u32, max: u32, slots: &Arc<Slots>) -> Arc<Pool<Fake>> {
    pool_of(&AppLimits::default(), Warm { min, max }, slots)
}

/// What a request does with its lease: instance `number` if it must make one; then it rests.
fn serve(lease: Lease<Fake>, number: u32) -> u32 {
    let (start, place) = lease.take();
    let instance = match start {
        Start::Ready(instance) => instance,
        Start::Fresh(slot) => Fake { number, _slot: slot },
    };
    let number = instance.number;
    place.give_back(instance, Instant::now() + MINUTE * 60);
    number
}

fn busy<T>(outcome: Result<T, PoolError>) -> Option<Busy> {
    outcome.err().map(|error| error.busy)
}

fn resting(pool: &Pool<Fake>) -> usize {
    pool.rest().len()
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    let handle: JoinHandle<()> = tokio::spawn(task);
    AbortOnDropHandle::new(handle)
}

/// Fills `pool` with instances 100, 101 and so on; the count of those that were begun.
fn filler(pool: &Arc<Pool<Fake>>, fails: fn(usize) -> bool) -> (AbortOnDropHandle<()>, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let make = move |slot| {
        let count = counted.fetch_add(1, Ordering::SeqCst);
        let number = 100 + u32::try_from(count).unwrap();
        async move { (!fails(count)).then_some(Fake { number, _slot: slot }) }
    };
    let pool = Arc::clone(pool);
    (spawn(async move { warm::fill(pool, make).await }), made)
}

/// Lets every other task go on until all of them wait: paused time moves only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

// === permits and queue ===

#[tokio::test(start_paused = true)]
async fn a_full_pool_queues_and_a_full_queue_refuses() {
    let pool = pool(1, 1, 9);
    let lease = pool.acquire().await.unwrap();
    pool.admits().unwrap();
    let queued = pool.acquire();
    tokio::pin!(queued);
    assert!(futures_util::poll!(&mut queued).is_pending());
    assert_eq!(busy(pool.admits()), Some(Busy::QueueFull));
    assert_eq!(busy(pool.acquire().await), Some(Busy::QueueFull));
    drop(lease);
    queued.await.unwrap();
    pool.admits().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_the_queue_ends() {
    let pool = pool(1, 1, 9);
    let _lease = pool.acquire().await.unwrap();
    assert_eq!(busy(pool.acquire().await), Some(Busy::QueueTimeout));
    pool.admits().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_served_first() {
    let pool = pool(1, 9, 9);
    let lease = pool.acquire().await.unwrap();
    let mut queued: Vec<_> = (0..3).map(|_| Box::pin(pool.acquire())).collect();
    for request in &mut queued {
        assert!(futures_util::poll!(request).is_pending());
    }
    let mut lease = Some(lease);
    for mut request in queued {
        assert!(futures_util::poll!(&mut request).is_pending());
        drop(lease.take());
        lease = Some(request.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_gives_up_its_place_in_the_queue() {
    let pool = pool(1, 1, 9);
    let lease = pool.acquire().await.unwrap();
    let mut left = Box::pin(pool.acquire());
    assert!(futures_util::poll!(&mut left).is_pending());
    assert_eq!(busy(pool.admits()), Some(Busy::QueueFull));
    drop(left);
    pool.admits().unwrap();
    let mut stays = Box::pin(pool.acquire());
    assert!(futures_util::poll!(&mut stays).is_pending());
    drop(lease);
    stays.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_come_back() {
    let pool = pool(1, 4, 9);
    let _lease = pool.acquire().await.unwrap();
    let refused = pool.acquire().await.unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(1), "nothing is known yet");
    // Ten seconds in which nobody was served.
    let refused = pool.acquire().await.unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(10), "queue-wait-max");
}

// === tenants ===

/// Two apps of a tenant that may run so many requests.
fn pools_of_tenant(quota: u32) -> [Arc<Pool<Fake>>; 2] {
    let name: TenantName = "acme".parse().unwrap();
    let quotas =
        Quotas::new(&[(name.clone(), TenantConfig { concurrency_max: Some(quota), ..TenantConfig::default() })].into());
    let limits = AppLimits { concurrency_max: 4, queue_max: 2, ..AppLimits::default() };
    let slots = Arc::new(Slots::new(99));
    [(); 2].map(|()| Pool::new(&limits, Warm::default(), (Arc::clone(&slots), quotas.of(&name))))
}

#[tokio::test(start_paused = true)]
async fn a_tenant_runs_as_many_requests_as_it_may_over_all_its_apps() {
    let [one, other] = pools_of_tenant(3);
    let mut running = vec![one.acquire().await.unwrap(), one.acquire().await.unwrap(), other.acquire().await.unwrap()];
    let mut queued = Box::pin(other.acquire());
    assert!(futures_util::poll!(&mut queued).is_pending());
    running.pop();
    queued.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_over_the_quota_of_its_tenant_is_told_so() {
    let [one, other] = pools_of_tenant(1);
    let _lease = one.acquire().await.unwrap();
    assert_eq!(busy(one.acquire().await), Some(Busy::Tenant), "after a wait");
    let mut queued = [Box::pin(other.acquire()), Box::pin(other.acquire())];
    for request in &mut queued {
        assert!(futures_util::poll!(request).is_pending());
    }
    assert_eq!(busy(other.admits()), Some(Busy::Tenant));
    assert_eq!(busy(other.acquire().await), Some(Busy::Tenant), "at once, of a full queue");
    one.admits().unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_their_own_app_hold_nothing_of_their_tenant() {
    let [one, other] = pools_of_tenant(5);
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(one.acquire().await.unwrap());
    }
    let mut queued = [Box::pin(one.acquire()), Box::pin(one.acquire())];
    for request in &mut queued {
        assert!(futures_util::poll!(request).is_pending());
    }
    running.push(other.acquire().await.unwrap());
    assert_eq!(busy(other.acquire().await), Some(Busy::Tenant));
}

// === slots ===

#[tokio::test(start_paused = true)]
async fn slots_that_run_out_queue_too() {
    let pool = pool(2, 1, 1);
    let _lease = pool.acquire().await.unwrap();
    assert_eq!(busy(pool.acquire().await), Some(Busy::QueueTimeout));
}

#[tokio::test(start_paused = true)]
async fn an_instance_at_rest_gives_way_to_another_app() {
    let slots = Arc::new(Slots::new(1));
    let (one, other) = (warm_pool(0, 0, &slots), warm_pool(0, 0, &slots));
    serve(one.acquire().await.unwrap(), 1);
    assert_eq!(serve(other.acquire().await.unwrap(), 2), 2);
    assert_eq!((resting(&one), resting(&other)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn apps_give_way_in_turn() {
    let slots = Arc::new(Slots::new(4));
    let pools = [warm_pool(0, 0, &slots), warm_pool(0, 0, &slots), warm_pool(0, 0, &slots)];
    for pool in &pools[..2] {
        let leases = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
        leases.into_iter().for_each(|lease| assert_eq!(serve(lease, 1), 1));
    }
    let _leases = [pools[2].acquire().await.unwrap(), pools[2].acquire().await.unwrap()];
    assert_eq!((resting(&pools[0]), resting(&pools[1])), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_comes_to_rest_gives_way_to_a_request_that_waits() {
    let slots = Arc::new(Slots::new(1));
    let (one, other) = (warm_pool(0, 0, &slots), warm_pool(0, 0, &slots));
    let lease = one.acquire().await.unwrap();
    let mut waits = Box::pin(other.acquire());
    assert!(futures_util::poll!(&mut waits).is_pending());
    serve(lease, 1);
    assert_eq!(resting(&one), 0);
    waits.await.unwrap();
}

// === reuse ===

#[tokio::test(start_paused = true)]
async fn instances_of_replaced_code_neither_rest_nor_come_to_rest() {
    let pool = pool(9, 9, 9);
    serve(pool.acquire().await.unwrap(), 1);
    let before = pool.acquire().await.unwrap();
    pool.retire_all();
    assert_eq!(serve(before, 2), 1, "the one it had already");
    assert_eq!(resting(&pool), 0);
    assert_eq!(serve(pool.acquire().await.unwrap(), 3), 3);
    assert_eq!(serve(pool.acquire().await.unwrap(), 4), 3);
}

#[tokio::test(start_paused = true)]
async fn the_reaper_drops_what_rests_too_long_under_an_even_load_too() {
    let slots = Arc::new(Slots::new(9));
    let pool = warm_pool(0, 0, &slots);
    let _reaper = spawn(reaper::of(&slots));
    let leases = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    leases.into_iter().zip(1..).for_each(|(lease, number)| assert_eq!(serve(lease, number), number));
    for _ in 0..30 {
        assert_eq!(serve(pool.acquire().await.unwrap(), 9), 2, "one of them suffices");
        tokio::time::sleep(MINUTE / 25).await;
    }
    assert_eq!(resting(&pool), 1);
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(resting(&pool), 0);
    // It sleeps by now, and is woken by what rests next.
    serve(pool.acquire().await.unwrap(), 3);
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(resting(&pool), 0);
}

// === warm instances ===

#[tokio::test(start_paused = true)]
async fn warm_instances_are_made_and_made_again() {
    let slots = Arc::new(Slots::new(99));
    let pool = warm_pool(2, 2, &slots);
    let (_filler, made) = filler(&pool, |_| false);
    settle().await;
    assert_eq!((resting(&pool), made.load(Ordering::SeqCst)), (2, 2));
    let (Start::Ready(instance), _place) = pool.acquire().await.unwrap().take() else { panic!("none was ready") };
    assert_eq!(instance.number, 101);
    settle().await;
    assert_eq!((resting(&pool), made.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn as_many_are_warm_as_requests_asked_for_and_no_more_than_max() {
    let slots = Arc::new(Slots::new(99));
    let pool = warm_pool(1, 4, &slots);
    let _reaper = spawn(reaper::of(&slots));
    let (_filler, _) = filler(&pool, |_| false);
    settle().await;
    assert_eq!(resting(&pool), 1, "min");
    let mut leases = Vec::new();
    for (requests, ready) in [(2, 2), (4, 4), (9, 4)] {
        for _ in 0..requests {
            leases.push(pool.acquire().await.unwrap());
        }
        settle().await;
        assert_eq!(resting(&pool), ready, "one more for each that found none");
    }
    drop(leases);
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(resting(&pool), 1, "nobody came, so min is enough");
}

#[tokio::test(start_paused = true)]
async fn warm_instances_leave_slots_to_requests() {
    let slots = Arc::new(Slots::new(16));
    let pool = warm_pool(16, 16, &slots);
    let (_filler, _) = filler(&pool, |_| false);
    settle().await;
    assert_eq!(resting(&pool), 14, "an eighth of the slots is left");
    let other = warm_pool(0, 0, &slots);
    let mut leases = Vec::new();
    for _ in 0..16 {
        leases.push(other.acquire().await.unwrap());
    }
    assert_eq!(resting(&pool), 0, "they gave way to requests");
    settle().await;
    assert_eq!(resting(&pool), 0, "and are not made again without slots to spare");
    leases.truncate(4);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(resting(&pool), 10);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_is_tried_ever_more_rarely() {
    let slots = Arc::new(Slots::new(99));
    let pool = warm_pool(1, 1, &slots);
    let (_filler, made) = filler(&pool, |count| count < 12);
    tokio::time::sleep(MINUTE).await;
    let tried = made.load(Ordering::SeqCst);
    assert!((5..12).contains(&tried), "{tried} times in a minute");
    // Requests do not make it try more often.
    for _ in 0..100 {
        drop(pool.acquire().await.unwrap());
        settle().await;
    }
    assert_eq!(made.load(Ordering::SeqCst), tried);
    tokio::time::sleep(MINUTE * 20).await;
    assert_eq!(resting(&pool), 1, "until it can be made");
}

#[tokio::test(start_paused = true)]
async fn warm_instances_of_replaced_code_are_made_anew() {
    let slots = Arc::new(Slots::new(99));
    let pool = warm_pool(2, 2, &slots);
    let (_filler, _) = filler(&pool, |_| false);
    settle().await;
    pool.retire_all();
    assert_eq!(resting(&pool), 0);
    settle().await;
    assert_eq!(resting(&pool), 2);
    assert_eq!(serve(pool.acquire().await.unwrap(), 1), 103);
}
