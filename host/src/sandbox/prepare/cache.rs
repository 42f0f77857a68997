//! The compile cache: compiled code by content, so that a second start compiles nothing.
//!
//! Two files an entry: `KEY.cwasm` holds the code, `KEY.json` its hash and report. Both are written
//! elsewhere and renamed, the second last, so that an entry is whole or not there. What is damaged,
//! of another version or writable by others is made anew, never trusted.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::bundle::store::Store;
use crate::limits::Size;
use crate::sandbox::prepare::{Artifact, Report, fuse};
use crate::sandbox::store::Terms;

/// Changes whenever the meaning of an entry does.
const FORMAT: u32 = 3;

/// Terms under which an entry is remembered to have been tried: as many hosts may share it.
const TRIED_MAX: usize = 8;

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the compile cache {path}: {error}; name another with --cache")]
pub struct CacheError {
    path: PathBuf,
    error: io::Error,
}

/// A folder of compiled code.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    size_max: Size,
    /// Set if the folder lives no longer than the process.
    _private: Option<TempDir>,
}

/// The second file of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    format: u32,
    wasgi: String,
    /// The entry's own key: an entry under another name is not that entry.
    key: String,
    hash: String,
    report: Report,
    /// Under which terms an instance has been made of it, the latest last.
    tried: Vec<String>,
}

/// Names a component, the engine that compiles it, and for a snapshot what it was taken under.
pub(super) fn key(component: &[u8], compatibility: u64, snapshot: Option<&Terms>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&FORMAT.to_le_bytes())
        .update(&fuse::VERSION.to_le_bytes())
        .update(&compatibility.to_le_bytes())
        .update(program().as_bytes());
    hasher.update(&(component.len() as u64).to_le_bytes()).update(component);
    if let Some(terms) = snapshot {
        hasher.update(terms.identity().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Names the terms of an app.
pub(super) fn digest(terms: &Terms) -> String {
    blake3::hash(terms.identity().as_bytes()).to_hex().to_string()
}

/// Names the program that compiles: what one build of this host made, another makes anew.
fn program() -> String {
    let Ok(program) = fs::metadata("/proc/self/exe") else { return String::new() };
    format!("{} {} {}", program.len(), program.mtime(), program.mtime_nsec())
}

impl Cache {
    /// The cache in `dir`, made if it is not there. A folder that others can write is not used: a
    /// private one takes its place until the process ends, with a warning.
    ///
    /// # Errors
    /// [`CacheError`] when the folder cannot be made.
    pub fn open(dir: &Path, size_max: Size) -> Result<Self, CacheError> {
        let failed = |error| CacheError { path: dir.into(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        if is_private(&fs::metadata(dir).map_err(failed)?) {
            // Not all that can be read can be written.
            tempfile::tempfile_in(dir).map_err(failed)?;
            return Ok(Self { dir: dir.into(), size_max, _private: None });
        }
        tracing::warn!(
            cache = ?dir,
            "the compile cache can be written by others, so it is not used; `chmod go-w` it or name another with --cache"
        );
        Self::private(size_max)
    }

    /// A cache that lives no longer than the process.
    ///
    /// # Errors
    /// [`CacheError`] when no temporary folder can be made.
    pub fn private(size_max: Size) -> Result<Self, CacheError> {
        let dir = TempDir::with_prefix("wasgi-").map_err(|error| CacheError { path: std::env::temp_dir(), error })?;
        Ok(Self { dir: dir.path().into(), size_max, _private: Some(dir) })
    }

    /// Where unpacked bundles are kept, beside the code.
    pub(super) fn bundles(&self) -> Store {
        Store::new(self.dir.join("bundles"), self.size_max)
    }

    /// An entry, if it is there and sound.
    pub(super) fn find(&self, key: &str) -> Option<Artifact> {
        let (code, about) = self.paths(key);
        let entry = self.entry(key)?;
        let file = open_private(&code).ok()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file).ok()?;
        if hasher.finalize().to_hex().as_str() != entry.hash {
            tracing::warn!(entry = ?code, "a compile cache entry is damaged; compiling it again");
            return None;
        }
        // Used last: what prunes the cache goes by this.
        let _ = File::open(&about).and_then(|file| file.set_modified(SystemTime::now()));
        let size = file.metadata().ok()?.len();
        Some(Artifact {
            code: Arc::new(file),
            report: entry.report,
            cached: true,
            size,
            key: entry.key,
            tried: entry.tried,
        })
    }

    /// What is known of an entry, if it is of this version.
    fn entry(&self, key: &str) -> Option<Entry> {
        let (_, about) = self.paths(key);
        let entry: Entry = serde_json::from_slice(&read_private(&about).ok()?).ok()?;
        (entry.format == FORMAT && entry.wasgi == env!("CARGO_PKG_VERSION") && entry.key == key).then_some(entry)
    }

    /// Remembers terms under which an instance has been made. If that fails it is tried again at the
    /// next start.
    pub(super) fn note_tried(&self, key: &str, terms: String) {
        let Some(mut entry) = self.entry(key) else { return };
        entry.tried.retain(|known| *known != terms);
        entry.tried.push(terms);
        let surplus = entry.tried.len().saturating_sub(TRIED_MAX);
        entry.tried.drain(..surplus);
        if let Err(error) = self.write(&entry) {
            tracing::debug!(%error, "cannot note in the compile cache that an instance was made");
        }
    }

    fn write(&self, entry: &Entry) -> Result<(), CacheError> {
        let failed = |error| CacheError { path: self.dir.clone(), error };
        let (_, about) = self.paths(&entry.key);
        let mut file =
            tempfile::Builder::new().prefix(".new-").suffix(".json").tempfile_in(&self.dir).map_err(failed)?;
        file.write_all(&serde_json::to_vec(entry).map_err(|error| failed(error.into()))?).map_err(failed)?;
        file.persist(&about).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// A path in the cache for a file that is being made.
    pub(super) fn staging(&self) -> Result<tempfile::TempPath, CacheError> {
        let file = tempfile::Builder::new()
            .prefix(".new-")
            .suffix(".cwasm")
            .tempfile_in(&self.dir)
            .map_err(|error| CacheError { path: self.dir.clone(), error })?;
        let path = file.into_temp_path();
        // The maker creates it anew: what it finds there would not be its own.
        fs::remove_file(&path).map_err(|error| CacheError { path: self.dir.clone(), error })?;
        Ok(path)
    }

    /// Files what was made as the entry of `key`.
    pub(super) fn store(&self, key: &str, made: tempfile::TempPath, report: Report) -> Result<Artifact, CacheError> {
        let failed = |error| CacheError { path: self.dir.clone(), error };
        let (code, about) = self.paths(key);
        let mut hasher = blake3::Hasher::new();
        let opened = Arc::new(File::open(&made).map_err(failed)?);
        hasher.update_reader(&*opened).map_err(failed)?;
        let hash = hasher.finalize().to_hex().to_string();
        // An older entry must not vouch for the new code in between.
        let _ = fs::remove_file(&about);
        made.persist(&code).map_err(|error| failed(error.error))?;
        let size = opened.metadata().map_err(failed)?.len();
        let (wasgi, key) = (env!("CARGO_PKG_VERSION").into(), key.to_owned());
        let entry = Entry { format: FORMAT, wasgi, key, hash, report: report.clone(), tried: Vec::new() };
        self.write(&entry)?;
        self.prune(&code);
        Ok(Artifact { code: opened, report, cached: false, size, key: entry.key, tried: Vec::new() })
    }

    fn paths(&self, key: &str) -> (PathBuf, PathBuf) {
        (self.dir.join(format!("{key}.cwasm")), self.dir.join(format!("{key}.json")))
    }

    /// Drops the entries used longest ago until the cache is within its limit. Code in use stays
    /// mapped, so this harms nobody.
    fn prune(&self, keep: &Path) {
        let Ok(listing) = fs::read_dir(&self.dir) else { return };
        let mut entries: Vec<_> = listing
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            // Files in the making belong to whoever makes them.
            .filter(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".new-")))
            .filter_map(|code| {
                let about = code.with_extension("json");
                let used = fs::metadata(&about).and_then(|about| about.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                Some((used, fs::metadata(&code).ok()?.len(), code))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, size, code) in entries {
            if total <= self.size_max.bytes() {
                break;
            }
            if code != keep {
                let _ = fs::remove_file(code.with_extension("json"));
                let _ = fs::remove_file(&code);
                total -= size;
            }
        }
    }
}

/// Whether nobody but this user can have written it.
fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.permissions().mode() & 0o022 == 0
}

fn open_private(path: &Path) -> io::Result<File> {
    // Neither a link to elsewhere nor a pipe that nobody writes to.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && is_private(&metadata) {
        return Ok(file);
    }
    tracing::warn!(entry = ?path, "a compile cache entry can be written by others; compiling it again");
    Err(io::ErrorKind::PermissionDenied.into())
}

fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open_private(path)?, &mut bytes)?;
    Ok(bytes)
}
