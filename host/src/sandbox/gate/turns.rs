//! The future around a guest: polls it at once, or in turns.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::sandbox::epoch::{TICK, Ticker};
use crate::sandbox::meter::Meter;

use super::Seat;
use super::policy::{self, SLICE, Start, Ticket, Took};

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
        let (polled, cpu) = {
            let _running = this.ticker.enter();
            let before = this.meter.begin_poll(now, context.waker());
            if matches!(this.place.standing, Standing::Turn) {
                this.meter.begin_turn();
            }
            let polled = this.guest.poll(context);
            let cpu = this.meter.end_poll() - before;
            this.place.seat.charge(cpu);
            (polled, cpu)
        };
        this.place.exit(polled.is_pending() && this.meter.is_paused(), (now, cpu), context.waker());
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
#[derive(Debug)]
pub(super) enum Passing {
    Network,
    Line,
    /// The same where there are workers enough, but not cores.
    Cores(Pin<Box<Sleep>>),
}

impl Passing {
    /// Leaves a core to others until then, and has the task woken.
    pub(super) fn until(then: tokio::time::Instant, waker: &Waker) -> Self {
        let mut sleep = Box::pin(tokio::time::sleep_until(then));
        if sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            // Others took the core for that long before the timer was set, and a timer that is ready wakes nobody.
            waker.wake_by_ref();
            return Self::Line;
        }
        Self::Cores(sleep)
    }
}

/// How long to leave a core to others; tokio's timers are no finer.
const LEAVE: Duration = TICK;

impl Place<'_> {
    /// Whether the guest may be polled now. If not, its task will be woken.
    fn enter(&mut self, now: Instant, meter: &Meter, waker: &Waker) -> bool {
        let Seat { gate, tenant, .. } = self.seat;
        if tenant.seen.load(Ordering::Relaxed) != policy::window(gate.nanos(now)) {
            gate.see(tenant);
        }
        match &mut self.standing {
            Standing::New if !tenant.ahead.load(Ordering::Relaxed) => {
                self.standing = Standing::Inline;
                true
            }
            // A guest that waits often may get past every tick.
            Standing::Inline if meter.spent() < SLICE => true,
            Standing::New | Standing::Inline | Standing::Demoted => self.join(waker),
            Standing::Waiting(ticket) => {
                let ticket = *ticket;
                self.look(ticket, waker)
            }
            Standing::Called(ticket, passing) => {
                let ticket = *ticket;
                match passing {
                    Passing::Network => {
                        self.standing = Standing::Called(ticket, Passing::Line);
                        // A task that wakes itself goes to the end of the line.
                        waker.wake_by_ref();
                        false
                    }
                    Passing::Cores(sleep) => {
                        sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready() && self.start(ticket, waker)
                    }
                    Passing::Line => self.start(ticket, waker),
                }
            }
            // Left over from a poll that panicked.
            Standing::Turn => true,
        }
    }

    /// The guest was polled; `is_paused` if its slice is over.
    fn exit(&mut self, is_paused: bool, (began, cpu): (Instant, u64), waker: &Waker) {
        let Seat { gate, tenant, .. } = self.seat;
        let had_turn = matches!(self.standing, Standing::Turn);
        let took = had_turn.then(|| Took { wall: gate.nanos(Instant::now()) - gate.nanos(began), cpu });
        if is_paused {
            match gate.wait(tenant, took, waker) {
                (ticket, true) => self.let_pass(ticket, waker),
                (ticket, false) => self.standing = Standing::Waiting(ticket),
            }
        } else if let Some(took) = took {
            self.standing = Standing::Demoted;
            gate.finish(tenant, took);
        }
    }

    /// Comes to the gate from elsewhere, and goes through at once if nobody is there.
    fn join(&mut self, waker: &Waker) -> bool {
        match self.seat.gate.wait(&self.seat.tenant, None, waker) {
            // Its task was in line with all others just now.
            (ticket, true) => self.start(ticket, waker),
            (ticket, false) => {
                self.standing = Standing::Waiting(ticket);
                false
            }
        }
    }

    /// Woken while it waits, by its call or by something else.
    fn look(&mut self, ticket: Ticket, waker: &Waker) -> bool {
        match self.seat.gate.look(ticket, waker) {
            Some(true) => self.let_pass(ticket, waker),
            Some(false) => {}
            None => return self.join(waker),
        }
        false
    }

    fn start(&mut self, ticket: Ticket, waker: &Waker) -> bool {
        match self.seat.gate.start(ticket, waker) {
            Start::Go => {
                self.standing = Standing::Turn;
                return true;
            }
            Start::Again if self.seat.gate.workers == 1 => self.let_pass(ticket, waker),
            Start::Again => {
                let until = tokio::time::Instant::now() + LEAVE;
                self.standing = Standing::Called(ticket, Passing::until(until, waker));
            }
            Start::Back => self.standing = Standing::Waiting(ticket),
            Start::Lost => return self.join(waker),
        }
        false
    }

    fn let_pass(&mut self, ticket: Ticket, waker: &Waker) {
        self.standing = Standing::Called(ticket, Passing::Network);
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
            Standing::Turn => gate.finish(tenant, Took::default()),
        }
    }
}
