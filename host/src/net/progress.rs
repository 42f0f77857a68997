//! Whether an HTTP/2 client still takes its response.
//!
//! In HTTP/1 a client that reads nothing blocks a write, which `io` times. In HTTP/2 it closes its
//! window: nothing is written at all, and hyper just never asks for the rest of the body.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How one response gets on.
#[derive(Debug)]
pub struct Progress {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// hyper is to ask for more once the client has room for it; since when.
    Owed(Instant),
    /// hyper has asked, and the app has nothing yet.
    Waiting,
    /// The body is done, or dropped.
    Ended,
}

impl Default for Progress {
    fn default() -> Self {
        Self { state: Mutex::new(State::Owed(Instant::now())), ended: Notify::new() }
    }
}

impl Progress {
    /// A chunk was handed over.
    pub fn handed(&self) {
        *self.state() = State::Owed(Instant::now());
    }

    /// There is no chunk to hand over yet.
    pub fn waiting(&self) {
        *self.state() = State::Waiting;
    }

    /// The body is done, or dropped.
    pub fn end(&self) {
        *self.state() = State::Ended;
        self.ended.notify_one();
    }

    /// Resolves to true once the client has had no room for `most`, to false when the body ends.
    pub async fn stalls(&self, most: Duration) -> bool {
        loop {
            let deadline = match *self.state() {
                State::Owed(since) => since + most,
                State::Waiting => Instant::now() + most,
                State::Ended => return false,
            };
            tokio::select! {
                () = self.ended.notified() => return false,
                () = tokio::time::sleep_until(deadline) => {}
            }
            if matches!(*self.state(), State::Owed(since) if since.elapsed() >= most) {
                return true;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain values, whole at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn a_client_without_room_stalls() {
        let start = Instant::now();
        assert!(Progress::default().stalls(MOST).await);
        assert_eq!(start.elapsed(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_without_data_does_not() {
        let progress = Progress::default();
        progress.waiting();
        let watch = tokio::time::timeout(10 * MOST, progress.stalls(MOST));
        assert!(watch.await.is_err(), "still watching");
        progress.handed();
        assert!(progress.stalls(MOST).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_body_ends_the_watch() {
        let progress = Progress::default();
        let (stalled, ()) = tokio::join!(progress.stalls(MOST), async { progress.end() });
        assert!(!stalled);
        assert!(!progress.stalls(MOST).await);
    }
}
