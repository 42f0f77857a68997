//! Instances at rest between two requests. What time it is comes from outside.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Which of an app's codes, one after the other, an instance was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// The instances of one app that rest. In each list the one that was last to come is last: its pages are
/// the warmest.
#[derive(Debug)]
pub(super) struct Rest<I> {
    used: VecDeque<Resting<I>>,
    /// Those that have served nobody yet.
    warm: VecDeque<Resting<I>>,
    generation: Generation,
}

#[derive(Debug)]
struct Resting<I> {
    instance: I,
    since: Instant,
    /// When it is too old to serve. None for a warm one: it does not age.
    until: Option<Instant>,
}

impl<I> Rest<I> {
    /// Takes an instance of `generation`, as of `now`; a warm one if no time is set to it.
    ///
    /// # Errors
    /// Gives it back when its code was replaced.
    pub(super) fn push(
        &mut self,
        instance: I,
        generation: Generation,
        (now, until): (Instant, Option<Instant>),
    ) -> Result<(), I> {
        if generation != self.generation {
            return Err(instance);
        }
        let list = if until.is_some() { &mut self.used } else { &mut self.warm };
        list.push_back(Resting { instance, since: now, until });
        Ok(())
    }

    /// The instance that served last, else the warm one that was made last.
    pub(super) fn pop(&mut self) -> Option<I> {
        self.used.pop_back().or_else(|| self.warm.pop_back()).map(|resting| resting.instance)
    }

    /// The instance that has rested for longest.
    pub(super) fn pop_oldest(&mut self) -> Option<I> {
        let list = if self.is_used_older() { &mut self.used } else { &mut self.warm };
        list.pop_front().map(|resting| resting.instance)
    }

    /// What is too old, and what has rested longer than `rest_max`; of the latter the `keep` that came
    /// last may stay.
    pub(super) fn expire(&mut self, now: Instant, rest_max: Duration, keep: usize) -> Vec<I> {
        let is_old = |resting: &Resting<I>| resting.until.is_some_and(|until| now >= until);
        let mut expired = Vec::new();
        if self.used.iter().any(is_old) {
            let (old, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.used).into_iter().partition(is_old);
            self.used = kept;
            expired.extend(old.into_iter().map(|resting| resting.instance));
        }
        while self.len() > keep && self.oldest().is_some_and(|since| now.duration_since(since) >= rest_max) {
            expired.extend(self.pop_oldest());
        }
        expired
    }

    /// All of them; from now on the code is another.
    pub(super) fn clear(&mut self) -> Vec<I> {
        self.generation.0 += 1;
        let (used, warm) = (std::mem::take(&mut self.used), std::mem::take(&mut self.warm));
        used.into_iter().chain(warm).map(|resting| resting.instance).collect()
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn len(&self) -> usize {
        self.used.len() + self.warm.len()
    }

    /// Since when the one has rested that has rested for longest.
    fn oldest(&self) -> Option<Instant> {
        let list = if self.is_used_older() { &self.used } else { &self.warm };
        list.front().map(|resting| resting.since)
    }

    fn is_used_older(&self) -> bool {
        match (self.used.front(), self.warm.front()) {
            (Some(used), Some(warm)) => used.since < warm.since,
            (used, _) => used.is_some(),
        }
    }
}

impl<I> Default for Rest<I> {
    fn default() -> Self {
        Self { used: VecDeque::new(), warm: VecDeque::new(), generation: Generation::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Instances 0, 1, 2… that came a second apart; all of them age at `until`.
    fn rest(count: u32, until: Option<Instant>) -> (Rest<u32>, Instant) {
        let (mut rest, start) = (Rest::default(), Instant::now());
        for number in 0..count {
            rest.push(number, rest.generation(), (start + SECOND * number, until)).unwrap();
        }
        (rest, start)
    }

    #[test]
    fn who_came_last_serves_first_and_who_came_first_gives_way_first() {
        let (mut rest, _) = rest(3, None);
        assert_eq!((rest.pop(), rest.pop_oldest(), rest.pop(), rest.pop()), (Some(2), Some(0), Some(1), None));
    }

    #[test]
    fn one_that_has_served_is_taken_before_a_warm_one() {
        let (mut rest, start) = rest(2, None);
        rest.push(7, rest.generation(), (start + SECOND / 2, Some(start + SECOND * 9))).unwrap();
        assert_eq!((rest.len(), rest.pop()), (3, Some(7)));
        rest.push(8, rest.generation(), (start + SECOND / 2, Some(start + SECOND * 9))).unwrap();
        assert_eq!(rest.expire(start + SECOND * 3, SECOND * 2, 1), [0, 8], "by how long they rest");
        assert_eq!(rest.pop(), Some(1));
    }

    #[test]
    fn an_instance_rests_for_as_long_as_it_may() {
        let (mut rest, start) = rest(3, None);
        assert_eq!(rest.expire(start + SECOND * 10, SECOND * 11, 0), [] as [u32; 0]);
        assert_eq!(rest.expire(start + SECOND * 11, SECOND * 10, 0), [0, 1]);
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn those_to_be_kept_rest_on() {
        let (mut rest, start) = rest(3, None);
        assert_eq!(rest.expire(start + SECOND * 100, SECOND, 2), [0]);
        assert_eq!(rest.expire(start + SECOND * 100, SECOND, 2), [] as [u32; 0]);
    }

    #[test]
    fn an_instance_that_is_too_old_goes_even_if_some_are_to_be_kept() {
        let (mut rest, start) = rest(1, None);
        let now = start + SECOND * 5;
        rest.push(7, rest.generation(), (now, Some(now + SECOND))).unwrap();
        assert_eq!(rest.expire(now, SECOND * 9, 9), [] as [u32; 0]);
        assert_eq!(rest.expire(now + SECOND, SECOND * 9, 9), [7]);
        assert_eq!(rest.pop(), Some(0));
    }

    #[test]
    fn an_instance_of_replaced_code_does_not_come_to_rest() {
        let (mut rest, start) = rest(2, None);
        let before = rest.generation();
        assert_eq!(rest.clear(), [0, 1]);
        assert_eq!(rest.push(2, before, (start, None)), Err(2));
        rest.push(3, rest.generation(), (start, None)).unwrap();
        assert_eq!((rest.pop(), rest.pop()), (Some(3), None));
    }
}
