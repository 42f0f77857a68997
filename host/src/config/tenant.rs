//! What the apps of one tenant may use together.

/// One `[[tenant]]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantConfig {
    /// Requests of all its apps that run at the same time, at least 1; who would be one more waits, and is
    /// refused with 429 where another app's request were refused with 503. By default what its apps'
    /// `concurrency-max` allow.
    pub concurrency_max: Option<u32>,
}
