//! The future around a guest: polls it at once, or in turns.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use pin_project_lite::pin_project;

use crate::sandbox::epoch::Ticker;
use crate::sandbox::meter::Meter;

use super::Seat;
use super::policy::{self, SLICE, Start, Ticket};

pin_project! {
    /// Polls a guest when it may run, charges each poll to its request, app and tenant, and keeps the
    /// ticker awake for as long.
    pub(crate) struct InTurns<'a, F> {
        #[pin]
        guest: F,
        meter: &'a Meter,
        ticker: &'a Ticker,
        place: Place<'a>,
    }
}

impl<'a, F> InTurns<'a, F> {
    /// `guest`, charged to `meter` and `seat`.
    pub(crate) fn new(guest: F, meter: &'a Meter, ticker: &'a Ticker, seat: &'a Seat) -> Self {
        Self { guest, meter, ticker, place: Place { seat, standing: Standing::New } }
    }
}

impl<F: Future> Future for InTurns<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let now = Instant::now();
        if !this.place.enter(now, this.meter, context.waker()) {
            return Poll::Pending;
        }
        let polled = {
            let _running = this.ticker.enter();
            let before = this.meter.begin_poll(now, context.waker());
            let polled = this.guest.poll(context);
            this.place.seat.charge(this.meter.end_poll() - before);
            polled
        };
        this.place.exit(polled.is_pending() && this.meter.is_paused(), context.waker());
        polled
    }
}

/// Where a request stands with the gate. Dropped, it gives back what it holds there.
#[derive(Debug)]
struct Place<'a> {
    seat: &'a Seat,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    New,
    /// Not demoted: the guest is polled whenever its task is.
    Inline,
    /// Demoted, and at rest: it waits for something else than its turn.
    Demoted,
    /// In the queue.
    Waiting(Ticket),
    /// Has a permit that it may soon use, and lets others pass first.
    Called(Ticket, Passing),
    /// Uses its permit: only ever within a poll.
    Turn,
}

/// One turn after the other must not keep a worker from all else. So whoever is called first has tokio
/// ask the network what came, and then goes to the end of the line of tasks that this has woken.
#[derive(Clone, Copy, Debug)]
struct Passing {
    stage: Stage,
    /// The policy's own.
    passed: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Network,
    Line,
}

impl Place<'_> {
    /// Whether the guest may be polled now. If not, its task will be woken.
    fn enter(&mut self, now: Instant, meter: &Meter, waker: &Waker) -> bool {
        let Seat { gate, tenant, .. } = self.seat;
        if tenant.seen.load(Ordering::Relaxed) != policy::window(gate.nanos(now)) {
            gate.see(tenant);
        }
        match self.standing {
            Standing::New if !tenant.ahead.load(Ordering::Relaxed) => {
                self.standing = Standing::Inline;
                true
            }
            // A guest that waits often may get past every tick.
            Standing::Inline if meter.spent() < SLICE => true,
            Standing::New | Standing::Inline | Standing::Demoted => self.join(waker),
            Standing::Waiting(ticket) => self.look(ticket, waker),
            Standing::Called(ticket, passing) => match passing.stage {
                Stage::Network => {
                    self.standing = Standing::Called(ticket, Passing { stage: Stage::Line, ..passing });
                    // A task that wakes itself goes to the end of the line.
                    waker.wake_by_ref();
                    false
                }
                Stage::Line => self.start(ticket, passing.passed, waker),
            },
            // Left over from a poll that panicked.
            Standing::Turn => true,
        }
    }

    /// The guest was polled; `is_paused` if its slice is over.
    fn exit(&mut self, is_paused: bool, waker: &Waker) {
        let Seat { gate, tenant, .. } = self.seat;
        let had_turn = matches!(self.standing, Standing::Turn);
        if is_paused {
            match gate.wait(tenant, had_turn, waker) {
                (ticket, true) => self.let_pass(ticket, None, waker),
                (ticket, false) => self.standing = Standing::Waiting(ticket),
            }
        } else if had_turn {
            self.standing = Standing::Demoted;
            gate.finish(tenant);
        }
    }

    /// Comes to the gate from elsewhere, and goes through at once if nobody is there.
    fn join(&mut self, waker: &Waker) -> bool {
        match self.seat.gate.wait(&self.seat.tenant, false, waker) {
            // Its task was in line with all others just now.
            (ticket, true) => self.start(ticket, None, waker),
            (ticket, false) => {
                self.standing = Standing::Waiting(ticket);
                false
            }
        }
    }

    /// Woken while it waits, by its call or by something else.
    fn look(&mut self, ticket: Ticket, waker: &Waker) -> bool {
        match self.seat.gate.look(ticket, waker) {
            Some(true) => self.let_pass(ticket, None, waker),
            Some(false) => {}
            None => return self.join(waker),
        }
        false
    }

    fn start(&mut self, ticket: Ticket, mut passed: Option<u64>, waker: &Waker) -> bool {
        match self.seat.gate.start(ticket, &mut passed, waker) {
            Start::Go => {
                self.standing = Standing::Turn;
                return true;
            }
            Start::Again => self.let_pass(ticket, passed, waker),
            Start::Back => self.standing = Standing::Waiting(ticket),
            Start::Lost => return self.join(waker),
        }
        false
    }

    fn let_pass(&mut self, ticket: Ticket, passed: Option<u64>, waker: &Waker) {
        self.standing = Standing::Called(ticket, Passing { stage: Stage::Network, passed });
        // Tokio wakes whoever yields after it has asked the network. One poll is all it takes.
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(waker));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Seat { gate, tenant, .. } = self.seat;
        match self.standing {
            Standing::New | Standing::Inline | Standing::Demoted => {}
            Standing::Waiting(ticket) | Standing::Called(ticket, _) => {
                gate.leave(ticket, tenant);
            }
            Standing::Turn => gate.finish(tenant),
        }
    }
}
