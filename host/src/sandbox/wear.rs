//! What one instance has behind it, and whether it may serve once more.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::AppLimits;

/// The life of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wear {
    served: u32,
    /// How many it may serve: `reuse`, or a little less.
    requests_max: u32,
    /// When its first request began.
    began: Option<Instant>,
}

/// What a guest holds when its request is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Bytes of its memories and tables.
    pub(crate) memory: usize,
    /// Handles of WASI and of the gateway.
    pub(crate) handles: usize,
}

/// Why an instance serves nobody after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retired {
    Served,
    Age,
    Memory,
    Handles,
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Served => "it has served its requests (reuse)",
            Self::Age => "it is too old (reuse-age-max)",
            Self::Memory => "it has grown too large (reuse-memory-max)",
            Self::Handles => "it keeps too many handles (reuse-handles-max)",
        })
    }
}

impl Wear {
    /// A new instance that may serve `requests_max` requests.
    pub(crate) fn new(requests_max: u32) -> Self {
        Self { served: 0, requests_max, began: None }
    }

    /// Begins a request; its number, from 1.
    pub(crate) fn begin(&mut self) -> u32 {
        if self.requests_max > 1 && self.began.is_none() {
            self.began = Some(Instant::now());
        }
        self.served += 1;
        self.served
    }

    /// The request that was begun last was the host's own: the instance may serve as many as before.
    pub(crate) fn excuse(&mut self) {
        self.requests_max = self.requests_max.saturating_add(1);
        self.began = None;
    }

    /// How many requests it has served or begun.
    pub(crate) fn served(&self) -> u32 {
        self.served
    }

    /// Whether it serves at most the request it has in hand, so that nothing else needs to be looked at.
    pub(crate) fn is_spent(&self) -> bool {
        self.served >= self.requests_max
    }

    /// Until when it may serve; or why not at all, holding `held` at the end of a request.
    pub(crate) fn rest_until(&self, limits: &AppLimits, held: Held, now: Instant) -> Result<Instant, Retired> {
        let until = self.began.unwrap_or(now) + Duration::from(limits.reuse_age_max);
        if self.is_spent() {
            Err(Retired::Served)
        } else if now >= until {
            Err(Retired::Age)
        } else if held.memory as u64 > limits.reuse_memory_max.bytes() {
            Err(Retired::Memory)
        } else if held.handles as u64 > u64::from(limits.reuse_handles_max) {
            Err(Retired::Handles)
        } else {
            Ok(until)
        }
    }
}

/// One of so many requests of `reuse` may be missing.
const JITTER_PART: u32 = 8;

/// How many requests the instance with this number, counted by its app from 0, may serve: `reuse` less
/// up to an eighth, so that instances that were made together do not all end together.
///
/// The golden ratio spreads any run of numbers evenly, which random ones are not for so few.
pub(crate) fn requests_max(reuse: u32, number: u32) -> u32 {
    const GOLDEN: u32 = 0x9e37_79b9;
    let span = u64::from(reuse / JITTER_PART) + 1;
    let fraction = u64::from(number.wrapping_mul(GOLDEN));
    // Less than `span`, which fits.
    let less = u32::try_from((fraction * span) >> 32).unwrap_or(0);
    reuse - less
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> AppLimits {
        AppLimits {
            reuse_age_max: "10s".parse().unwrap(),
            reuse_memory_max: "1KiB".parse().unwrap(),
            reuse_handles_max: 4,
            ..AppLimits::default()
        }
    }

    const LITTLE: Held = Held { memory: 1024, handles: 4 };

    #[tokio::test(start_paused = true)]
    async fn a_request_of_the_hosts_own_neither_ages_nor_wears_an_instance() {
        let mut wear = Wear::new(1);
        assert_eq!(wear.begin(), 1);
        wear.excuse();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!wear.is_spent());
        assert_eq!(wear.begin(), 2, "no handle of the first names the second");
        assert!(wear.is_spent());
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_ages_from_its_first_request() {
        let mut wear = Wear::new(9);
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        assert_eq!(wear.begin(), 1);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(wear.begin(), 2);
        assert_eq!(wear.rest_until(&limits(), LITTLE, Instant::now()), Ok(start + Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(wear.rest_until(&limits(), LITTLE, Instant::now()), Err(Retired::Age));
    }

    #[test]
    fn an_instance_that_holds_more_than_it_may_retires() {
        let mut wear = Wear::new(9);
        wear.begin();
        let retired = |held| wear.rest_until(&limits(), held, Instant::now()).err();
        assert_eq!(retired(LITTLE), None);
        assert_eq!(retired(Held { memory: 1025, ..LITTLE }), Some(Retired::Memory));
        assert_eq!(retired(Held { handles: 5, ..LITTLE }), Some(Retired::Handles));
    }

    #[test]
    fn an_instance_serves_its_requests_and_no_more() {
        let mut wear = Wear::new(2);
        wear.begin();
        assert!(!wear.is_spent() && wear.rest_until(&limits(), LITTLE, Instant::now()).is_ok());
        wear.begin();
        assert!(wear.is_spent());
        assert_eq!(wear.rest_until(&limits(), LITTLE, Instant::now()), Err(Retired::Served));
    }

    #[test]
    fn reuse_is_shortened_by_up_to_an_eighth_and_evenly() {
        for reuse in [1, 2, 7] {
            assert!((0..100).all(|number| requests_max(reuse, number) == reuse));
        }
        let mut seen: Vec<_> = (0..14).map(|number| requests_max(100, number)).collect();
        assert!(seen.iter().all(|most| (88..=100).contains(most)), "{seen:?}");
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() >= 10, "any run of them is spread: {seen:?}");
        assert!(requests_max(u32::MAX, u32::MAX) >= u32::MAX / 8 * 7);
    }
}
