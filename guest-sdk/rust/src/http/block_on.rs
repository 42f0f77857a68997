//! Runs a future on the guest's one thread.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};

/// The future waits, and nothing is left that could wake it: host calls block, and there is no other thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a future waits for something that nothing in the guest can bring about (a timer, a socket, another thread)")
    }
}

/// Polls until the future is ready.
///
/// It is polled again only if it woke itself, so a future that waits in vain is told so, instead of
/// spinning until the CPU limit.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Stalled> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Arc::clone(&woken).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return Ok(value),
            Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
            Poll::Pending => return Err(Stalled),
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use super::*;

    #[test]
    fn a_future_that_wakes_itself_is_polled_again() {
        let mut polls = 0;
        let counted = poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(polls) } else { Poll::Pending }
        });
        assert_eq!(block_on(counted), Ok(3));
    }

    #[test]
    fn a_future_that_nothing_can_wake_is_an_error_and_no_loop() {
        assert_eq!(block_on(pending::<()>()), Err(Stalled));
    }
}
