//! Whether the client of a request is still there.

use std::sync::OnceLock;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Shared by a request's reader, its guest and its response body: whoever notices first that the
/// client has gone says so here, and all others learn it (PEP 3333 rule 65).
#[derive(Debug, Default)]
pub struct Client {
    left_at: OnceLock<Instant>,
    leaving: Notify,
}

impl Client {
    /// Records that the client has gone. Later calls change nothing.
    pub fn leave(&self) {
        if self.left_at.set(Instant::now()).is_ok() {
            self.leaving.notify_waiters();
        }
    }

    /// When the client left, if it has.
    pub fn left_at(&self) -> Option<Instant> {
        self.left_at.get().copied()
    }

    /// Whether the client has gone.
    pub fn has_left(&self) -> bool {
        self.left_at.get().is_some()
    }

    /// Resolves once the client has gone; at once if it has already.
    pub async fn left(&self) {
        let notified = self.leaving.notified();
        tokio::pin!(notified);
        // Registered before the check, so that a leave in between is not missed.
        notified.as_mut().enable();
        if !self.has_left() {
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn everybody_learns_that_the_client_left() {
        let client = Arc::new(Client::default());
        assert!(!client.has_left());
        let waiter = {
            let client = Arc::clone(&client);
            async move { client.left().await }
        };
        tokio::join!(waiter, async { client.leave() });
        let first = client.left_at();
        client.leave();
        assert_eq!(client.left_at(), first, "the first time counts");
        client.left().await;
    }
}
