//! From the bytes of a bundle to its files. What is read is hostile: all of it is bounded, and
//! whatever is neither a plain file nor a folder is refused.
//!
//! gzip unpacks at most 1032 times its size, in 32 KiB of memory; tar is read one entry at a time.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};
use tar::EntryType;

use super::name::{self, NameError};
use crate::limits::{HostLimits, Size};
use crate::text::printable;

/// The latest time of a file: in the year 2242, which file systems can tell.
const MODIFIED_MAX: u64 = 1 << 33;

/// How much a bundle may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Max {
    /// Bytes of its files (`bundle-max`).
    pub bytes: u64,
    /// Its files and folders (`bundle-files-max`).
    pub files: u32,
}

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its path, relative to `/app`.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// BLAKE3 of its content, in hexadecimal.
    pub hash: String,
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Not an archive, or damaged.
    #[error("its bundle is damaged: {0}; build the app anew")]
    Damaged(String),
    /// Something in it may not be there.
    #[error("its bundle has {entry:?}: {reason}")]
    Entry {
        /// Which, in printable form.
        entry: String,
        /// Why not, and what to do.
        reason: EntryError,
    },
    /// Over `bundle-max`.
    #[error("its bundle is larger than bundle-max ({0}); take out what the app does not read, or raise it")]
    TooLarge(Size),
    /// Over `bundle-files-max`.
    #[error("its bundle has more files than bundle-files-max ({0}); take out what the app does not read, or raise it")]
    TooMany(u32),
    /// A file cannot be written.
    #[error("cannot unpack its bundle: {0}; see that there is room for it, or name another folder with --cache")]
    Write(io::Error),
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A bad name.
    #[error("its path {0}; rename it and build the app anew")]
    Name(#[from] NameError),
    /// A link, device or FIFO.
    #[error("it is {0}, and a bundle holds files and folders only; put a copy of the file there")]
    Kind(&'static str),
    /// There before.
    #[error("it is there twice; leave out one")]
    Twice,
    /// Differs from another in case alone.
    #[error("it differs from {0:?} in case alone, which not every file system can tell; rename one")]
    Case(String),
    /// A file where there is a folder, or in a file.
    #[error("there is both a file and a folder of that name, {0:?}; rename one")]
    FileAndFolder(String),
    /// A folder with content.
    #[error("it is a folder with content; build the app anew")]
    FolderWithContent,
}

/// Takes what is unpacked.
pub trait Sink {
    /// A folder, after those it lies in.
    ///
    /// # Errors
    /// When it cannot be made.
    fn folder(&mut self, path: &str) -> io::Result<()>;

    /// A file, after its folders; its content follows.
    ///
    /// # Errors
    /// When it cannot be made.
    fn begin(&mut self, path: &str) -> io::Result<()>;

    /// The next bytes of the file.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write(&mut self, part: &[u8]) -> io::Result<()>;

    /// The file has all its content; it was last modified at `modified`, in seconds since 1970.
    ///
    /// # Errors
    /// When that cannot be noted.
    fn end(&mut self, modified: u64) -> io::Result<()>;
}

/// What is in the bundle so far.
#[derive(Debug, Default)]
struct Seen {
    /// By path in lower case: the path, and whether it is a folder that only contains something so far.
    paths: BTreeMap<String, (String, Kind)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    /// Named by an entry of its own.
    Folder,
    /// Known from what is in it.
    Implied,
}

impl Max {
    /// As the host has it.
    pub fn of(limits: &HostLimits) -> Self {
        Self { bytes: limits.bundle_max.bytes(), files: limits.bundle_files_max }
    }
}

/// Unpacks a bundle into `sink` and lists its files in the order of their paths. After an error the sink
/// holds what came before it.
///
/// # Errors
/// [`UnpackError`].
pub fn unpack(bundle: &[u8], max: &Max, sink: &mut dyn Sink) -> Result<Vec<Item>, UnpackError> {
    // Headers, long names and padding take two blocks of 512 bytes each at the most, and the end 10 KiB.
    let archive_max = max.bytes.saturating_add(u64::from(max.files).saturating_mul(4096)).saturating_add(64 << 10);
    let mut gzip = GzDecoder::new(bundle);
    let mut unpacked = Reading { max, seen: Seen::default(), left: max.bytes, count: 0, items: Vec::new() };
    let mut bounded = BufReader::new((&mut gzip).take(archive_max));
    unpacked.read(&mut bounded, sink)?;
    // To the end, where the check sum is: nothing but zeros may follow.
    let rest_is_zero = is_zero(&mut bounded).map_err(|error| damaged(&error))?;
    let cut = bounded.into_inner().limit() == 0;
    if cut {
        return Err(UnpackError::TooLarge(Size::from_bytes(max.bytes)));
    }
    if !rest_is_zero || !gzip.into_inner().is_empty() {
        return Err(UnpackError::Damaged("something follows after its end".into()));
    }
    unpacked.items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(unpacked.items)
}

fn is_zero(reader: &mut impl Read) -> io::Result<bool> {
    let mut block = [0_u8; 4096];
    loop {
        let count = reader.read(&mut block)?;
        if count == 0 {
            return Ok(true);
        }
        if block[..count].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}

fn damaged(error: &io::Error) -> UnpackError {
    UnpackError::Damaged(printable(&error.to_string(), 256))
}

/// A bundle that is being read.
struct Reading<'a> {
    max: &'a Max,
    seen: Seen,
    /// Bytes of files that there may still be.
    left: u64,
    count: u32,
    items: Vec<Item>,
}

impl Reading<'_> {
    fn read(&mut self, archive: &mut impl Read, sink: &mut dyn Sink) -> Result<(), UnpackError> {
        let mut archive = tar::Archive::new(archive);
        // The path of the next entry, if it is too long for its header.
        let mut long_name: Option<Vec<u8>> = None;
        // Raw: what the library does by itself for long names and extensions has no bounds.
        let entries = archive.entries().map_err(|error| damaged(&error))?.raw(true);
        for entry in entries {
            let mut entry = entry.map_err(|error| damaged(&error))?;
            let kind = entry.header().entry_type();
            if kind.is_gnu_longname() && long_name.is_none() {
                long_name = Some(read_long_name(&mut entry)?);
                continue;
            }
            let path = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            self.entry(&path, &mut entry, sink)?;
        }
        match long_name {
            Some(_) => Err(UnpackError::Damaged("a long name belongs to nothing".into())),
            None => Ok(()),
        }
    }

    fn entry(
        &mut self,
        path: &[u8],
        entry: &mut tar::Entry<'_, impl Read>,
        sink: &mut dyn Sink,
    ) -> Result<(), UnpackError> {
        let kind = entry.header().entry_type();
        let is_folder = kind == EntryType::Directory;
        let shown = || printable(&String::from_utf8_lossy(path), 256);
        let refused = |reason: EntryError| UnpackError::Entry { entry: shown(), reason };
        // A folder may end in `/`, a file may not.
        let bare = if is_folder { path.strip_suffix(b"/").unwrap_or(path) } else { path };
        let path = name::parse(bare).map_err(|error| refused(error.into()))?;
        if !is_folder && kind != EntryType::Regular {
            return Err(refused(EntryError::Kind(describe(kind))));
        }
        self.count += 1;
        if self.count > self.max.files {
            return Err(UnpackError::TooMany(self.max.files));
        }
        for folder in self.seen.add(path, is_folder).map_err(refused)? {
            sink.folder(folder).map_err(UnpackError::Write)?;
        }
        // Folders that nobody named count too: each costs as much.
        if self.seen.paths.len() > (self.max.files as usize).saturating_mul(2) {
            return Err(UnpackError::TooMany(self.max.files));
        }
        let size = entry.size();
        if is_folder {
            return if size == 0 { Ok(()) } else { Err(refused(EntryError::FolderWithContent)) };
        }
        self.left =
            self.left.checked_sub(size).ok_or_else(|| UnpackError::TooLarge(Size::from_bytes(self.max.bytes)))?;
        let modified = entry.header().mtime().map_err(|error| damaged(&error))?.min(MODIFIED_MAX);
        sink.begin(path).map_err(UnpackError::Write)?;
        let hash = copy(entry, (path, size), sink)?;
        sink.end(modified).map_err(UnpackError::Write)?;
        self.items.push(Item { path: path.to_owned(), size, hash });
        Ok(())
    }
}

/// Copies a file of `size` bytes; its hash.
fn copy(from: &mut impl Read, (path, size): (&str, u64), sink: &mut dyn Sink) -> Result<String, UnpackError> {
    let mut buffer = vec![0_u8; 64 << 10];
    let mut hasher = blake3::Hasher::new();
    let mut left = size;
    loop {
        let count = from.read(&mut buffer).map_err(|error| damaged(&error))?;
        if count == 0 {
            break;
        }
        let part = &buffer[..count];
        hasher.update(part);
        sink.write(part).map_err(UnpackError::Write)?;
        left = left.saturating_sub(count as u64);
    }
    if left > 0 {
        return Err(UnpackError::Damaged(format!("{path:?} breaks off")));
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn read_long_name(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, UnpackError> {
    let mut name = Vec::new();
    // With its NUL at the end, and one more to tell that it is too long.
    entry.take(name::PATH_MAX as u64 + 2).read_to_end(&mut name).map_err(|error| damaged(&error))?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink | EntryType::Link => "a link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a FIFO",
        EntryType::XGlobalHeader | EntryType::XHeader => "an extension (pax) of the archive",
        _ => "of an unknown kind",
    }
}

impl Seen {
    /// Notes an entry; the folders that are new by it, the outermost first.
    fn add<'p>(&mut self, path: &'p str, is_folder: bool) -> Result<Vec<&'p str>, EntryError> {
        let mut new = Vec::new();
        for parent in name::parents(path) {
            if self.place(parent, Kind::Implied)? {
                new.push(parent);
            }
        }
        let kind = if is_folder { Kind::Folder } else { Kind::File };
        if self.place(path, kind)? && is_folder {
            new.push(path);
        }
        Ok(new)
    }

    /// Whether what is put there is new.
    fn place(&mut self, path: &str, kind: Kind) -> Result<bool, EntryError> {
        let Some((known, known_kind)) = self.paths.get_mut(&path.to_lowercase()) else {
            self.paths.insert(path.to_lowercase(), (path.to_owned(), kind));
            return Ok(true);
        };
        if known != path {
            return Err(EntryError::Case(printable(known, 256)));
        }
        match (*known_kind, kind) {
            (Kind::Implied, Kind::Folder) => {
                *known_kind = Kind::Folder;
                Ok(false)
            }
            (Kind::Implied | Kind::Folder, Kind::Implied) => Ok(false),
            (Kind::File, Kind::File) | (Kind::Folder, Kind::Folder) => Err(EntryError::Twice),
            _ => Err(EntryError::FileAndFolder(printable(known, 256))),
        }
    }
}
