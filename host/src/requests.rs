//! How many requests the host has in hand, all connections together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts requests from their head to the end of their response.
#[derive(Debug)]
pub struct Requests {
    in_hand: Arc<AtomicU32>,
    max: u32,
}

/// Proof that a request is counted, until dropped.
#[derive(Debug)]
pub struct Admitted(Arc<AtomicU32>);

/// `requests-max` requests are in hand already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host has all the requests in hand that it may have (requests-max)")]
pub struct HostFull;

impl Requests {
    /// At most `max` requests at the same time.
    pub fn new(max: u32) -> Self {
        Self { in_hand: Arc::default(), max }
    }

    /// Counts one more request.
    ///
    /// # Errors
    /// [`HostFull`], with nothing counted.
    pub fn admit(&self) -> Result<Admitted, HostFull> {
        let one_more = |in_hand: u32| in_hand.checked_add(1).filter(|in_hand| *in_hand <= self.max);
        // Only the number counts, no other memory hangs on it.
        let admitted = self.in_hand.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        admitted.map(|_before| Admitted(Arc::clone(&self.in_hand))).map_err(|_full| HostFull)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_over_the_limit_is_refused_until_another_ends() {
        let requests = Requests::new(2);
        let (first, _second) = (requests.admit().unwrap(), requests.admit().unwrap());
        for _ in 0..3 {
            assert_eq!(requests.admit().unwrap_err(), HostFull);
        }
        drop(first);
        let _third = requests.admit().unwrap();
        assert_eq!(requests.admit().unwrap_err(), HostFull);
    }

    #[test]
    fn the_largest_limit_is_no_overflow() {
        let requests = Requests { in_hand: Arc::new(AtomicU32::new(u32::MAX)), max: u32::MAX };
        assert_eq!(requests.admit().unwrap_err(), HostFull);
    }

    #[test]
    fn threads_never_have_more_in_hand_than_the_limit() {
        const MAX: u32 = 3;
        let requests = Requests::new(MAX);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if let Ok(_admitted) = requests.admit() {
                            assert!(requests.in_hand.load(Ordering::Relaxed) <= MAX);
                        }
                    }
                });
            }
        });
        assert_eq!(requests.in_hand.load(Ordering::Relaxed), 0, "all are given back");
    }
}
