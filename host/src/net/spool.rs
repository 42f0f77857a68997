//! Where request bodies wait that are too large for memory: unlinked files, bounded in all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::input::Reservation;
use crate::limits::Size;

/// A folder for temporary files and a budget for all of them together.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    max: Size,
    used: Arc<AtomicU64>,
}

/// `spool-max` bytes are on disk already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the spool is full (spool-max)")]
pub struct SpoolFull;

/// Bytes held of the budget, given back on drop.
#[derive(Debug)]
pub struct Held {
    used: Arc<AtomicU64>,
    max: u64,
    held: u64,
}

impl Reservation for Held {}

impl Spool {
    /// A spool in `dir`, after making a file there once to see that it can.
    ///
    /// # Errors
    /// When the folder does not take files.
    pub fn open(dir: &Path, max: Size) -> io::Result<Self> {
        tempfile::tempfile_in(dir)?;
        if is_memory(dir) {
            tracing::warn!(
                spool_dir = ?dir,
                "the spool folder is memory (tmpfs), so large request bodies take memory after all; name a folder on disk with --spool-dir"
            );
        }
        Ok(Self { dir: dir.into(), max, used: Arc::default() })
    }

    /// Holds nothing yet; grow it before writing.
    pub fn hold(&self) -> Held {
        Held { used: Arc::clone(&self.used), max: self.max.bytes(), held: 0 }
    }

    /// An unlinked file: it goes away with its handle, even if the host is killed.
    ///
    /// # Errors
    /// When the disk is full or the folder is gone.
    pub fn file(&self) -> io::Result<File> {
        fail::fail_point!("spool", |_| Err(io::Error::other("failure point")));
        tempfile::tempfile_in(&self.dir)
    }
}

impl Held {
    /// Takes `bytes` more of the budget.
    ///
    /// # Errors
    /// [`SpoolFull`], with nothing taken.
    pub fn grow(&mut self, bytes: u64) -> Result<(), SpoolFull> {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| *used <= self.max)
        });
        taken.map_err(|_used| SpoolFull)?;
        self.held += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// Whether files in `dir` live in memory.
fn is_memory(dir: &Path) -> bool {
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    // The field's type differs between platforms; the magic numbers fit all of them.
    rustix::fs::statfs(dir).is_ok_and(|filesystem| matches!(filesystem.f_type as u64, TMPFS_MAGIC | RAMFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_for_all_bodies_together_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), Size::from_bytes(10)).unwrap();
        let (mut one, mut two) = (spool.hold(), spool.hold());
        one.grow(6).unwrap();
        two.grow(4).unwrap();
        assert_eq!(two.grow(1), Err(SpoolFull));
        drop(one);
        two.grow(6).unwrap();
    }

    #[test]
    fn a_spooled_file_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path(), Size::from_bytes(10)).unwrap();
        let _file = spool.file().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_takes_no_files_is_an_error() {
        assert!(Spool::open(Path::new("/proc"), Size::from_bytes(10)).is_err());
    }
}
