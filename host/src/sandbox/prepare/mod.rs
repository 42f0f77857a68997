//! From a `.wasm` file to code that can be loaded: take apart, check, `initialize`, compile, cache.
//!
//! None of these can be cancelled or capped inside a process, so they run in a child `wasgi` under
//! rlimits, and a hostile component costs a bounded child.

mod cache;
mod child;
mod fuse;
mod go_memory;
mod inspect;
mod snapshot;
mod work;
mod wrap;

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::bundle::store::{StoreError, Unpacked};
use crate::bundle::unpack::Max;
use crate::bundle::{self, Asks, AsksError, SectionError};
use crate::limits::HostLimits;
use crate::sandbox::engine::{self, Needs};
use crate::sandbox::exports::Kind;
use crate::sandbox::output::GuestLog;
use crate::sandbox::store::Terms;

pub use cache::{Cache, CacheError};
pub(crate) use child::SUBCOMMAND;
pub use child::serve_parent;
pub use inspect::Refusal;
pub(crate) use work::is_exhaustion;

/// What a component is, as told by `wasgi check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How requests reach it.
    pub kind: Kind,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Whether `initialize` was run and its snapshot is what serves.
    pub initialized: bool,
    /// What an instance takes from the pool.
    pub needs: Needs,
}

/// A compiled component on disk, made by this host or found in its cache.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Open since it was checked: whoever prunes the cache or empties its folder takes nothing away.
    code: Arc<File>,
    /// What it is.
    pub report: Report,
    /// Whether it came from the cache: nothing was compiled.
    pub cached: bool,
    /// Bytes of code.
    size: u64,
    /// Its name in the cache.
    key: String,
    /// Under which terms an instance is known to have been made.
    tried: Vec<String>,
}

/// Who checks and compiles.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A child process of this `wasgi` binary, under rlimits. For components that are not trusted.
    Child(PathBuf),
    /// This process, without a bound on time, memory and stack. For embedders that trust their components
    /// and do not ship the binary.
    InProcess,
}

/// Why a component cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}; check the path and who may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file is over `component-max`.
    #[error("{path} is larger than component-max ({max}); raise it if the component is to be served")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: crate::limits::Size,
    },
    /// Its sections, its asks or its bundle are refused.
    #[error("{path}: {error}")]
    Package {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PackageError,
    },
    /// The component is not one that wasgi serves.
    #[error("{path}: {refusal}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
    /// The compile child could not do its work.
    #[error("{path}: {reason}")]
    Child {
        /// The file.
        path: PathBuf,
        /// What happened to the child.
        reason: String,
    },
    /// The cache cannot be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// wasmtime does not run on this machine.
    #[error("wasmtime cannot run here: {0}")]
    Engine(String),
}

/// Why what came with a component is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Sections that cannot be told apart.
    #[error(transparent)]
    Sections(#[from] SectionError),
    /// Asks that cannot be read.
    #[error(transparent)]
    Asks(#[from] AsksError),
    /// A bundle that cannot be unpacked.
    #[error(transparent)]
    Bundle(#[from] StoreError),
}

/// A `.wasm` file that has been read and taken apart.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) component: Vec<u8>,
    pub(crate) bundle: Option<Arc<Unpacked>>,
    pub(crate) asks: Asks,
}

/// Turns components into artifacts.
#[derive(Debug)]
pub struct Workshop {
    compiler: Compiler,
    cache: Cache,
    limits: HostLimits,
    /// Part of every cache key: code of another engine must not be found.
    compatibility: u64,
}

impl Workshop {
    /// A workshop that keeps what it makes in `cache`.
    ///
    /// # Errors
    /// [`PrepareError::Engine`] when wasmtime does not run on this machine.
    pub fn new(compiler: Compiler, cache: Cache, limits: HostLimits) -> Result<Self, PrepareError> {
        let engine = engine::compiling().map_err(|error| PrepareError::Engine(format!("{error:#}")))?;
        Ok(Self { compiler, cache, limits, compatibility: engine::compatibility(&engine) })
    }

    /// Reads the file at `path` and unpacks its bundle, unless that was done before.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub(crate) async fn open(self: &Arc<Self>, path: &Path) -> Result<Package, PrepareError> {
        // Reading and hashing are work for a thread that serves nobody.
        let (workshop, from) = (Arc::clone(self), path.to_owned());
        let open = move || {
            let file = workshop.read(&from)?;
            workshop.take_apart(file).map_err(|error| PrepareError::Package { path: from, error })
        };
        tokio::task::spawn_blocking(open).await.map_err(|error| PrepareError::Engine(error.to_string()))?
    }

    fn take_apart(&self, file: Vec<u8>) -> Result<Package, PackageError> {
        let parts = bundle::cut_off(file)?;
        let asks = parts.asks.as_deref().map(Asks::parse).transpose()?.unwrap_or_default();
        let unpack = |section: Vec<u8>| self.cache.bundles().open(&section, &Max::of(&self.limits));
        let bundle = parts.bundle.map(unpack).transpose()?.map(Arc::new);
        Ok(Package { component: parts.component, bundle, asks })
    }

    /// The artifact of a component, which was at `path`, under `terms`: from the cache, or made now. What its
    /// `initialize` prints goes to `log`.
    ///
    /// # Errors
    /// [`PrepareError`]; a refused component is refused each time, since its error is not cached.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        (path, component): (&Path, Vec<u8>),
        terms: &Arc<Terms>,
        log: Arc<dyn GuestLog>,
    ) -> Result<Artifact, PrepareError> {
        let (workshop, from, under) = (Arc::clone(self), path.to_owned(), Arc::clone(terms));
        let find = move || workshop.find(&from, component, &under);
        let found = tokio::task::spawn_blocking(find).await.map_err(|error| PrepareError::Engine(error.to_string()))?;
        let (key, component) = match found {
            Found::Artifact(artifact) => return Ok(*artifact),
            Found::Component { key, component } => (key, component),
        };
        let job = child::Job::new(terms, &self.limits, self.cache.staging()?);
        let made = match &self.compiler {
            Compiler::Child(program) => child::run(program, &job, component, log).await,
            Compiler::InProcess => work::run(&component, job.order(), log).await.map_err(child::Failure::Refused),
        };
        match made {
            Ok(report) => Ok(self.cache.store(&key, job.into_output(), report)?),
            Err(child::Failure::Refused(refusal)) => Err(PrepareError::Refused { path: path.into(), refusal }),
            Err(child::Failure::Child(reason)) => Err(PrepareError::Child { path: path.into(), reason }),
        }
    }

    /// Remembers for the next start that an instance of `artifact` has been made under `terms`.
    pub(crate) fn note_tried(&self, artifact: &Artifact, terms: &Terms) {
        self.cache.note_tried(&artifact.key, cache::digest(terms));
    }

    /// The artifact of a component if the cache has it.
    fn find(&self, path: &Path, component: Vec<u8>, terms: &Terms) -> Found {
        // A snapshot depends on what the app is granted and on its bundle, a program of Go on its memory-max.
        let depends = inspect::exports_initialize(&component) || wrap::depends_on_limits(&component);
        let key = cache::key(&component, self.compatibility, depends.then_some(terms));
        let Some(artifact) = self.cache.find(&key) else { return Found::Component { key, component } };
        tracing::debug!(component = ?path, "found in the compile cache");
        Found::Artifact(Box::new(artifact))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, PrepareError> {
        use std::io::Read as _;

        let max = self.limits.component_max.bytes();
        let mut bytes = Vec::new();
        let unreadable = |error| PrepareError::Unreadable { path: path.into(), error };
        // Of a pipe nobody may ever write the other end.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("it is no regular file")));
        }
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > max {
            return Err(PrepareError::TooLarge { path: path.into(), max: self.limits.component_max });
        }
        Ok(bytes)
    }
}

/// What there is of a component.
enum Found {
    Artifact(Box<Artifact>),
    Component { key: String, component: Vec<u8> },
}

impl Artifact {
    /// Bytes of code.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether an instance is known to have been made under `terms`.
    pub(crate) fn was_tried(&self, terms: &Terms) -> bool {
        self.tried.contains(&cache::digest(terms))
    }

    /// Maps the compiled code into `engine`.
    ///
    /// # Errors
    /// When it was compiled by another engine.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        #[expect(
            unsafe_code,
            reason = "deserialising trusts its input: this file was written by this host's own compile child, lies in a folder that only its user can write, and its hash was checked when it was found"
        )]
        // SAFETY: see the reason above; `Cache::find` and `Cache::store` are the only makers.
        unsafe {
            Component::deserialize_file(engine, format!("/proc/self/fd/{}", self.code.as_raw_fd()))
        }
    }
}
