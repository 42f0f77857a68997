//! A host: the apps of one configuration, loaded and ready to serve. What embedders use.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcetera::BaseStrategy as _;
use http::{Request, Response};
use http_body::Body;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{AppName, Config};
use crate::environ::{Endpoint, Scheme};
use crate::gateway::{Connection, Gateway};
use crate::net::listen::{Accepted, BindError, Listener};
use crate::net::reply::OutgoingBody;
use crate::net::server::Server;
use crate::net::spool::Spool;
use crate::requests::Requests;
use crate::router::Router;
use crate::sandbox::apps::{Apps, LoadError};
use crate::sandbox::output::GuestLog;
use crate::sandbox::prepare::{Cache, CacheError, Compiler, PrepareError, Workshop};
use crate::shutdown::{self, Drained};
use crate::telemetry::{AccessLog, AppLog};
use crate::text::printable;

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The compile cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// wasmtime does not run here.
    #[error(transparent)]
    Workshop(#[from] PrepareError),
    /// An app cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The spool folder does not take files.
    #[error("cannot spool request bodies in {dir}: {error}; name a folder on disk with --spool-dir")]
    Spool {
        /// The folder.
        dir: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// What a host is given besides its configuration.
#[derive(Debug)]
pub struct Setting {
    /// Who compiles components.
    pub compiler: Compiler,
    /// Where each request is told.
    pub access_log: Arc<AccessLog>,
    /// Whether clients are shown errors in full.
    pub dev: bool,
}

/// The apps of one configuration, ready to serve.
#[derive(Debug)]
pub struct Host {
    gateway: Arc<Gateway>,
    apps: Apps,
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Ends what goes on beside requests when the host is dropped, drained or not.
    _chores: DropGuard,
}

impl Host {
    /// Prepares and loads all apps. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn load(config: &Config, setting: Setting) -> Result<Self, StartError> {
        let spool_dir = config.spool_dir.clone().unwrap_or_else(default_spool_dir);
        let spool = Spool::open(&spool_dir, config.limits.spool_max)
            .map_err(|error| StartError::Spool { dir: spool_dir, error })?;
        let cache = open_cache(config)?;
        let workshop = Workshop::new(setting.compiler, cache, config.limits.clone())?;
        let log = |app: &AppName| AppLog::new(app.clone(), None) as Arc<dyn GuestLog>;
        let apps = Apps::load(config, workshop, &log).await?;

        let routes = config
            .apps
            .iter()
            .zip(apps.all())
            .flat_map(|(app, loaded)| app.routes.iter().map(|route| (route.clone(), Arc::clone(loaded))));
        let tracker = TaskTracker::new();
        let gateway = Gateway {
            router: Router::new(routes),
            limits: config.limits.clone(),
            requests: Requests::new(config.limits.requests_max),
            spool,
            trusted_peers: config.trusted_peers.clone(),
            access_log: setting.access_log,
            guests: tracker.clone(),
            dev: setting.dev,
            started: Instant::now(),
            warned: AtomicU64::new(0),
        };
        let stop = CancellationToken::new();
        let chores_stop = stop.child_token();
        for chore in apps.chores(&log) {
            tracker.spawn(chores_stop.clone().run_until_cancelled_owned(chore));
        }
        #[expect(clippy::disallowed_methods, reason = "ends with the apps; a drain must not wait for it")]
        tokio::spawn(apps.watch_for_swap());
        Ok(Self { gateway: Arc::new(gateway), apps, tracker, stop, _chores: chores_stop.drop_guard() })
    }

    /// The apps, as loaded.
    pub fn apps(&self) -> &Apps {
        &self.apps
    }

    /// Binds the configuration's addresses and serves on them; returns their names once they accept.
    ///
    /// # Errors
    /// [`StartError::Bind`] if one cannot be bound.
    pub async fn listen(&self, config: &Config) -> Result<Vec<String>, StartError> {
        let mut listeners = Vec::new();
        for address in &config.listen {
            listeners.extend(Listener::bind(address).await?);
        }
        let names = listeners.iter().map(Listener::to_string).collect();
        let server = Server::new(Arc::clone(&self.gateway), self.tracker.clone(), self.stop.clone());
        for listener in listeners {
            self.tracker.spawn(Arc::clone(&server).accept_on(listener));
        }
        Ok(names)
    }

    /// Serves one connection that the caller has accepted, until it ends or the host drains.
    ///
    /// `connections-max` is the caller's to keep.
    pub async fn serve(&self, accepted: Accepted) {
        Server::new(Arc::clone(&self.gateway), self.tracker.clone(), self.stop.clone()).serve(accepted).await;
    }

    /// Answers one request that comes by no connection.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<OutgoingBody>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        let connection =
            Connection { local: Endpoint::Unix, peer: Endpoint::Unix, scheme: Scheme::Http, activity: None };
        self.gateway.handle(self.gateway.arrive(request, &connection), &connection).await
    }

    /// Stops accepting and waits for what runs: for `grace`, or until `hurry` resolves.
    pub async fn drain(&self, grace: Duration, hurry: impl Future<Output = ()>) -> Drained {
        shutdown::drain(&self.stop, &self.tracker, grace, hurry).await
    }
}

/// /var/tmp is on disk where /tmp may be memory.
fn default_spool_dir() -> PathBuf {
    let disk = Path::new("/var/tmp");
    if disk.is_dir() { disk.into() } else { std::env::temp_dir() }
}

/// The configured cache, else the user's; without a home, one that goes away with the process.
fn open_cache(config: &Config) -> Result<Cache, CacheError> {
    let size_max = config.limits.cache_max;
    if let Some(dir) = &config.cache_dir {
        return Cache::open(dir, size_max);
    }
    let Ok(user) = etcetera::choose_base_strategy() else { return Cache::private(size_max) };
    Cache::open(&user.cache_dir().join("wasgi/compiled"), size_max).or_else(|error| {
        let error = printable(&error.to_string(), 1024);
        tracing::warn!(error, "compiled code is kept for this run only");
        Cache::private(size_max)
    })
}
