//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The root of this clone.
///
/// # Errors
/// If this program was moved out of a clone.
pub(crate) fn root() -> Result<PathBuf> {
    // Cargo sets it for `cargo xtask`; the other is for who starts the program itself.
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.ancestors().nth(2).context("xtask is not in tests/xtask of a clone")?;
    Ok(root.to_owned())
}

/// The workspace of everything that is built for wasm.
pub(crate) fn guest_workspace(root: &Path) -> PathBuf {
    root.join("guest-sdk/rust")
}

/// The target folder of the host's workspace.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Where the guests' builds are kept for all clones of this user.
///
/// # Errors
/// If the machine says of no folder that it is for caches.
pub(crate) fn cache() -> Result<PathBuf> {
    Ok(user_cache()?.join("guests"))
}

/// Where programs are installed for all clones of this user, in `bin`; those of Python in `python/bin`.
///
/// # Errors
/// If the machine says of no folder that it is for caches.
pub(crate) fn tools() -> Result<PathBuf> {
    Ok(user_cache()?.join("tools"))
}

/// The folder of all that is kept for the clones of this user.
///
/// # Errors
/// If the machine says of no folder that it is for caches.
pub(crate) fn user_cache() -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set: set one, for what is built is kept there")?.join("wasgi"))
}
