use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::Engine;

use super::turns::Passing;
use super::*;
use crate::client::Client;
use crate::limits::AppLimits;
use crate::sandbox::epoch::Ticker;
use crate::sandbox::meter::Meter;

/// A host with guests that are plain futures.
struct Bench {
    gate: Arc<Gate>,
    seats: Vec<Seat>,
    ticker: Ticker,
    running: AtomicUsize,
}

impl Bench {
    fn new(tenants: u32) -> Self {
        let gate = Arc::new(Gate::new());
        let weights = (0..tenants).map(|tenant| Weight::new(50 + 100 * tenant).expect("in bounds"));
        let seats = weights.map(|weight| Seat::new(Arc::clone(&gate), gate.enrol(TenantName::nobody(), weight)));
        let seats = seats.collect();
        let ticker = Ticker::start(&Engine::default()).expect("a thread");
        Self { gate, seats, ticker, running: AtomicUsize::new(0) }
    }

    /// A guest of so many slices, which rests after every third; the most guests that ran beside it.
    async fn request(&self, tenant: usize, slices: u32) -> usize {
        let meter = Arc::new(Meter::start(&AppLimits::default(), Arc::new(Client::default())));
        let guest = async {
            let mut most = 0;
            // The first is not a turn.
            meter.pause().await;
            for slice in 0..slices {
                most = most.max(self.running.fetch_add(1, Ordering::SeqCst) + 1);
                std::thread::yield_now();
                self.running.fetch_sub(1, Ordering::SeqCst);
                match slice % 3 {
                    2 => tokio::task::yield_now().await,
                    _ => meter.pause().await,
                }
            }
            most
        };
        InTurns::new(guest, &meter, &self.ticker, &self.seats[tenant]).await
    }
}

/// Many requests on so many workers, of which some are dropped at any time.
async fn a_crowd(workers: usize) {
    let bench = Arc::new(Bench::new(4));
    #[expect(clippy::disallowed_methods, reason = "all are joined below")]
    let spawn = |number: u32| {
        let bench = Arc::clone(&bench);
        let task = tokio::spawn(async move { bench.request(number as usize % 4, 40 + number % 7).await });
        (number, task)
    };
    let tasks: Vec<_> = (0..200).map(spawn).collect();
    for (number, task) in &tasks {
        if number % 5 == 0 {
            tokio::task::yield_now().await;
            task.abort();
        }
    }
    let mut finished = 0;
    for (number, task) in tasks {
        match task.await {
            Ok(most) => {
                assert!(most <= workers, "{most} ran at once");
                finished += 1;
            }
            Err(error) => assert!(error.is_cancelled() && number % 5 == 0, "{error}"),
        }
    }
    assert!(finished >= 160, "{finished}");
    let state = bench.gate.state();
    assert_eq!(state.policy.counts(), (0, 0), "all permits are back");
    assert!(state.wakers.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_passes_a_gate_of_four_workers_and_leaves_nothing_behind() {
    a_crowd(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crowd_passes_a_gate_of_one_worker_and_leaves_nothing_behind() {
    a_crowd(1).await;
}

#[tokio::test]
async fn a_crowd_passes_on_a_runtime_of_a_single_thread() {
    a_crowd(1).await;
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_core_is_woken_even_if_the_time_is_over_before_the_timer_is_set() {
    let woken = Arc::new(Woken::default());
    let then = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let passing = Passing::until(then, &Waker::from(Arc::clone(&woken)));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "{passing:?}");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_core_is_woken_when_the_time_is_over() {
    let woken = Arc::new(Woken::default());
    let then = tokio::time::Instant::now() + Duration::from_secs(1);
    let passing = Passing::until(then, &Waker::from(Arc::clone(&woken)));
    assert_eq!(woken.0.load(Ordering::SeqCst), 0, "{passing:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "{passing:?}");
}

#[tokio::test]
async fn time_is_charged_to_the_app_and_to_its_tenant_and_to_nobody_else() {
    let bench = Bench::new(2);
    let neighbour = Seat::new(Arc::clone(&bench.gate), Arc::clone(bench.seats[0].tenant()));
    bench.request(0, 10).await;
    let used = bench.seats[0].cpu_time();
    assert!(used > Duration::ZERO);
    assert_eq!(bench.seats[0].tenant().cpu_time(), used);
    assert_eq!(neighbour.cpu_time(), Duration::ZERO);
    assert_eq!(bench.seats[1].tenant().cpu_time(), Duration::ZERO);
}
