//! What a guest gets of WASI: its granted environment and directories, its bundle, clocks, random numbers
//! and its own log. No arguments, no stdin, no network; nothing of the host's environment.

use std::io;
use std::path::PathBuf;

use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::{FsPerms, WasiCtx};

use crate::config::DirGrant;
use crate::sandbox::output::{Channel, Output};
use crate::sandbox::store::Terms;

/// Most random bytes one call may ask for.
const RANDOM_MAX: u64 = 64 * 1024;

/// Directories that are open, for all instances of an app: none of them opens one again.
#[derive(Clone, Default)]
pub(crate) struct Files {
    preopens: WasiFilesystemCtx,
    /// How many they are.
    pub(crate) count: usize,
}

/// A directory that cannot be opened.
#[derive(Debug)]
pub(crate) struct OpenError {
    pub(crate) dir: PathBuf,
    pub(crate) error: io::Error,
}

impl Files {
    /// Opens these directories.
    ///
    /// # Errors
    /// [`OpenError`] of the first that cannot be.
    pub(crate) fn open<'d>(dirs: impl Iterator<Item = &'d DirGrant>) -> Result<Self, OpenError> {
        let mut builder = WasiCtx::builder();
        let mut count = 0;
        for dir in dirs {
            let permissions = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder.preopened_dir(&dir.host, &dir.guest, permissions).map_err(|error| OpenError {
                dir: dir.host.clone(),
                error: error.downcast().unwrap_or_else(|error| io::Error::other(format!("{error:#}"))),
            })?;
            count += 1;
        }
        Ok(Self { preopens: builder.build().filesystem().clone(), count })
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("count", &self.count).finish_non_exhaustive()
    }
}

/// The context of one instance.
pub(crate) fn context(terms: &Terms, output: &Output) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_MAX)
        .stdout(output.stream(Channel::Stdout))
        .stderr(output.stream(Channel::Stderr));
    for (key, value) in &terms.grants.env {
        builder.env(key, value);
    }
    let mut context = builder.build();
    *context.filesystem() = terms.files.preopens.clone();
    context
}
