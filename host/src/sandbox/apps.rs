//! All apps of one host and the engine they share.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use rustix::process::{Resource, getrlimit};

use crate::bundle::Asks;
use crate::bundle::mounts::MountError;
use crate::config::{AppConfig, AppName, Config, TenantName, Warm};
use crate::limits::{AppLimits, Size};
use crate::sandbox::app::{App, AppSettings};
use crate::sandbox::code::Serving;
use crate::sandbox::deploy::{self, Claims, Deployed, deploy};
use crate::sandbox::engine::{self, Needs, PoolPlan};
use crate::sandbox::epoch::Ticker;
use crate::sandbox::gate::{Gate, Seat, Tenant};
use crate::sandbox::output::GuestLog;
use crate::sandbox::pool::{Pool, Quotas, Slots, reaper};
use crate::sandbox::prepare::{Artifact, PrepareError, Refusal, Workshop};
use crate::sandbox::reset::SlotReset;
use crate::sandbox::room::Room;
use crate::sandbox::shelf::{Shelf, Volume};
use crate::sandbox::swap::Swaps;

/// Why an app is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its component cannot be prepared.
    #[error("app {app}: {error}")]
    Prepare {
        /// The app.
        app: AppName,
        /// Why.
        error: PrepareError,
    },
    /// A directory that it was granted cannot be opened.
    #[error("app {app}: cannot open the granted directory {dir}: {error}; create it or end its grant")]
    Grant {
        /// The app.
        app: AppName,
        /// The directory.
        dir: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A directory that another app has for itself, or that this one must have for itself.
    #[error("app {app}: the granted directory {dir}, {}; stop that one, or grant each a directory of its own", deploy::at_odds(*alone))]
    Claimed {
        /// The app.
        app: AppName,
        /// The directory.
        dir: PathBuf,
        /// Whether it is this app that must be alone.
        alone: bool,
    },
    /// Its bundle cannot be where it has to be.
    #[error("app {app}: {error}")]
    Mount {
        /// The app.
        app: AppName,
        /// Why.
        error: MountError,
    },
    /// There are more apps than files that may be open.
    #[error(
        "{apps} apps need {needed} open files, and this process may have {limit}; raise its limit (systemd: LimitNOFILE), or lower code-max"
    )]
    Files {
        /// The apps.
        apps: usize,
        /// The files they need.
        needed: u64,
        /// The files there may be.
        limit: u64,
    },
    /// The engine cannot run here, or does not take what was compiled for it.
    #[error("cannot set up the engine: {0}")]
    Engine(String),
}

/// Every app of a host, and the one engine for all of them.
#[derive(Debug)]
pub struct Apps {
    apps: Vec<Arc<App>>,
    tenants: BTreeMap<TenantName, Arc<Tenant>>,
    shelf: Arc<Shelf>,
    plan: PoolPlan,
    swaps: Swaps,
    slots: Arc<Slots>,
    /// Keeps the artifacts' folder.
    _workshop: Arc<Workshop>,
}

/// How an app's log is made, for what its `initialize` prints.
pub type LogMaker = dyn Fn(&AppName) -> Arc<dyn GuestLog> + Send + Sync;

impl Apps {
    /// Prepares all apps of a configuration, each compiled at most once, and sees to it that each can be
    /// instantiated. Their code is loaded when it is needed.
    ///
    /// # Errors
    /// [`LoadError`] of the first app that cannot be served.
    pub async fn load(config: &Config, workshop: Workshop, log: &LogMaker) -> Result<Self, LoadError> {
        check_files(config)?;
        let workshop = Arc::new(workshop);
        let deployed = deploy_all(&config.apps, &workshop, log).await?;
        for app in &deployed {
            check_memory(&app.config, &app.artifact)?;
        }

        let swaps = Swaps::of_this_machine();
        let room = Room::of_this_machine();
        let most = config.limits.instances_max;
        let wants: Vec<_> = deployed.iter().map(|app| Want::of(&app.config, &app.artifact, (room, most))).collect();
        let plan = plan(config, &wants, (room, SlotReset::choose(config.slot_reset, &swaps)));
        let shelf = Shelf::new(config.limits.code_max.bytes(), start_engine(&plan)?);
        let gate = Arc::new(Gate::new());
        let tenants = tenants(config, &gate);
        let slots = Arc::new(Slots::new(plan.instances()));
        let quotas = Quotas::new(&config.tenants);
        let apps = deployed.into_iter().zip(wants).map(|(app, want)| {
            let config = &app.config;
            let quota = quotas.of(&config.tenant);
            let limits = AppLimits { concurrency_max: want.running, ..config.limits.clone() };
            let pool = Pool::new(&limits, want.warm, (Arc::clone(&slots), quota));
            let volume = Volume::new(config.name.clone(), app.artifact, Arc::clone(&pool), Arc::clone(&shelf));
            let seat = Seat::new(Arc::clone(&gate), Arc::clone(&tenants[&config.tenant]));
            let settings = settings(config, seat, (app.asks, app.claims));
            Arc::new(App::new(settings, app.terms, volume, pool))
        });
        let apps: Vec<Arc<App>> = apps.collect();
        for (app, config) in apps.iter().zip(&config.apps) {
            try_app(app, &workshop, log(&config.name)).await.map_err(|refusal| refused(config, refusal))?;
        }
        Ok(Self { apps, tenants, shelf, plan, swaps, slots, _workshop: workshop })
    }

    /// The apps, in the order of their configuration.
    pub fn all(&self) -> &[Arc<App>] {
        &self.apps
    }

    /// The owners of the apps, and what they have used.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    /// What goes on beside requests for as long as the host serves: warm instances are made, and those
    /// that nobody needs are dropped. To be spawned, each on its own.
    pub fn chores(&self, log: &LogMaker) -> Vec<BoxFuture<'static, ()>> {
        let reaper = reaper::of(&self.slots).boxed();
        let fillers = self.apps.iter().filter(|app| app.wants_warm()).map(|app| {
            let log = log(app.name());
            Arc::clone(app).keep_warm(log).boxed()
        });
        std::iter::once(reaper).chain(fillers).collect()
    }

    /// Keeps slot reset safe for as long as there is an app: if swap appears while the scan is on, new
    /// instances go to an engine without it. Ends when there is nothing (more) to watch, and keeps neither apps
    /// nor engine.
    pub fn watch_for_swap(&self) -> impl Future<Output = ()> + Send + use<> {
        let watch = SwapWatch {
            plan: self.plan.clone(),
            swaps: self.swaps.clone(),
            shelf: Arc::downgrade(&self.shelf),
            apps: self.apps.iter().map(Arc::downgrade).collect(),
        };
        watch.run()
    }
}

/// Watches for swap on behalf of apps that it does not keep.
struct SwapWatch {
    plan: PoolPlan,
    swaps: Swaps,
    shelf: Weak<Shelf>,
    apps: Vec<Weak<App>>,
}

impl SwapWatch {
    async fn run(self) {
        if !matches!(self.plan.reset, SlotReset::PagemapScan { watch: true, .. }) {
            return;
        }
        let shelf = self.shelf.clone();
        let appeared = self.swaps.appear(move || shelf.strong_count() == 0).await;
        // None: the apps have gone, and with them what was to be kept safe.
        let Some(shelf) = self.shelf.upgrade() else { return };
        let because = match appeared {
            Ok(()) => "swap was turned on",
            Err(error) => {
                tracing::error!(%error, "cannot watch /proc/swaps");
                "swap cannot be watched for"
            }
        };
        match self.move_off(&shelf, because) {
            Ok(()) => {
                tracing::warn!(because, "slots are no longer reset by pagemap_scan; requests cost more from now on")
            }
            // Serving on could show one request's memory to the next.
            Err(error) => {
                tracing::error!(%error, because, "cannot set up an engine without pagemap_scan; stopping, to keep requests apart");
                std::process::abort();
            }
        }
    }

    /// Makes an engine without the scan, from which new instances come from now on.
    fn move_off(&self, shelf: &Shelf, because: &'static str) -> Result<(), LoadError> {
        let plan = PoolPlan { reset: SlotReset::Madvise { because }, ..self.plan.clone() };
        shelf.replace_engine(start_engine(&plan)?);
        for app in self.apps.iter().filter_map(Weak::upgrade) {
            app.forget_code();
        }
        Ok(())
    }
}

/// Deploys all apps, some at a time.
async fn deploy_all(
    configs: &[AppConfig],
    workshop: &Arc<Workshop>,
    log: &LogMaker,
) -> Result<Vec<Deployed>, LoadError> {
    let parallel = std::thread::available_parallelism().map_or(1, usize::from);
    let deployed = configs.iter().map(|config| deploy(config, workshop, log(&config.name)));
    stream::iter(deployed).buffered(parallel).try_collect().await
}

/// Makes one instance of an app, unless the cache knows that it can be made: it may know the component
/// from a time of other limits.
async fn try_app(app: &App, workshop: &Workshop, log: Arc<dyn GuestLog>) -> Result<(), Refusal> {
    if app.artifact().was_tried(app.terms()) {
        return Ok(());
    }
    app.try_instance(log).await?;
    workshop.note_tried(app.artifact(), app.terms());
    Ok(())
}

/// Each app keeps the file of its code open, what is loaded of it another, and each directory granted to it one.
/// Bundles are not known yet: too many of them are errors of their own.
fn check_files(config: &Config) -> Result<(), LoadError> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let apps = config.apps.len();
    let dirs: usize = config.apps.iter().map(|app| app.grants.dirs.len()).sum();
    let needed = files_needed(apps as u64, config.limits.code_max) + dirs as u64;
    if needed <= limit { Ok(()) } else { Err(LoadError::Files { apps, needed, limit }) }
}

fn files_needed(apps: u64, code_max: Size) -> u64 {
    /// For all else but connections, which wait when there are no more.
    const OTHERS: u64 = 64;
    apps + apps.min(Shelf::volumes_max(code_max.bytes())) + OTHERS
}

/// The instances that one app could have at the same time.
#[derive(Clone, Copy, Debug)]
struct Want {
    running: u32,
    warm: Warm,
    needs: Needs,
}

impl Want {
    /// What the app is configured for, as far as this machine could hold it and `instances-max` allows.
    fn of(app: &AppConfig, artifact: &Artifact, (room, instances_max): (Room, u32)) -> Self {
        let needs = artifact.report.needs;
        let allowed = app.limits.concurrency_max.min(instances_max);
        let running = allowed.min(engine::fitting(room.memory, needs.initial_memory));
        if running < allowed {
            tracing::warn!(
                app = %app.name,
                concurrency_max = app.limits.concurrency_max,
                memory_at_start = %Size::from_bytes(needs.initial_memory),
                "only {running} of the app's instances fit into half of the available memory; no more will run at the same time"
            );
        }
        Self { running, warm: Warm { min: app.warm.min.min(running), max: app.warm.max.min(running) }, needs }
    }

    fn instances(&self) -> u32 {
        self.running.saturating_add(self.warm.max)
    }
}

/// The pool that these apps need.
fn plan(config: &Config, wants: &[Want], (room, reset): (Room, SlotReset)) -> PoolPlan {
    PoolPlan {
        instances_max: config.limits.instances_max,
        wanted: wants.iter().map(Want::instances).fold(0, u32::saturating_add),
        room,
        memory_max: config.apps.iter().map(|app| app.limits.memory_max.bytes()).max().unwrap_or(0),
        typical_memory: typical_memory(wants),
        needs: wants.iter().fold(Needs::default(), |needs, want| needs.or(want.needs)),
        reset,
    }
}

/// The memory at the start that half of all instances have no more of. Not the largest: one app must not shrink the
/// pool of all.
fn typical_memory(wants: &[Want]) -> u64 {
    let mut each: Vec<_> = wants.iter().map(|want| (want.needs.initial_memory, u64::from(want.instances()))).collect();
    each.sort_unstable();
    let all: u64 = each.iter().map(|(_, instances)| instances).sum();
    let mut passed = 0;
    let typical = each.into_iter().find(|(_, instances)| {
        passed += instances;
        passed * 2 >= all
    });
    typical.map_or(0, |(memory, _)| memory)
}

/// A component that starts with more than its limit would not even load into the pool.
fn check_memory(config: &AppConfig, artifact: &Artifact) -> Result<(), LoadError> {
    let (needed, max) = (Size::from_bytes(artifact.report.needs.initial_memory), config.limits.memory_max);
    if needed <= max { Ok(()) } else { Err(refused(config, Refusal::MemoryMax { needed, max })) }
}

fn refused(config: &AppConfig, refusal: Refusal) -> LoadError {
    let error = PrepareError::Refused { path: config.component.clone(), refusal };
    LoadError::Prepare { app: config.name.clone(), error }
}

fn start_engine(plan: &PoolPlan) -> Result<Arc<Serving>, LoadError> {
    let engine = engine::serving(plan).map_err(engine_error)?;
    let ticker = Ticker::start(&engine).map_err(|error| LoadError::Engine(error.to_string()))?;
    Serving::new(engine, ticker).map_err(engine_error)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn engine_error(error: wasmtime::Error) -> LoadError {
    LoadError::Engine(format!("{error:#}"))
}

/// The owner of each app, known to the gate.
fn tenants(config: &Config, gate: &Gate) -> BTreeMap<TenantName, Arc<Tenant>> {
    let mut tenants = BTreeMap::new();
    for app in &config.apps {
        let name = &app.tenant;
        let weight = config.tenants.get(name).map(|tenant| tenant.weight).unwrap_or_default();
        tenants.entry(name.clone()).or_insert_with(|| gate.enrol(name.clone(), weight));
    }
    tenants
}

fn settings(config: &AppConfig, seat: Seat, (asks, claims): (Asks, Claims)) -> AppSettings {
    let (reuse, request_body) = (config.reuse, config.request_body);
    AppSettings { name: config.name.clone(), seat, reuse, request_body, asks, claims }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_needs_a_file_and_each_that_is_loaded_another() {
        assert_eq!(files_needed(1, Size::from_mib(512)), 66);
        assert_eq!(files_needed(1000, Size::from_mib(512)), 2064);
        assert!(files_needed(10_000, Size::from_mib(512)) < 14_000);
    }

    #[test]
    fn what_most_instances_have_at_the_start_sizes_the_pool() {
        let want = |running, initial_memory| Want {
            running,
            warm: Warm::default(),
            needs: Needs { initial_memory, ..Needs::default() },
        };
        assert_eq!(typical_memory(&[]), 0);
        assert_eq!(typical_memory(&[want(64, 9)]), 9);
        assert_eq!(typical_memory(&[want(64, 900), want(64, 2)]), 2, "an app beside one such");
        assert_eq!(typical_memory(&[want(1, 2), want(64, 900), want(1, 3)]), 900, "most are large");
        assert_eq!(typical_memory(&[want(2, 5), want(2, 2), want(2, 9)]), 5);
    }

    #[tokio::test]
    async fn whoever_watches_for_swap_keeps_no_engine_and_ends_with_it() {
        let list = tempfile::NamedTempFile::new().unwrap();
        let plan = PoolPlan {
            instances_max: 1,
            wanted: 1,
            room: Room::of_this_machine(),
            memory_max: 1 << 20,
            typical_memory: 1 << 20,
            needs: Needs::default(),
            reset: SlotReset::PagemapScan { because: "a test", watch: true },
        };
        let engine = start_engine(&PoolPlan { reset: SlotReset::Madvise { because: "a test" }, ..plan.clone() });
        let shelf = Shelf::new(0, engine.unwrap());
        let swaps = Swaps::listed_in(list.path());
        let mut watch = Box::pin(SwapWatch { plan, swaps, shelf: Arc::downgrade(&shelf), apps: Vec::new() }.run());
        assert!(futures_util::poll!(&mut watch).is_pending());
        let weak = Arc::downgrade(&shelf);
        drop(shelf);
        assert!(weak.upgrade().is_none());
        watch.await;
    }
}
