//! From folders to the bytes of a bundle: the same files give the same bytes, whoever packs them and when.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::name::{self, NameError};
use super::unpack::Max;

/// The content of a bundle section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle(Vec<u8>);

/// Files of one folder that go into a bundle.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The folder.
    pub folder: PathBuf,
    /// Where its files come to lie, relative to `/app`; empty for `/app` itself.
    pub at: String,
    /// Which files, by their paths in `folder`, such as `templates/**`; none for all. `*` stays within a
    /// folder, `**` does not.
    pub include: Vec<String>,
    /// Which files and folders all the same not.
    pub exclude: Vec<String>,
}

/// Why files cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {error}; check the path and who may read it, or exclude it")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A link, device or the like.
    #[error("{0} is neither a file nor a folder, and a bundle holds nothing else; put a copy there, or exclude it")]
    Kind(PathBuf),
    /// A name that would be refused when it is unpacked.
    #[error("{path} cannot be in a bundle, since its path {error}; rename it or exclude it")]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: NameError,
    },
    /// Two files for one place, or for two that differ in case alone.
    #[error("{path} and {other} have the same place in the bundle; rename one or exclude it")]
    Clash {
        /// The one.
        path: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A pattern that is none.
    #[error("{0}; correct the pattern")]
    Pattern(#[from] globset::Error),
    /// Over `bundle-max`.
    #[error(
        "the bundle has more than {max} bytes (bundle-max), and its largest file is {largest}; exclude what the app does not read, or serve it from elsewhere"
    )]
    TooLarge {
        /// The limit, in bytes.
        max: u64,
        /// Where most of it is.
        largest: PathBuf,
    },
    /// Over `bundle-files-max`.
    #[error("the bundle has more than {max} files (bundle-files-max); exclude what the app does not read")]
    TooMany {
        /// The limit.
        max: u32,
    },
}

impl PackError {
    /// The same, for who knows the files of `from` as those of `to`.
    #[must_use]
    pub fn seen_from(self, from: &Path, to: &Path) -> Self {
        let seen = |path: PathBuf| path.strip_prefix(from).map(|inside| to.join(inside)).unwrap_or(path);
        match self {
            Self::Unreadable { path, error } => Self::Unreadable { path: seen(path), error },
            Self::Kind(path) => Self::Kind(seen(path)),
            Self::Name { path, error } => Self::Name { path: seen(path), error },
            Self::Clash { path, other } => Self::Clash { path: seen(path), other: seen(other) },
            Self::TooLarge { max, largest } => Self::TooLarge { max, largest: seen(largest) },
            Self::Pattern(_) | Self::TooMany { .. } => self,
        }
    }
}

impl Bundle {
    /// The section's content.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A bundle that was packed elsewhere. Whether it is one shows when it is unpacked.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// What is in a bundle, before it is one.
#[derive(Debug, Default)]
struct Plan {
    /// By its path in the bundle: where it is read.
    files: BTreeMap<String, PathBuf>,
    /// By its path in lower case.
    folded: BTreeMap<String, PathBuf>,
}

/// Packs the files of all sources. Folders that no file is in are left out, and so are modes and owners. All files
/// get one time, `modified`, in seconds since 1970: what serves them tells clients by it whether they have changed,
/// so it should be that of the build.
///
/// # Errors
/// [`PackError`]; what packs is within `max` and would be unpacked again.
pub fn pack(sources: &[Source], modified: u64, max: &Max) -> Result<Bundle, PackError> {
    let plan = plan(sources, max)?;
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut left = max.bytes;
    for (path, from) in &plan.files {
        let unreadable = |error| PackError::Unreadable { path: from.clone(), error };
        let mut content = Vec::new();
        // No more than that, whatever size the file is, or comes to be.
        File::open(from).and_then(|file| file.take(left + 1).read_to_end(&mut content)).map_err(unreadable)?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| PackError::TooLarge { max: max.bytes, largest: plan.largest() })?;
        add(&mut archive, (path, modified), &content).map_err(unreadable)?;
    }
    let finished = archive.into_inner().and_then(|mut gzip| gzip.flush().and_then(|()| gzip.finish()));
    finished.map(Bundle).map_err(|error| PackError::Unreadable { path: PathBuf::new(), error })
}

/// Whether the files of all sources may be packed, as far as their names, kinds, number and sizes tell.
///
/// # Errors
/// [`PackError`].
pub fn check(sources: &[Source], max: &Max) -> Result<(), PackError> {
    let plan = plan(sources, max)?;
    let bytes = plan.files.values().fold(0_u64, |sum, path| sum.saturating_add(size(path)));
    if bytes > max.bytes {
        return Err(PackError::TooLarge { max: max.bytes, largest: plan.largest() });
    }
    Ok(())
}

fn plan(sources: &[Source], max: &Max) -> Result<Plan, PackError> {
    let mut plan = Plan::default();
    for source in sources {
        let include = globs(&source.include)?;
        let wanted =
            Wanted { include: (!source.include.is_empty()).then_some(include), exclude: globs(&source.exclude)? };
        let at = source.at.trim_matches('/').to_owned();
        plan.add_folder(&source.folder, ("", &at), &wanted)?;
    }
    plan.check_nesting()?;
    if plan.files.len() > max.files as usize {
        return Err(PackError::TooMany { max: max.files });
    }
    Ok(plan)
}

/// Packs contents that are at hand, by their paths in the bundle.
///
/// # Errors
/// A path that breaks the rules.
pub fn pack_contents<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Bundle, NameError> {
    let files: BTreeMap<&str, &[u8]> = files.into_iter().collect();
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        name::check(path)?;
        // The name is within its bounds, and writing to memory does not fail.
        add(&mut archive, (path, 0), content).map_err(|_error| NameError::TooLong)?;
    }
    let finished = archive.into_inner().and_then(GzEncoder::finish);
    finished.map(Bundle).map_err(|_error| NameError::TooLong)
}

fn add<W: io::Write>(archive: &mut tar::Builder<W>, (path, modified): (&str, u64), content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o444);
    header.set_mtime(modified);
    header.set_uid(0);
    header.set_gid(0);
    archive.append_data(&mut header, path, content)
}

/// Which files of a folder.
struct Wanted {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build()?);
    }
    set.build()
}

impl Plan {
    /// Adds what is wanted of `folder`, which is at `inside` of its source; that lies at `at` of the bundle.
    fn add_folder(&mut self, folder: &Path, (inside, at): (&str, &str), wanted: &Wanted) -> Result<(), PackError> {
        let unreadable = |error| PackError::Unreadable { path: folder.to_owned(), error };
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let from = entry.map_err(unreadable)?.path();
            let kind = fs::symlink_metadata(&from)
                .map_err(|error| PackError::Unreadable { path: from.clone(), error })?
                .file_type();
            let refused = |error| PackError::Name { path: from.clone(), error };
            let segment = from.file_name().and_then(std::ffi::OsStr::to_str).ok_or(NameError::NotUtf8);
            let inside = join(inside, segment.map_err(refused)?);
            if wanted.exclude.is_match(&inside) {
                continue;
            }
            if kind.is_dir() {
                // Checked here too: links aside, only this bounds how deep it goes.
                name::check(&inside).map_err(refused)?;
                self.add_folder(&from, (&inside, at), wanted)?;
            } else if wanted.include.as_ref().is_none_or(|include| include.is_match(&inside)) {
                if !kind.is_file() {
                    return Err(PackError::Kind(from));
                }
                let path = join(at, &inside);
                name::check(&path).map_err(refused)?;
                self.add_file(path, from)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: String, from: PathBuf) -> Result<(), PackError> {
        if let Some(other) = self.folded.insert(path.to_lowercase(), from.clone()) {
            return Err(PackError::Clash { path: from, other });
        }
        self.files.insert(path, from);
        Ok(())
    }

    /// The file that takes most room.
    fn largest(&self) -> PathBuf {
        self.files.values().max_by_key(|path| size(path)).cloned().unwrap_or_default()
    }

    /// Refuses a file where another has a folder, and folders that differ in case alone.
    fn check_nesting(&self) -> Result<(), PackError> {
        let mut folders: BTreeMap<String, (&str, &PathBuf)> = BTreeMap::new();
        for (path, from) in &self.files {
            for parent in name::parents(path) {
                let folded = parent.to_lowercase();
                let clash = |other: &PathBuf| PackError::Clash { path: from.clone(), other: other.clone() };
                if let Some(other) = self.folded.get(&folded) {
                    return Err(clash(other));
                }
                let (known, other) = *folders.entry(folded).or_insert((parent, from));
                if known != parent {
                    return Err(clash(other));
                }
            }
        }
        Ok(())
    }
}

/// In bytes; of what cannot be read, its reader will tell.
fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
