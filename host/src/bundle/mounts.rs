//! A bundle as its app sees it: at `/app`, and at the further places that it asked for.
//!
//! A directory that the operator grants at `/app` itself lies over the whole bundle: the app finds its own files there,
//! as an app does that is served from its source folder. Only what the build added (`.wasgi`) still comes from the bundle.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::asks::is_within;
use super::store::Unpacked;
use super::{Asks, MOUNT, beneath, name};
use crate::config::DirGrant;
use crate::own_threads;
use crate::reply::FilePart;

/// A file up to this size is read when it is asked for, rather than piece by piece as it is sent.
const SMALL: u64 = 64 << 10;

/// What a build adds to an author's files, and no directory lies over.
const ADDED: &str = ".wasgi";

/// The places of a bundle. Empty for an app without one.
#[derive(Debug, Default)]
pub struct Mounts {
    bundle: Option<Arc<Unpacked>>,
    /// Further names of [`MOUNT`], or of folders in it, with those folders.
    names: Vec<(String, String)>,
    /// Where the bundle, or a folder of it, is by the app's own wish.
    places: Vec<Place>,
    /// The directory that is granted at [`MOUNT`], if there is one.
    over: Option<PathBuf>,
}

#[derive(Debug)]
struct Place {
    guest: String,
    /// Relative to the bundle; empty for all of it.
    folder: String,
    opened: File,
}

/// Why a bundle cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// A place for a folder that the bundle does not have.
    #[error("it asks for its folder {folder:?} at {guest}, and its bundle has no such folder; build the app anew")]
    NoFolder {
        /// Where.
        guest: String,
        /// Which.
        folder: String,
    },
    /// A place where a granted directory is.
    #[error(
        "it keeps its own files at {guest}, where {dir} is granted as {granted}; grant the directory under another name"
    )]
    Granted {
        /// The app's place.
        guest: String,
        /// The directory.
        dir: PathBuf,
        /// Its place.
        granted: String,
    },
    /// The operating system refuses it.
    #[error("cannot open its bundle: {0}; see that its files are left alone")]
    Open(io::Error),
}

/// Why a file cannot be served. What the app did wrong, but for the last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefused {
    /// No bundle at all.
    #[error("the application returned the file {0:?}, but it has no bundle to serve files from")]
    NoBundle(String),
    /// Not in the bundle.
    #[error("the application returned the file {0:?}, which is not a plain path in its bundle, at /app")]
    Outside(String),
    /// Not there, or no file.
    #[error("the application returned the file {0:?}, and its bundle has no such file")]
    Missing(String),
    /// Past the end.
    #[error("the application returned {length} bytes at {offset} of the file {path:?}, which has {size} bytes")]
    PastEnd {
        /// Which.
        path: String,
        /// The first byte it wanted.
        offset: u64,
        /// How many.
        length: u64,
        /// How many there are.
        size: u64,
    },
    /// The disk fails.
    #[error("cannot read {path:?} of the bundle: {error}; see that its files are left alone")]
    Unreadable {
        /// Which.
        path: String,
        /// What the operating system says.
        error: String,
    },
}

/// A part of a file, ready to be sent.
#[derive(Debug)]
pub enum Content {
    /// All of it.
    Bytes(Bytes),
    /// Read as it is sent.
    File(FilePart),
}

impl Place {
    fn read_only(&self, host: PathBuf) -> DirGrant {
        DirGrant { host, guest: self.guest.clone(), writable: false }
    }
}

impl Content {
    /// Its bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(part) => part.left(),
        }
    }
}

impl Mounts {
    /// The places of `bundle`, beside these directories.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn new(bundle: Option<Arc<Unpacked>>, asks: &Asks, dirs: &[DirGrant]) -> Result<Self, MountError> {
        let Some(bundle) = bundle else { return Ok(Self::default()) };
        let over = dirs.iter().find(|dir| dir.guest == MOUNT).map(|dir| dir.host.clone());
        let own = std::iter::once((MOUNT, ""));
        let asked = asks.mounts.iter().map(|mount| (mount.guest.as_str(), mount.folder.as_str()));
        let mut places = Vec::with_capacity(1 + asks.mounts.len());
        for (guest, folder) in own.chain(asked) {
            if let Some(dir) = dirs.iter().find(|dir| collide(guest, &dir.guest)) {
                let (dir, granted) = (dir.host.clone(), dir.guest.clone());
                return Err(MountError::Granted { guest: guest.into(), dir, granted });
            }
            let is_under = over.is_some() && folder.is_empty();
            let (guest, folder) = match is_under {
                true => (format!("{guest}/{ADDED}"), ADDED),
                false => (guest.to_owned(), folder),
            };
            let opened = match beneath::open_folder(&bundle.files, folder) {
                Ok(opened) => opened,
                Err(error) => match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if is_under => continue,
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                        return Err(MountError::NoFolder { guest, folder: folder.into() });
                    }
                    _ => return Err(MountError::Open(error)),
                },
            };
            places.push(Place { guest, folder: folder.into(), opened });
        }
        Ok(Self { bundle: Some(bundle), names: names(asks), places, over })
    }

    /// The bundle.
    pub fn bundle(&self) -> Option<&Arc<Unpacked>> {
        self.bundle.as_ref()
    }

    /// Granted directories in `/app` as they are found by the other names of what they lie in: an app that
    /// remembers itself at `/0` looks for `/app/data` at `/0/data`.
    pub(crate) fn mirrored(&self, dirs: &[DirGrant]) -> Vec<DirGrant> {
        let in_bundle = dirs.iter().filter(|dir| is_within(&dir.guest, MOUNT));
        let mirrored = in_bundle.flat_map(|dir| {
            self.names.iter().filter_map(move |(name, folder)| {
                let inside = &dir.guest[MOUNT.len()..];
                let inside = match folder.as_str() {
                    "" => inside,
                    folder => inside.strip_prefix('/')?.strip_prefix(folder).filter(|rest| rest.starts_with('/'))?,
                };
                Some(DirGrant { guest: format!("{name}{inside}"), ..dir.clone() })
            })
        });
        mirrored.collect()
    }

    /// Each place as a directory to open, by the folder that is open already: whatever its path leads to
    /// by now, these are the files that were found sound.
    pub(crate) fn handles(&self) -> Vec<DirGrant> {
        let handle = |place: &Place| format!("/proc/self/fd/{}", place.opened.as_raw_fd()).into();
        self.places.iter().map(|place| place.read_only(handle(place))).collect()
    }

    /// Each place by the path of its folder, for a process that is started now.
    pub(crate) fn paths(&self) -> Vec<DirGrant> {
        let Some(bundle) = &self.bundle else { return Vec::new() };
        self.places.iter().map(|place| place.read_only(bundle.path_of(&place.folder))).collect()
    }

    /// What a guest can tell of it: the content, and where it is.
    pub(crate) fn identity(&self) -> String {
        let Some(bundle) = &self.bundle else { return String::new() };
        let places: Vec<_> = self.places.iter().map(|place| (&place.guest, &place.folder)).collect();
        format!("{} {places:?}", bundle.hash)
    }

    /// `length` bytes (none for all) from `offset` of the file that the guest knows by `path`.
    ///
    /// # Errors
    /// [`FileRefused`].
    pub async fn part(self: &Arc<Self>, path: &str, offset: u64, length: Option<u64>) -> Result<Content, FileRefused> {
        let (mounts, path) = (Arc::clone(self), path.to_owned());
        // Disks may be slow.
        let opened = own_threads::spawn(move || mounts.open(&path, offset, length)).await;
        opened.unwrap_or_else(|error| Err(FileRefused::Unreadable { path: String::new(), error: error.to_string() }))
    }

    fn open(&self, path: &str, offset: u64, length: Option<u64>) -> Result<Content, FileRefused> {
        let shown = || crate::text::printable(path, 256);
        let unreadable = |error: io::Error| FileRefused::Unreadable { path: shown(), error: error.to_string() };
        if self.bundle.is_none() {
            return Err(FileRefused::NoBundle(shown()));
        }
        let file = match (self.find(path), self.find_over(path)) {
            (Some((place, inside)), _) => beneath::open_file(&place.opened, inside),
            // By its path each time, as the guest's own: it may be mounted or replaced meanwhile.
            (None, Some((over, inside))) => File::open(over).and_then(|over| beneath::open_file(&over, inside)),
            (None, None) => return Err(FileRefused::Outside(shown())),
        };
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileRefused::Missing(shown()),
            _ => unreadable(error),
        })?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(FileRefused::Missing(shown()));
        }
        let size = metadata.len();
        let there = size.checked_sub(offset);
        let length = match (there, length) {
            (Some(there), None) => there,
            (Some(there), Some(length)) if length <= there => length,
            (_, length) => {
                return Err(FileRefused::PastEnd { path: shown(), offset, length: length.unwrap_or(0), size });
            }
        };
        if length > SMALL {
            return Ok(Content::File(FilePart::new(file, offset, length)));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut bytes, offset).map_err(unreadable)?;
        Ok(Content::Bytes(bytes.into()))
    }

    /// The place that a path is in, and the path in it.
    fn find<'p>(&self, path: &'p str) -> Option<(&Place, &'p str)> {
        let place =
            self.places.iter().filter(|place| is_within(path, &place.guest)).max_by_key(|place| place.guest.len())?;
        Some((place, inside(path, &place.guest)?))
    }

    /// The directory that lies over the bundle, and the path in it.
    fn find_over<'p>(&self, path: &'p str) -> Option<(&PathBuf, &'p str)> {
        let names = self.names.iter().filter(|(_, folder)| folder.is_empty()).map(|(name, _)| name.as_str());
        let inside = std::iter::once(MOUNT).chain(names).find_map(|name| inside(path, name))?;
        Some((self.over.as_ref()?, inside))
    }
}

/// The plain path in `folder` of a file.
fn inside<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let inside = path.strip_prefix(folder)?.strip_prefix('/')?;
    name::check(inside).ok().map(|()| inside)
}

fn names(asks: &Asks) -> Vec<(String, String)> {
    asks.mounts.iter().map(|mount| (mount.guest.clone(), mount.folder.clone())).collect()
}

/// Whether a directory may not be granted there beside a place of the bundle. A directory at `/` hides
/// nothing, since the longest place counts; one at `/app` or in it is meant to lie over the bundle.
fn collide(own: &str, granted: &str) -> bool {
    own != MOUNT && is_within(granted, own)
}
