//! What the operator says of a tenant.

use std::fmt::{self, Display};

/// One `[[tenant]]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantConfig {
    /// Requests of all its apps that run at the same time, at least 1; who would be one more waits, and is
    /// refused with 429 where another app's request were refused with 503. By default what its apps'
    /// `concurrency-max` allow.
    pub concurrency_max: Option<u32>,
    /// Its share of the CPU.
    pub weight: Weight,
}

/// A tenant's share of the CPU when several tenants want more than there is: one of weight 200 gets
/// twice what one of weight 100 gets. 1 to 10000, default 100, as systemd's `CPUWeight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(u32);

/// Why a number is no weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no weight; take 1 to 10000, where 100 is what a tenant has by default")]
pub struct WeightError(u32);

impl Weight {
    /// From 1 to 10000.
    ///
    /// # Errors
    /// Any other number.
    pub fn new(weight: u32) -> Result<Self, WeightError> {
        if (1..=MAX).contains(&weight) { Ok(Self(weight)) } else { Err(WeightError(weight)) }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

const MAX: u32 = 10_000;

impl Default for Weight {
    fn default() -> Self {
        Self(100)
    }
}

impl Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
