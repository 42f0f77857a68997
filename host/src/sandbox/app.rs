//! One app: its code, its terms and its pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use crate::bundle::Asks;
use crate::bundle::store::Unpacked;
use crate::client::Client;
use crate::config::{AppName, Grants, RequestBody};
use crate::limits::AppLimits;
use crate::sandbox::code::Code;
use crate::sandbox::deploy::Claims;
use crate::sandbox::exports::Kind;
use crate::sandbox::fault::Fault;
use crate::sandbox::gate::{Seat, Tenant};
use crate::sandbox::instance::Instance;
use crate::sandbox::meter::Meter;
use crate::sandbox::output::GuestLog;
use crate::sandbox::pool::{Lease, Pool, PoolError, warm};
use crate::sandbox::prepare::{Artifact, Refusal};
use crate::sandbox::shelf::Volume;
use crate::sandbox::store::Terms;
use crate::sandbox::warm_up::WarmUp;
use crate::sandbox::wear;

/// An app that is ready to serve.
pub struct App {
    name: AppName,
    seat: Seat,
    terms: Arc<Terms>,
    reuse: u32,
    request_body: RequestBody,
    asks: Asks,
    /// What readies its warm instances.
    warm_up: Option<WarmUp>,
    _claims: Claims,
    volume: Arc<Volume>,
    pool: Arc<Pool>,
    /// Instances made so far.
    made: AtomicU32,
}

/// What names an app and says how requests reach it.
#[derive(Debug)]
pub(crate) struct AppSettings {
    pub(crate) name: AppName,
    pub(crate) seat: Seat,
    pub(crate) reuse: u32,
    pub(crate) request_body: RequestBody,
    pub(crate) asks: Asks,
    pub(crate) claims: Claims,
}

impl App {
    pub(crate) fn new(settings: AppSettings, terms: Arc<Terms>, volume: Arc<Volume>, pool: Arc<Pool>) -> Self {
        let AppSettings { name, seat, reuse, request_body, asks, claims } = settings;
        let is_called = volume.artifact().report.kind == Kind::Gateway;
        // A program has no request but its first.
        let warm_up = asks.warm_up.as_ref().filter(|_| is_called);
        let warm_up = warm_up.and_then(|path| WarmUp::new(path, &terms.grants.env));
        let made = AtomicU32::new(0);
        Self { name, seat, terms, reuse, request_body, asks, warm_up, _claims: claims, volume, pool, made }
    }

    /// The app's name, unique on its host.
    pub fn name(&self) -> &AppName {
        &self.name
    }

    /// Who owns it.
    pub fn tenant(&self) -> &Arc<Tenant> {
        self.seat.tenant()
    }

    /// CPU time that its guests have used since it was loaded. Never goes back.
    pub fn cpu_time(&self) -> Duration {
        self.seat.cpu_time()
    }

    /// Where its guests wait for their turns.
    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// How requests reach it.
    pub fn kind(&self) -> Kind {
        self.artifact().report.kind
    }

    /// Its limits.
    pub fn limits(&self) -> &AppLimits {
        &self.terms.limits
    }

    /// The environment it was given.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.terms.grants.env
    }

    /// What its author asks for, granted or not.
    pub fn asks(&self) -> &Asks {
        &self.asks
    }

    /// The files that it brought along.
    pub fn bundle(&self) -> Option<&Unpacked> {
        self.terms.mounts.bundle().map(Arc::as_ref)
    }

    /// What it was granted.
    pub fn grants(&self) -> &Grants {
        &self.terms.grants
    }

    /// Whether it runs as one instance at a time, as it asks.
    pub fn is_single(&self) -> bool {
        self.asks.is_single(self.grants())
    }

    /// Requests that one instance serves, at most.
    pub fn reuse(&self) -> u32 {
        self.reuse
    }

    /// Whether bodies are complete before the guest is called.
    pub fn request_body(&self) -> RequestBody {
        self.request_body
    }

    /// Whether a request could be taken or queued now; asked before its body is read.
    ///
    /// # Errors
    /// [`PoolError`] with [`Busy::QueueFull`](crate::sandbox::pool::Busy::QueueFull).
    pub fn admits(&self) -> Result<(), PoolError> {
        self.pool.admits()
    }

    /// A place for one request.
    ///
    /// # Errors
    /// [`PoolError`] when the queue is full or the wait in it too long.
    pub async fn acquire(&self) -> Result<Lease, PoolError> {
        self.pool.acquire().await
    }

    /// Makes one instance and drops it: what would fail for every request fails now. Benchmarks time it.
    ///
    /// # Errors
    /// Names the limit or the misfit.
    pub async fn try_instance(&self, log: Arc<dyn GuestLog>) -> Result<(), Refusal> {
        let code = self.code().await.map_err(|fault| Refusal::Link(fault.to_string()))?;
        code.try_instance(&self.terms, self.seat(), log).await
    }

    pub(crate) fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// What its component is.
    pub fn artifact(&self) -> &Artifact {
        self.volume.artifact()
    }

    /// Its code, loaded now if it is not.
    ///
    /// # Errors
    /// [`Fault::Instantiate`] when it cannot be loaded.
    pub(crate) async fn code(&self) -> Result<Arc<Code>, Fault> {
        match self.volume.loaded() {
            Some(code) => Ok(code),
            None => self.volume.code().await,
        }
    }

    /// How many requests the next instance may serve: [`App::reuse`], or a little less.
    pub(crate) fn requests_max(&self) -> u32 {
        wear::requests_max(self.reuse, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether some of its instances are to be made before anybody asks for them.
    pub(crate) fn wants_warm(&self) -> bool {
        self.pool.wants_warm()
    }

    /// Keeps warm instances made, until dropped. What they print before their first request
    /// goes to `log`.
    pub(crate) async fn keep_warm(self: Arc<Self>, log: Arc<dyn GuestLog>) {
        let make = |slot| {
            let (app, log) = (Arc::clone(&self), Arc::clone(&log));
            async move { app.make_warm(slot, log).await }
        };
        warm::fill(Arc::clone(&self.pool), make).await;
    }

    async fn make_warm(&self, slot: OwnedSemaphorePermit, log: Arc<dyn GuestLog>) -> Option<Instance> {
        let started = async {
            let code = self.code().await?;
            let meter = Arc::new(Meter::start(self.limits(), Arc::new(Client::default())));
            let start = async {
                let made = (Arc::clone(&code), slot);
                let mut instance = Instance::start(self, made, Arc::clone(&log), Arc::clone(&meter)).await?;
                if let Some(warm_up) = &self.warm_up {
                    instance.ready(warm_up.call(self, Arc::clone(&log), Arc::clone(&meter))).await?;
                }
                Ok(instance)
            };
            let started = meter.supervise(&self.seat, code.ticker(), start).await;
            started.unwrap_or_else(|overrun| Err(Fault::Overrun { overrun, backtrace: None }))
        };
        started.await.map_err(|fault| log.fault(&fault)).ok()
    }

    /// Drops its code and its instances at rest; those at work finish, and the next request loads it anew.
    pub(crate) fn forget_code(&self) {
        self.volume.forget();
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("name", &self.name).field("tenant", self.tenant().name()).finish_non_exhaustive()
    }
}
