//! How many instances are made before anybody asks for them.

use serde::{Deserialize, Serialize};

use super::Problem;

/// Instances of one app that are ready before their request comes: at least `min`, and up to `max` as
/// requests ask for them. Default none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Warm {
    /// So many are kept ready even if nobody comes.
    pub min: u32,
    /// Not more, however many requests come at once.
    pub max: u32,
}

impl Warm {
    /// What was set of the two, for an app with this `concurrency-max`. The one that was left out
    /// follows the other.
    pub(super) fn of(min: Option<u32>, max: Option<u32>, concurrency_max: u32) -> Result<Self, Problem> {
        let min = min.unwrap_or(0);
        let max = max.unwrap_or(min);
        if min > max {
            return Err(Problem::WarmMinOverMax { min, max });
        }
        if max > concurrency_max {
            return Err(Problem::WarmOverConcurrencyMax { max, concurrency_max });
        }
        Ok(Self { min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_follows_what_is_set() {
        assert_eq!(Warm::of(None, None, 64), Ok(Warm { min: 0, max: 0 }));
        assert_eq!(Warm::of(Some(2), None, 64), Ok(Warm { min: 2, max: 2 }));
        assert_eq!(Warm::of(None, Some(64), 64), Ok(Warm { min: 0, max: 64 }));
    }

    #[test]
    fn more_than_can_be_used_is_refused() {
        assert!(matches!(Warm::of(Some(3), Some(2), 64), Err(Problem::WarmMinOverMax { .. })));
        assert!(matches!(Warm::of(None, Some(65), 64), Err(Problem::WarmOverConcurrencyMax { .. })));
    }
}
