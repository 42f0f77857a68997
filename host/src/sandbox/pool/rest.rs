//! Instances at rest between two requests. What time it is comes from outside.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Which of an app's codes, one after the other, an instance was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// The instances of one app that rest, the one that was last to come last: its pages are the warmest.
#[derive(Debug)]
pub(super) struct Rest<I> {
    kept: VecDeque<Resting<I>>,
    generation: Generation,
}

#[derive(Debug)]
struct Resting<I> {
    instance: I,
    since: Instant,
    /// When it is too old to serve. None for one that has served nobody yet: it does not age.
    until: Option<Instant>,
}

impl<I> Rest<I> {
    /// Takes an instance of `generation`, as of `now`.
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
        self.kept.push_back(Resting { instance, since: now, until });
        Ok(())
    }

    /// The instance that came last.
    pub(super) fn pop(&mut self) -> Option<I> {
        self.kept.pop_back().map(|resting| resting.instance)
    }

    /// The instance that has rested for longest.
    pub(super) fn pop_oldest(&mut self) -> Option<I> {
        self.kept.pop_front().map(|resting| resting.instance)
    }

    /// What is too old, and what has rested longer than `rest_max`; of the latter the `keep` that came
    /// last may stay.
    pub(super) fn expire(&mut self, now: Instant, rest_max: Duration, keep: usize) -> Vec<I> {
        let is_old = |resting: &Resting<I>| resting.until.is_some_and(|until| now >= until);
        let mut expired = Vec::new();
        if self.kept.iter().any(is_old) {
            let (old, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.kept).into_iter().partition(is_old);
            self.kept = kept;
            expired.extend(old.into_iter().map(|resting| resting.instance));
        }
        while self.kept.len() > keep
            && self.kept.front().is_some_and(|resting| now.duration_since(resting.since) >= rest_max)
        {
            expired.extend(self.pop_oldest());
        }
        expired
    }

    /// All of them; from now on the code is another.
    pub(super) fn clear(&mut self) -> Vec<I> {
        self.generation.0 += 1;
        std::mem::take(&mut self.kept).into_iter().map(|resting| resting.instance).collect()
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}

impl<I> Default for Rest<I> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), generation: Generation::default() }
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
