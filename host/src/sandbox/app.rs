//! One app: its compiled code, its terms and its pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::client::Client;
use crate::config::{AppName, RequestBody};
use crate::limits::AppLimits;
use crate::sandbox::bindings;
use crate::sandbox::epoch::Ticker;
use crate::sandbox::fault::Fault;
use crate::sandbox::gate::{Seat, Tenant};
use crate::sandbox::instance::Instance;
use crate::sandbox::meter::Meter;
use crate::sandbox::output::GuestLog;
use crate::sandbox::pool::{Lease, Pool, PoolError, warm};
use crate::sandbox::prepare::{self, Artifact, Refusal};
use crate::sandbox::store::{Guest, Terms, build_store};
use crate::sandbox::wear;

/// An app that is ready to serve.
pub struct App {
    name: AppName,
    seat: Seat,
    terms: Arc<Terms>,
    reuse: u32,
    request_body: RequestBody,
    /// Replaced as a whole when the engine is.
    code: ArcSwap<Code>,
    pool: Arc<Pool>,
    /// Instances made so far.
    made: AtomicU32,
}

/// A component, compiled and linked into one engine.
pub(crate) struct Code {
    engine: Engine,
    ticker: Ticker,
    pre: bindings::AppPre<Guest>,
}

/// What names an app and says how requests reach it.
#[derive(Debug)]
pub(crate) struct AppSettings {
    pub(crate) name: AppName,
    pub(crate) seat: Seat,
    pub(crate) reuse: u32,
    pub(crate) request_body: RequestBody,
}

impl App {
    pub(crate) fn new(settings: AppSettings, terms: Arc<Terms>, code: Code, pool: Arc<Pool>) -> Self {
        let AppSettings { name, seat, reuse, request_body } = settings;
        Self {
            name,
            seat,
            terms,
            reuse,
            request_body,
            code: ArcSwap::from_pointee(code),
            pool,
            made: AtomicU32::new(0),
        }
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

    /// Its limits.
    pub fn limits(&self) -> &AppLimits {
        &self.terms.limits
    }

    /// The environment it was given.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.terms.grants.env
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
        self.code().try_instance(&self.terms, self.seat(), log).await
    }

    pub(crate) fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    pub(crate) fn code(&self) -> Arc<Code> {
        self.code.load_full()
    }

    /// How many requests the next instance may serve: [`App::reuse`], or a little less.
    pub(crate) fn requests_max(&self) -> u32 {
        wear::requests_max(self.reuse, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether some of its instances are to be made before anybody asks for them.
    pub(crate) fn wants_warm(&self) -> bool {
        self.pool.wants_warm()
    }

    /// Keeps warm instances made, until dropped. What they print before
    /// their first request goes to `log`.
    pub(crate) async fn keep_warm(self: Arc<Self>, log: Arc<dyn GuestLog>) {
        let make = |slot| {
            let (app, log) = (Arc::clone(&self), Arc::clone(&log));
            async move { app.make_warm(slot, log).await }
        };
        warm::fill(Arc::clone(&self.pool), make).await;
    }

    async fn make_warm(&self, slot: OwnedSemaphorePermit, log: Arc<dyn GuestLog>) -> Option<Instance> {
        let code = self.code();
        let meter = Arc::new(Meter::start(self.limits(), Arc::new(Client::default())));
        let started = Instance::start(self, (Arc::clone(&code), slot), Arc::clone(&log), Arc::clone(&meter));
        let fault = match meter.supervise(&self.seat, code.ticker(), started).await {
            Ok(Ok(instance)) => return Some(instance),
            Ok(Err(fault)) => fault,
            Err(overrun) => Fault::Overrun { overrun, backtrace: None },
        };
        log.fault(&fault);
        None
    }

    /// Serves new instances from `code`; those at rest are dropped, those at work finish.
    pub(crate) fn replace_code(&self, code: Code) {
        self.code.store(Arc::new(code));
        self.pool.retire_all();
    }
}

impl Code {
    /// Loads a compiled component into `engine` and links it.
    ///
    /// # Errors
    /// When the artifact is not of this engine, or asks for what the host does not have.
    pub(crate) fn load(engine: &Engine, ticker: &Ticker, artifact: &Artifact) -> wasmtime::Result<Self> {
        Self::link(engine, ticker, &artifact.load(engine)?)
    }

    /// Links a component.
    ///
    /// # Errors
    /// Names the import that is missing or the export that is wrong.
    pub(crate) fn link(engine: &Engine, ticker: &Ticker, component: &Component) -> wasmtime::Result<Self> {
        Ok(Self { engine: engine.clone(), ticker: ticker.clone(), pre: link(engine, component)? })
    }

    /// Makes one instance under the app's limits.
    ///
    /// # Errors
    /// Names the limit or the misfit.
    pub(crate) async fn try_instance(
        &self,
        terms: &Arc<Terms>,
        seat: &Seat,
        log: Arc<dyn GuestLog>,
    ) -> Result<(), Refusal> {
        let meter = Arc::new(Meter::start(&terms.limits, Arc::new(Client::default())));
        let mut store = build_store(&self.engine, Arc::clone(terms), Arc::clone(&meter), log);
        match meter.supervise(seat, &self.ticker, self.pre.instantiate_async(&mut store)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if store.data().limiter.host_is_exhausted() || prepare::is_exhaustion(&error) => {
                Err(Refusal::Exhausted)
            }
            Ok(Err(error)) => {
                let out_of_memory = store.data_mut().limiter.take_refused();
                Err(match Fault::from_instantiation(&error, out_of_memory) {
                    Fault::Instantiate(text) => Refusal::Link(text),
                    fault => Refusal::Instantiate(fault.to_string()),
                })
            }
            Err(overrun) => Err(Refusal::Instantiate(overrun.to_string())),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    pub(crate) fn pre(&self) -> &bindings::AppPre<Guest> {
        &self.pre
    }
}

/// Everything a guest may import.
///
/// # Errors
/// None in practice: the names are ours and differ.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    bindings::App::add_to_linker::<_, wasmtime::component::HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Links a component and checks its exports.
///
/// # Errors
/// Names the import that is missing or the export that is wrong.
pub(crate) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<bindings::AppPre<Guest>> {
    bindings::AppPre::new(linker(engine)?.instantiate_pre(component)?)
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("name", &self.name).field("tenant", self.tenant().name()).finish_non_exhaustive()
    }
}
