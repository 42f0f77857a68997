//! Copies an app's source, so that its tool chain may write beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::bundle::unpack::Max;

/// What no app needs at run time, or must not give away: caches, tools' folders, databases.
pub(super) const NEVER: [&str; 8] =
    ["__pycache__", "node_modules", "*.pyc", "*.pyo", "*.wasm", "*.sqlite3", "*.sqlite3-*", "*.egg-info"];

/// Native libraries, which are of no use in a component. Empty files stand for them, so that whoever looks for one can
/// be told its name.
const NATIVE: [&str; 4] = ["so", "pyd", "dylib", "dll"];

/// Why a folder cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something cannot be read.
    #[error("cannot read {0}; check who may read it, or exclude it under [build] in wasgi.toml")]
    Read(#[from] walkdir::Error),
    /// A file cannot be copied.
    #[error("cannot copy {path}: {error}; check who may read it and the room on the disk of TMPDIR")]
    Copy {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A pattern that is none.
    #[error("{0}; correct the pattern in wasgi.toml")]
    Pattern(#[from] globset::Error),
    /// More than a bundle may hold.
    #[error(
        "{folder} has more than {bytes} bytes (bundle-max) or {files} files (bundle-files-max); the largest is {largest}: leave out what the app does not read, with `exclude` under [build] in wasgi.toml"
    )]
    TooLarge {
        /// The folder.
        folder: PathBuf,
        /// The limit of its bytes.
        bytes: u64,
        /// The limit of its files.
        files: u32,
        /// Where most of it is.
        largest: PathBuf,
    },
}

/// Which files of a folder are copied. Hidden ones are not, nor virtual environments.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Left out, wherever they are.
    exclude: GlobSet,
    /// Copied all the same.
    include: GlobSet,
}

impl Choice {
    /// Without what matches a pattern of `exclude`, but with what matches one of `include`. A pattern without a `/` is
    /// for names, any other for paths in the folder.
    pub(super) fn new<'a>(
        exclude: impl IntoIterator<Item = &'a str>,
        include: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, globset::Error> {
        Ok(Self { exclude: globs(exclude)?, include: globs(include)? })
    }

    fn wants(&self, root: &Path, entry: &DirEntry) -> bool {
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if entry.depth() == 0 || self.include.is_match(path) {
            return true;
        }
        let name = entry.file_name().to_string_lossy();
        let is_hidden = name.starts_with('.') && name != ".well-known";
        let is_venv = entry.file_type().is_dir() && entry.path().join("pyvenv.cfg").exists();
        !is_hidden && !is_venv && !self.exclude.is_match(path)
    }
}

fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        if !pattern.contains('/') {
            set.add(Glob::new(&format!("**/{pattern}"))?);
        }
        set.add(Glob::new(pattern)?);
    }
    set.build()
}

/// Copies what is wanted of `from` into `to`, links as what they lead to. Returns how many files that were.
pub(super) fn copy(from: &Path, to: &Path, choice: &Choice, max: &Max) -> Result<u32, CopyError> {
    let (mut files, mut bytes) = (0_u32, 0_u64);
    let mut largest = (0, PathBuf::new());
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CopyError::Copy { path, error }
    };
    for entry in WalkDir::new(from).follow_links(true).into_iter().filter_entry(|entry| choice.wants(from, entry)) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(Path::new("")));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).map_err(failed(&target))?;
        } else if is_native(entry.path()) {
            fs::write(&target, []).map_err(failed(&target))?;
        } else if entry.file_type().is_file() {
            let size = entry.metadata()?.len();
            (files, bytes) = (files + 1, bytes + size);
            if size > largest.0 {
                largest = (size, entry.path().to_owned());
            }
            if bytes > max.bytes || files > max.files {
                return Err(CopyError::TooLarge {
                    folder: from.to_owned(),
                    bytes: max.bytes,
                    files: max.files,
                    largest: largest.1,
                });
            }
            fs::copy(entry.path(), &target).map_err(failed(entry.path()))?;
        }
        // Sockets, pipes and devices are nobody's source.
    }
    Ok(files)
}

fn is_native(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| NATIVE.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Max = Max { bytes: 1000, files: 10 };

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn copied(from: &Path, choice: &Choice) -> Vec<String> {
        let to = tempfile::tempdir().unwrap();
        copy(from, to.path(), choice, &MAX).unwrap();
        let mut names: Vec<_> = WalkDir::new(to.path())
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(to.path()).unwrap().display().to_string())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn caches_secrets_and_environments_stay_behind() {
        let from = folder(&[
            ("app.py", "x"),
            ("pkg/__init__.py", ""),
            ("pkg/__pycache__/a.pyc", "x"),
            (".env", "SECRET=1"),
            (".git/config", "x"),
            (".well-known/a", "x"),
            ("venv/pyvenv.cfg", "x"),
            ("venv/lib/x.py", "x"),
            ("db.sqlite3", "x"),
            ("docs/a.md", "x"),
        ]);
        let choice = Choice::new(NEVER.into_iter().chain(["docs/**"]), []).unwrap();
        assert_eq!(copied(from.path(), &choice), [".well-known/a", "app.py", "pkg/__init__.py"]);
        let choice = Choice::new(NEVER.into_iter().chain(["docs"]), ["db.sqlite3", ".env"]).unwrap();
        assert_eq!(copied(from.path(), &choice), [".env", ".well-known/a", "app.py", "db.sqlite3", "pkg/__init__.py"]);
    }

    #[test]
    fn links_are_followed_and_loops_are_told() {
        let (from, other) = (folder(&[("a.py", "a")]), folder(&[("b.py", "b")]));
        std::os::unix::fs::symlink(other.path(), from.path().join("linked")).unwrap();
        assert_eq!(copied(from.path(), &Choice::default()), ["a.py", "linked/b.py"]);
        std::os::unix::fs::symlink(from.path(), from.path().join("loop")).unwrap();
        let to = tempfile::tempdir().unwrap();
        let told = copy(from.path(), to.path(), &Choice::default(), &MAX).unwrap_err().to_string();
        assert!(told.contains("loop"), "{told}");
    }

    #[test]
    fn native_libraries_leave_their_names() {
        let from = folder(&[("fast.cpython-314-x86_64-linux-gnu.so", "\x7fELF")]);
        let to = tempfile::tempdir().unwrap();
        copy(from.path(), to.path(), &Choice::default(), &MAX).unwrap();
        assert_eq!(fs::read(to.path().join("fast.cpython-314-x86_64-linux-gnu.so")).unwrap(), b"");
    }

    #[test]
    fn a_folder_over_the_limits_is_refused_with_its_largest_file() {
        let (small, large) = ("x".repeat(400), "x".repeat(601));
        let from = folder(&[("a", &small), ("b/large.bin", &large)]);
        let to = tempfile::tempdir().unwrap();
        let told = copy(from.path(), to.path(), &Choice::default(), &MAX).unwrap_err().to_string();
        assert!(told.contains("bundle-max") && told.contains("large.bin"), "{told}");
        let (exact, to) = (folder(&[("a", &small), ("b", &"x".repeat(600))]), tempfile::tempdir().unwrap());
        assert_eq!(copy(exact.path(), to.path(), &Choice::default(), &MAX).unwrap(), 2);
        let many: Vec<_> = (0..11).map(|number| (format!("f{number}"), "")).collect();
        let many = folder(&many.iter().map(|(name, content)| (name.as_str(), *content)).collect::<Vec<_>>());
        assert!(copy(many.path(), to.path(), &Choice::default(), &MAX).is_err());
    }
}
