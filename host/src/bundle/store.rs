//! Unpacked bundles on disk, by content: the same bundle is unpacked once, by whichever process comes first.
//!
//! `HASH/files/` holds the files and `HASH/listing.json`, written last, says what they are. All of it is
//! made under another name and renamed, so that a bundle is whole or not there, and compared with its
//! listing at each start. Whoever uses a bundle holds a shared lock (flock) on its folder; only what is
//! not locked is removed.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::beneath;
use super::unpack::{Item, Max, Sink, UnpackError, unpack};
use crate::limits::Size;

/// Changes whenever the meaning of a folder does.
const FORMAT: u32 = 1;

/// What is being made, and what is being removed: neither is used by anybody.
const MAKING: &str = ".new-";
const REMOVING: &str = ".old-";

/// How often others may get in the way before this gives up: each time they made or removed a bundle.
const ATTEMPTS: usize = 16;

/// Why there is no unpacked bundle.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bundle is refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The folder cannot be used.
    #[error("cannot keep unpacked bundles in {path}: {error}; name another folder with --cache")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// A folder of unpacked bundles.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    size_max: Size,
}

/// A bundle on disk, which stays there for as long as this lives.
#[derive(Debug)]
pub struct Unpacked {
    /// Its files, in the order of their paths.
    pub items: Vec<Item>,
    /// BLAKE3 of its section: what names it.
    pub hash: String,
    /// Its files' folder.
    pub(super) files: File,
    /// Where that is, for a process that cannot be given the open folder.
    path: PathBuf,
    /// The folder above, locked.
    _lock: File,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    format: u32,
    /// Bytes of all files.
    total: u64,
    items: Vec<Item>,
}

impl Unpacked {
    /// Bytes of all files.
    pub fn total(&self) -> u64 {
        self.items.iter().map(|item| item.size).sum()
    }

    /// The path of one of its folders, for a process that is started while this lives.
    pub(crate) fn path_of(&self, folder: &str) -> PathBuf {
        if folder.is_empty() { self.path.clone() } else { self.path.join(folder) }
    }
}

impl Store {
    /// A store in `dir`, which is made when it is needed, of about `size_max` bytes.
    pub fn new(dir: PathBuf, size_max: Size) -> Self {
        Self { dir, size_max }
    }

    /// The bundle of this section, unpacked now if it is not there or not sound. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(&self, section: &[u8], max: &Max) -> Result<Unpacked, StoreError> {
        let failed = |error| StoreError::Folder { path: self.dir.clone(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(failed)?;
        if !is_private(&fs::metadata(&self.dir).map_err(failed)?) {
            return Err(failed(io::Error::other("others can write to it")));
        }
        let hash = hash(section);
        let path = self.dir.join(&hash);
        let mut is_new = false;
        for _ in 0..ATTEMPTS {
            match find(&path, &hash).map_err(failed)? {
                Found::Sound(unpacked) => {
                    check_max(&unpacked, max)?;
                    if is_new {
                        self.prune(&path);
                    }
                    return Ok(unpacked);
                }
                Found::Damaged => {
                    tracing::warn!(bundle = ?path, "an unpacked bundle is damaged; unpacking it again");
                    self.discard(&path).map_err(failed)?;
                }
                Found::Nothing => {}
            }
            // Whoever is first wins; the others find what it made.
            is_new |= self.make(section, max, &path)?;
        }
        Err(failed(io::Error::other("other processes change it all the time")))
    }

    /// Unpacks a section to `path`; whether another process was not faster.
    fn make(&self, section: &[u8], max: &Max, path: &Path) -> Result<bool, StoreError> {
        let failed = |error| StoreError::Folder { path: self.dir.clone(), error };
        let making = self.folder(MAKING).map_err(failed)?;
        // Tells those who clean up that its maker lives.
        let _lock = match lock(making.path(), FlockOperation::NonBlockingLockShared) {
            Ok(lock) => lock,
            // They were faster than this.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotFound) => {
                return Ok(false);
            }
            Err(error) => return Err(failed(error)),
        };
        let files = making.path().join("files");
        DirBuilder::new().mode(0o700).create(&files).map_err(failed)?;
        let items = unpack(section, max, &mut Disk { root: files, open: None })?;
        let total = items.iter().map(|item| item.size).sum();
        write_listing(making.path(), &Listing { format: FORMAT, total, items }).map_err(failed)?;
        match fs::rename(making.path(), path) {
            Ok(()) => {
                // It is no longer there to be removed.
                let _ = making.keep();
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                Ok(false)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// A new folder that nobody else looks into.
    fn folder(&self, prefix: &str) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir_in(&self.dir)
    }

    /// Takes a bundle out of the way, and removes it unless another process still uses it.
    fn discard(&self, path: &Path) -> io::Result<()> {
        let aside = self.folder(REMOVING)?;
        match fs::rename(path, aside.path()) {
            Ok(()) => {}
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Something is there that is no folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory) => {
                return fs::remove_file(path);
            }
            Err(error) => return Err(error),
        }
        if lock(aside.path(), FlockOperation::NonBlockingLockExclusive).is_err() {
            let _ = aside.keep();
        }
        Ok(())
    }

    /// Removes the bundles used longest ago until the rest is within the limit, and what others left
    /// half made. What is in use stays, and so does `keep`.
    fn prune(&self, keep: &Path) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut bundles = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(MAKING) || name.starts_with(REMOVING) {
                remove_unused(&path);
            } else if name.len() == blake3::OUT_LEN * 2 {
                let listing = path.join("listing.json");
                let used =
                    fs::metadata(&listing).and_then(|listing| listing.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                let total = fs::read(&listing).ok().and_then(|json| serde_json::from_slice::<Listing>(&json).ok());
                bundles.push((used, total.map_or(0, |listing| listing.total), path));
            }
        }
        bundles.sort();
        let mut total: u64 = bundles.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in bundles {
            if total <= self.size_max.bytes() {
                break;
            }
            if path != keep && remove_unused(&path) {
                total -= size;
            }
        }
    }
}

/// Names a section.
fn hash(section: &[u8]) -> String {
    blake3::Hasher::new().update(&FORMAT.to_le_bytes()).update(section).finalize().to_hex().to_string()
}

fn check_max(unpacked: &Unpacked, max: &Max) -> Result<(), UnpackError> {
    if unpacked.total() > max.bytes {
        return Err(UnpackError::TooLarge(Size::from_bytes(max.bytes)));
    }
    if unpacked.items.len() > max.files as usize {
        return Err(UnpackError::TooMany(max.files));
    }
    Ok(())
}

/// Removes a folder that nobody has locked; whether it did.
fn remove_unused(path: &Path) -> bool {
    // Held until it is gone: who waits for the lock then finds nothing.
    let Ok(_lock) = lock(path, FlockOperation::NonBlockingLockExclusive) else { return false };
    // The listing goes first: what is left if this is interrupted counts for nothing.
    let _ = fs::remove_file(path.join("listing.json"));
    fs::remove_dir_all(path).is_ok()
}

fn lock(path: &Path, how: FlockOperation) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::DIRECTORY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    flock(&folder, how)?;
    Ok(folder)
}

enum Found {
    Sound(Unpacked),
    Damaged,
    Nothing,
}

/// The bundle at `path`, locked, if it is there and sound.
fn find(path: &Path, hash: &str) -> io::Result<Found> {
    let lock = match lock(path, FlockOperation::LockShared) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTDIR.raw_os_error()) => {
            return Ok(Found::Damaged);
        }
        Err(error) => return Err(error),
    };
    // It may have been removed, or another put in its place, before it was locked.
    let (locked, there) = (lock.metadata()?, fs::symlink_metadata(path));
    if !there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino())) {
        return Ok(Found::Nothing);
    }
    let Ok((listing, files)) = read_sound(&lock, path) else { return Ok(Found::Damaged) };
    // Used last: what prunes goes by this.
    let _ = File::open(path.join("listing.json")).and_then(|file| file.set_modified(SystemTime::now()));
    Ok(Found::Sound(Unpacked {
        items: listing.items,
        hash: hash.to_owned(),
        files,
        path: path.join("files"),
        _lock: lock,
    }))
}

/// Compares a bundle with its listing, all of it.
fn read_sound(folder: &File, path: &Path) -> io::Result<(Listing, File)> {
    let unsound = || io::Error::from(io::ErrorKind::InvalidData);
    if !is_private(&folder.metadata()?) {
        return Err(unsound());
    }
    let mut json = Vec::new();
    open_private(folder, "listing.json")?.read_to_end(&mut json)?;
    let listing: Listing = serde_json::from_slice(&json)?;
    let files = beneath::open_folder(folder, "files")?;
    if listing.format != FORMAT || !is_private(&files.metadata()?) {
        return Err(unsound());
    }
    for item in &listing.items {
        let file = open_private(&files, &item.path)?;
        let mut hasher = blake3::Hasher::new();
        // No further than it should be long, and one byte to tell.
        hasher.update_reader((&file).take(item.size.saturating_add(1)))?;
        if hasher.count() != item.size || hasher.finalize().to_hex().as_str() != item.hash {
            return Err(unsound());
        }
    }
    let known: BTreeSet<&str> = listing.items.iter().map(|item| item.path.as_str()).collect();
    check_folder(&path.join("files"), "", &known)?;
    Ok((listing, files))
}

/// Refuses what is there besides the files of the listing, and folders that others can write.
fn check_folder(folder: &Path, inside: &str, known: &BTreeSet<&str>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or(io::ErrorKind::InvalidData)?;
        let path = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
        let metadata = entry.metadata()?;
        if metadata.is_dir() && is_private(&metadata) && path.split('/').count() <= super::name::DEPTH_MAX {
            check_folder(&entry.path(), &path, known)?;
        } else if !known.contains(path.as_str()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

fn open_private(folder: &File, path: &str) -> io::Result<File> {
    let file = beneath::open_file(folder, path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && is_private(&metadata) { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Whether nobody but this user can have written it.
fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

fn write_listing(folder: &Path, listing: &Listing) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("listing.json"))?;
    file.write_all(&serde_json::to_vec(listing)?)
}

/// Writes to a folder that is this process's own, so that nothing can be in the way.
struct Disk {
    root: PathBuf,
    /// The file that is being written.
    open: Option<File>,
}

impl Sink for Disk {
    fn folder(&mut self, path: &str) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(self.root.join(path))
    }

    fn begin(&mut self, path: &str) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(self.root.join(path))?;
        self.open = Some(file);
        Ok(())
    }

    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |file| file.write_all(part))
    }

    fn end(&mut self, modified: u64) -> io::Result<()> {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(modified);
        self.open.take().map_or(Ok(()), |file| file.set_modified(modified))
    }
}
