//! What a guest gets of WASI: its granted environment and directories, its bundle, clocks, random numbers
//! and its own log; a CGI program also its request. No arguments, no network; nothing of the host's environment.

use std::io;
use std::path::PathBuf;

use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::config::DirGrant;
use crate::sandbox::output::{Channel, Output};
use crate::sandbox::program::Program;
use crate::sandbox::store::Terms;

/// Most random bytes one call may ask for.
const RANDOM_MAX: u64 = 64 * 1024;

/// The directories of an app's instances.
#[derive(Clone, Default)]
pub(crate) struct Files {
    dirs: Vec<DirGrant>,
    /// All of them, open, if they are only those of its bundle: then no instance opens one again. What the
    /// operator granted is opened by each, since it may be mounted, replaced or taken away meanwhile.
    shared: Option<WasiFilesystemCtx>,
}

/// A directory that cannot be opened.
#[derive(Debug)]
pub(crate) struct OpenError {
    pub(crate) dir: PathBuf,
    pub(crate) error: io::Error,
}

impl Files {
    /// Opens the directories of a bundle, and those that were granted to see that they can be.
    ///
    /// # Errors
    /// [`OpenError`] of the first that cannot be.
    pub(crate) fn open(bundle: Vec<DirGrant>, granted: Vec<DirGrant>) -> Result<Self, OpenError> {
        let mut builder = WasiCtx::builder();
        for dir in bundle.iter().chain(&granted) {
            preopen(&mut builder, dir).map_err(|error| OpenError { dir: dir.host.clone(), error })?;
        }
        let shared = granted.is_empty().then(|| builder.build().filesystem().clone());
        Ok(Self { dirs: [bundle, granted].concat(), shared })
    }

    /// How many they are.
    pub(crate) fn count(&self) -> usize {
        self.dirs.len()
    }
}

fn preopen(builder: &mut WasiCtxBuilder, dir: &DirGrant) -> io::Result<()> {
    let permissions = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
    match builder.preopened_dir(&dir.host, &dir.guest, permissions) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.downcast().unwrap_or_else(|error| io::Error::other(format!("{error:#}")))),
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("dirs", &self.dirs).finish_non_exhaustive()
    }
}

/// The context of one instance.
pub(crate) fn context(terms: &Terms, output: &Output) -> WasiCtx {
    let mut builder = builder(output);
    builder.stdout(output.stream(Channel::Stdout));
    for (key, value) in &terms.grants.env {
        builder.env(key, value);
    }
    finish(builder, terms)
}

/// The name that a program is called by: there is always one, and programs rely on that.
const ARGV_0: &str = "app";

/// The context of a program in one request. What it was granted of an environment is in `environment`.
pub(crate) fn context_of(
    terms: &Terms,
    output: &Output,
    (environment, program): (&[(String, String)], &Program),
) -> WasiCtx {
    let mut builder = builder(output);
    builder.arg(ARGV_0).envs(environment).stdin(program.stdin()).stdout(program.stdout());
    finish(builder, terms)
}

/// What all contexts have in common.
fn builder(output: &Output) -> WasiCtxBuilder {
    let mut builder = WasiCtx::builder();
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_MAX)
        .stderr(output.stream(Channel::Stderr));
    builder
}

/// Adds the directories.
fn finish(mut builder: WasiCtxBuilder, terms: &Terms) -> WasiCtx {
    if let Some(shared) = &terms.files.shared {
        let mut context = builder.build();
        *context.filesystem() = shared.clone();
        return context;
    }
    for dir in &terms.files.dirs {
        if let Err(error) = preopen(&mut builder, dir) {
            // Checked when the app was loaded, so it was removed since: the guest finds it absent.
            tracing::error!(dir = ?dir.host, %error, "cannot open a granted directory; restore it or end its grant");
        }
    }
    builder.build()
}
