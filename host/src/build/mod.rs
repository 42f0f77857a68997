//! From an app's source to one `.wasm`: what `wasgi build` does.
//!
//! [`build`] reads the folder's [`manifest`], has that language's own tool chain make a component, and
//! appends the app's files and what it asks for. The source is its author's, and so is the machine: this
//! is the one part of wasgi that runs what it is given, and no host ever calls it.

mod c;
mod copy;
mod databases;
mod go;
mod immortal;
mod javascript;
pub mod manifest;
mod name;
pub mod new;
mod output;
mod python;
mod report;
mod rust;
mod sources;
mod tool;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bundle::pack::{self, PackError, Source};
use crate::bundle::unpack::Max;
use crate::bundle::{self, Asks, SectionError};
use crate::limits::HostLimits;

pub use copy::CopyError;
pub use manifest::{Manifest, ManifestError};
pub use sources::{vendor_rust_sdk, write_all};
pub use tool::ToolError;

/// What to build, and to where.
#[derive(Clone, Debug)]
pub struct Order {
    /// The folder of the source.
    pub folder: PathBuf,
    /// `module:callable`, if given; it goes before the manifest's.
    pub app: Option<String>,
    /// The file to write; none for `NAME.wasm` in the current directory.
    pub output: Option<PathBuf>,
    /// How long the tool that makes the component may take; none for what that tool takes at most.
    pub time_max: Option<Duration>,
}

/// Who is told how far a build is.
pub trait Progress {
    /// A step begins, which may take a while.
    fn step(&self, what: &str);
    /// Something the author should know: a line or more, as a tool or the app printed it.
    fn note(&self, text: &str);
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// How much of that is its bundle.
    pub bundled: u64,
    /// The directories that it asks for, as it knows them.
    pub dirs: Vec<String>,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `wasgi.toml`.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// What should name an app does not.
    #[error("{app:?} names no app: {reason}; a folder is named with --folder")]
    Name {
        /// What was given.
        app: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing tells what the app is written in.
    #[error(
        "{folder} has no Cargo.toml, no go.mod, no package.json and no .c files, and no app is named; say `wasgi build MODULE:CALLABLE` for Python, or set `lang` and `app` under [build] in wasgi.toml"
    )]
    NoLanguage {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A tool that is not there, that failed, or that takes too long.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The app itself: it names the file, the reason and the mend.
    #[error("{0}")]
    App(String),
    /// The project's files cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// They cannot be put into a bundle.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// They cannot be added to the component.
    #[error("{component}: {error}")]
    Section {
        /// The component that the tool made.
        component: PathBuf,
        /// Why not.
        error: SectionError,
    },
    /// A file that this command reads or writes.
    #[error("cannot {what} {path}: {error}; check the path, who may use it and the room on its disk")]
    File {
        /// `read`, `write`, `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl BuildError {
    fn file<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |error| Self::File { what, path: path.to_owned(), error }
    }
}

/// A component as its tool chain made it, with what goes in beside it.
#[derive(Debug)]
struct Made {
    component: PathBuf,
    /// Files for its bundle.
    files: Vec<Source>,
    /// Where copies of the author's files are among these; empty if they are the files themselves.
    staged: PathBuf,
    asks: Asks,
    /// What the output is called if nobody says.
    name: String,
}

/// Builds an app.
///
/// # Errors
/// [`BuildError`]; then no output was written, and an older one is left as it was.
pub async fn build(order: &Order, progress: &dyn Progress) -> Result<Built, BuildError> {
    if let Some(app) = &order.app {
        name::check(app).map_err(|reason| BuildError::Name { app: app.clone(), reason })?;
    }
    let manifest = Manifest::read(&order.folder)?;
    // What takes a minute should not be for nothing.
    output::check(order.output.as_deref())?;
    // Tools run elsewhere.
    let folder = fs::canonicalize(&order.folder).map_err(BuildError::file("read", &order.folder))?;
    let order = &Order { folder, ..order.clone() };
    // Dropped at the end, with all that the tools leave in it.
    let scratch = tempfile::Builder::new()
        .prefix("wasgi-build-")
        .tempdir()
        .map_err(BuildError::file("make", &std::env::temp_dir()))?;
    let job = Job { order, manifest: &manifest, scratch: scratch.path(), progress };
    fs::create_dir(job.temporary()).map_err(BuildError::file("make", &job.temporary()))?;
    let language = language(order, &manifest)?;
    if language != Language::Python {
        // What a build of a minute brings along should not be refused in the end. Python's is known once it is staged.
        let files: Vec<Source> = manifest.bundle.sources(&order.folder).into_iter().collect();
        pack::check(&files, &Max::of(&HostLimits::default()))?;
    }
    let mut made = match language {
        Language::C => c::build(&job).await?,
        Language::JavaScript => javascript::build(&job).await?,
        Language::Python => python::build(&job).await?,
        Language::Rust => rust::build(&job).await?,
        Language::Go => go::build(&job).await?,
    };
    made.asks.built_by.push(bundle::asks::Tool { name: "wasgi".into(), version: env!("CARGO_PKG_VERSION").into() });
    let output = order.output.clone().unwrap_or_else(|| format!("{}.wasm", made.name).into());
    assemble(&made, (&order.folder, &output), progress)
}

/// What the parts of a build share.
struct Job<'a> {
    order: &'a Order,
    manifest: &'a Manifest,
    /// A folder for whatever is made on the way.
    scratch: &'a Path,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    /// Where tools put their temporary files: one that is stopped leaves them behind.
    fn temporary(&self) -> PathBuf {
        self.scratch.join("tmp")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    C,
    JavaScript,
    Python,
    Rust,
    Go,
}

/// What the manifest says, else what the order and the folder tell.
fn language(order: &Order, manifest: &Manifest) -> Result<Language, BuildError> {
    if let Some(lang) = manifest.build.lang {
        return Ok(match lang {
            manifest::Lang::C => Language::C,
            manifest::Lang::Js => Language::JavaScript,
            manifest::Lang::Python => Language::Python,
            manifest::Lang::Rust => Language::Rust,
            manifest::Lang::Go => Language::Go,
        });
    }
    if order.app.is_some() || manifest.build.app.is_some() {
        Ok(Language::Python)
    } else if order.folder.join("Cargo.toml").is_file() {
        Ok(Language::Rust)
    } else if order.folder.join("go.mod").is_file() {
        Ok(Language::Go)
    } else if order.folder.join("package.json").is_file() {
        Ok(Language::JavaScript)
    } else if c::is_there(&order.folder) {
        Ok(Language::C)
    } else {
        Err(BuildError::NoLanguage { folder: order.folder.clone() })
    }
}

/// Puts the parts together and writes them, whole or not at all.
fn assemble(made: &Made, (folder, output): (&Path, &Path), progress: &dyn Progress) -> Result<Built, BuildError> {
    progress.step("packing the app's files");
    let component = fs::read(&made.component).map_err(BuildError::file("read", &made.component))?;
    // The host that serves it may allow more or less: these are the limits it has if nobody sets them.
    let max = Max::of(&HostLimits::default());
    let modified = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let bundle = match made.files.as_slice() {
        [] => None,
        sources => Some(pack::pack(sources, modified, &max).map_err(|error| error.seen_from(&made.staged, folder))?),
    };
    let file = bundle::append(&component, bundle.as_ref(), Some(&made.asks))
        .map_err(|error| BuildError::Section { component: made.component.clone(), error })?;
    output::write(output, &file)?;
    let bundled = bundle.as_ref().map_or(0, |bundle| bundle.as_bytes().len() as u64);
    let dirs = made.asks.dirs.iter().map(|dir| dir.path.clone()).collect();
    Ok(Built { path: output.to_owned(), size: file.len() as u64, bundled, dirs })
}

fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// The process's umask, which can only be read by setting it.
fn umask() -> u32 {
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(umask);
    umask.as_raw_mode()
}
