//! The folder in which all clones of this user build their guests.
//!
//! Shared, so that a fresh clone need not build the standard library and the dependencies again. Cargo names what it makes
//! of a clone's own crates after their path, with one exception: a `.wasm` file has the crate's bare name, and cargo takes
//! the one that another clone left there for its own. So the folder has one owner at a time, and when
//! it changes hands, the `.wasm` files go.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The folder, locked for this process and owned by this clone.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Unlocked by the system when it is closed, however this program ends.
    _lock: File,
}

impl Cache {
    /// Waits for other clones to finish, then takes the folder over.
    ///
    /// `owner` tells apart whoever would make different files of the same name.
    ///
    /// # Errors
    /// If the folder cannot be made, locked or written.
    pub(crate) fn lock(folder: &Path, owner: &str) -> Result<Self> {
        let cache = Self::share(folder)?;
        cache.take_over(owner)?;
        Ok(cache)
    }

    /// Waits for other clones to finish, and leaves the folder to its owner: for builds without `.wasm` files.
    ///
    /// # Errors
    /// If the folder cannot be made or locked.
    pub(crate) fn share(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        if lock.try_lock().is_err() {
            println!("guests: waiting for another build in {}", folder.display());
            lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// Cargo's target folder.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    fn take_over(&self, owner: &str) -> Result<()> {
        let note = self.folder.join("owner");
        if fs::read_to_string(&note).is_ok_and(|last| last == owner) {
            return Ok(());
        }
        // First, so that who is stopped half-way does it again.
        remove(&note)?;
        for folder in ["", "deps", "examples"] {
            remove_wasm(&self.target().join("wasm32-wasip2/release").join(folder))?;
        }
        fs::write(&note, owner).with_context(|| format!("cannot write {}", note.display()))
    }
}

/// Removes the `.wasm` files of a folder, which need not exist; cargo makes those anew that it misses.
fn remove_wasm(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
