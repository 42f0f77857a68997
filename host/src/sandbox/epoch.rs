//! The epoch ticker: one OS thread that makes running guests come up for air.
//!
//! It must be a thread, not a task: a guest that never yields would starve a task on a one-core
//! machine and with it its own interruption.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// The time between two ticks: how long a guest runs before it yields and its budgets are checked.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a running guest after which the thread sleeps. More than one, so that the pauses
/// between the requests of a busy host do not cost a wake-up each.
const IDLE_TICKS: u32 = 50;

/// Handle to the ticker of one engine. The thread ends by itself soon after the engine is gone.
#[derive(Clone, Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    /// Guests that are being polled at this moment.
    running: AtomicUsize,
    parked: AtomicBool,
}

/// Proof that a guest is being polled; the ticker ticks while one is alive.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the ticker thread of `engine`, which it holds weakly.
    ///
    /// # Errors
    /// When the operating system refuses the thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let watched = Arc::downgrade(&shared);
        let weak = engine.weak();
        let handle = thread::Builder::new().name("epoch-ticker".into()).spawn(move || tick(&weak, &watched))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Call around each poll of a guest.
    pub(crate) fn enter(&self) -> Running<'_> {
        // SeqCst pairs with the ticker's store of `parked` and load of `running`: one of the two
        // sees the other, so the ticker never sleeps while a guest runs.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &EngineWeak, shared: &Weak<Shared>) {
    let mut idle = 0;
    loop {
        thread::sleep(TICK);
        let (Some(engine), Some(shared)) = (engine.upgrade(), shared.upgrade()) else { return };
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
            engine.increment_epoch();
            continue;
        }
        idle += 1;
        if idle < IDLE_TICKS {
            continue;
        }
        shared.parked.store(true, Ordering::SeqCst);
        // A guest that came in between has unparked this thread, so the park returns at once.
        // With a time-out, since the engine may go away while nobody runs.
        if shared.running.load(Ordering::SeqCst) == 0 {
            drop(engine);
            thread::park_timeout(Duration::from_secs(1));
        }
        shared.parked.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
