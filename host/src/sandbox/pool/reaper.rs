//! Drops instances that have rested too long. One task for the whole host: a timer for each instance
//! never fires while a load passes evenly over all of them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::sandbox::pool::Slots;

/// How often it looks, while anything rests. Bounds of rest and age are kept to this.
const PERIOD: Duration = Duration::from_secs(1);

/// Reaps until all apps are gone.
pub(crate) async fn reap(slots: Weak<Slots>) {
    while let Some(slots) = slots.upgrade() {
        if slots.reap(Instant::now()) {
            drop(slots);
            tokio::time::sleep(PERIOD).await;
        } else {
            slots.until_one_rests().await;
        }
    }
}

/// Reaps for `slots`.
pub(crate) fn of(slots: &Arc<Slots>) -> impl Future<Output = ()> + Send + 'static {
    reap(Arc::downgrade(slots))
}
