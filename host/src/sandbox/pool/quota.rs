//! What the apps of one tenant may run together.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::{TenantConfig, TenantName};

/// The quotas of those tenants that have one.
#[derive(Debug)]
pub(crate) struct Quotas(BTreeMap<TenantName, Arc<Semaphore>>);

/// The quota of one tenant, shared by its apps, if it has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota(Option<Arc<Semaphore>>);

/// A request's part of a quota, until dropped. Empty where there is none.
#[derive(Debug)]
pub(super) struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Quotas {
    pub(crate) fn new(tenants: &BTreeMap<TenantName, TenantConfig>) -> Self {
        let quota = |(name, config): (&TenantName, &TenantConfig)| {
            let permits = Semaphore::new(config.concurrency_max? as usize);
            Some((name.clone(), Arc::new(permits)))
        };
        Self(tenants.iter().filter_map(quota).collect())
    }

    /// The quota of `tenant`.
    pub(crate) fn of(&self, tenant: &TenantName) -> Quota {
        Quota(self.0.get(tenant).cloned())
    }
}

impl Quota {
    /// Whether the tenant runs as many requests as it may.
    pub(super) fn is_spent(&self) -> bool {
        self.0.as_ref().is_some_and(|permits| permits.available_permits() == 0)
    }

    pub(super) fn try_take(&self) -> Option<Share> {
        let permits = self.0.as_ref().map(|permits| Arc::clone(permits).try_acquire_owned());
        Some(Share { _permit: permits.transpose().ok()? })
    }

    /// Waits for its turn among the tenant's requests. `None` never comes: the semaphore is not closed.
    pub(super) async fn take(&self) -> Option<Share> {
        let Some(permits) = &self.0 else { return Some(Share { _permit: None }) };
        Some(Share { _permit: Some(Arc::clone(permits).acquire_owned().await.ok()?) })
    }
}
