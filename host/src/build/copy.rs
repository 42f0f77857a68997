//! Copies an app's source, so that its tool chain may write beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::bundle::name::{self, NameError};
use crate::bundle::unpack::Max;

/// Caches and tools' folders, which no app needs at run time.
pub(super) const CACHES: [&str; 4] = ["__pycache__", "node_modules", "*.pyc", "*.pyo"];

/// What an app's own folder has besides, and must not give away: databases, settings with the values of keys, and
/// Flask's folder for both.
pub(super) const OWN: [&str; 8] =
    ["*.wasm", "*.sqlite*", "*.db", "*.db-*", "instance/**", "*.egg-info", "wasgi.toml", "host.toml"];

/// The folder for what a build adds. No app has a say in what is there.
pub(super) const ADDED: &str = ".wasgi";

/// Native libraries, which are of no use in a component. Empty files stand for them, so that whoever looks for one can
/// be told its name.
const NATIVE: [&str; 4] = ["so", "pyd", "dylib", "dll"];

/// Why a folder cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something cannot be read.
    #[error("cannot read {path}: {error}; check who may read it, or exclude it under [build] in wasgi.toml")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A link to a folder that it is in.
    #[error("{0} is a link to a folder that it is in; remove it, or exclude it under [build] in wasgi.toml")]
    Loop(PathBuf),
    /// A name that no bundle could hold.
    #[error("{path} cannot be in an app, since its path {error}; rename it, or exclude it under [build] in wasgi.toml")]
    Name {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        error: NameError,
    },
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
        "{folder} has more than {bytes} bytes (bundle-max) or {files} files (bundle-files-max); the largest is {largest}: {mend}"
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
        /// What to do.
        mend: &'static str,
    },
}

/// Which files of a folder are copied. Hidden ones are not, nor virtual environments.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Left out, wherever they are.
    exclude: GlobSet,
    /// Copied all the same.
    include: GlobSet,
    /// Folders that such files may be in.
    parents: GlobSet,
    /// A file that is left out: the output of an earlier build.
    output: Option<PathBuf>,
    /// What to do when it is too much.
    mend: &'static str,
}

impl Choice {
    /// Without what matches a pattern of `exclude`, but with what matches one of `include`. A pattern without a `/` is
    /// for names, any other for paths in the folder.
    pub(super) fn new<'a>(
        exclude: impl IntoIterator<Item = &'a str>,
        include: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<Self, globset::Error> {
        let parents = include.clone().into_iter().flat_map(parents);
        let mend = "leave out what the app does not read, with `exclude` under [build] in wasgi.toml";
        let output = None;
        Ok(Self { exclude: globs(exclude)?, include: globs(include)?, parents: globs(parents)?, output, mend })
    }

    /// Without this file too.
    pub(super) fn without_output(self, output: Option<PathBuf>) -> Self {
        Self { output, ..self }
    }

    /// With other advice for when it is too much.
    pub(super) fn or_else(self, mend: &'static str) -> Self {
        Self { mend, ..self }
    }

    fn wants(&self, root: &Path, entry: &DirEntry) -> bool {
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let is_venv = || entry.file_type().is_dir() && entry.path().join("pyvenv.cfg").exists();
        entry.depth() == 0
            || self.output.as_deref() != Some(entry.path())
                && (self.wants_path(path) && (self.include.is_match(path) || !is_venv())
                    || entry.file_type().is_dir() && self.parents.is_match(path))
    }

    /// By its path alone. The last word is that of the innermost folder that anything is said of.
    fn wants_path(&self, path: &Path) -> bool {
        if path.starts_with(ADDED) {
            return false;
        }
        for part in path.ancestors().filter(|part| *part != Path::new("")) {
            if self.include.is_match(part) {
                return true;
            }
            let name = part.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') && name != ".well-known" || self.exclude.is_match(part) {
                return false;
            }
        }
        true
    }
}

fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = plain(pattern);
        if !pattern.contains('/') {
            set.add(Glob::new(&format!("**/{pattern}"))?);
        }
        set.add(Glob::new(pattern)?);
    }
    set.build()
}

fn plain(pattern: &str) -> &str {
    pattern.trim_start_matches("./").trim_end_matches('/')
}

/// The folders that what matches a pattern lies in, such as `a` and `a/b` for `a/b/*.txt`.
fn parents(pattern: &str) -> impl Iterator<Item = &str> {
    let pattern = plain(pattern);
    pattern.match_indices('/').map(|(at, _)| &pattern[..at])
}

/// Copies what is wanted of `from` into `to`, links as what they lead to. Returns how many files that were.
pub(super) fn copy(from: &Path, to: &Path, choice: &Choice, max: &Max) -> Result<u32, CopyError> {
    let (mut files, mut bytes) = (0_u32, 0_u64);
    let mut largest = (0, PathBuf::new());
    for entry in WalkDir::new(from).follow_links(true).into_iter().filter_entry(|entry| choice.wants(from, entry)) {
        let entry = match entry {
            Ok(entry) => entry,
            // What is left out may be broken.
            Err(error) if is_left_out(from, choice, &error) => continue,
            Err(error) => return Err(unreadable(from, error)),
        };
        let path = entry.path().strip_prefix(from).unwrap_or(Path::new(""));
        if entry.depth() > 0 {
            let told = |error| CopyError::Name { path: entry.path().to_owned(), error };
            path.to_str().ok_or(NameError::NotUtf8).and_then(name::check).map_err(told)?;
        }
        let target = to.join(path);
        let failed = |error| CopyError::Copy { path: entry.path().to_owned(), error };
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).map_err(failed)?;
        } else if is_native(entry.path()) {
            fs::write(&target, []).map_err(failed)?;
        } else if entry.file_type().is_file() {
            let size = entry.metadata().map_err(|error| unreadable(from, error))?.len();
            (files, bytes) = (files + 1, bytes.saturating_add(size));
            if size > largest.0 {
                largest = (size, entry.path().to_owned());
            }
            if bytes > max.bytes || files > max.files {
                let (folder, largest) = (from.to_owned(), largest.1);
                return Err(CopyError::TooLarge {
                    folder,
                    bytes: max.bytes,
                    files: max.files,
                    largest,
                    mend: choice.mend,
                });
            }
            fs::copy(entry.path(), &target).map_err(failed)?;
        }
        // Sockets, pipes and devices are nobody's source.
    }
    Ok(files)
}

/// Whether an error is about something that is not wanted anyway.
fn is_left_out(from: &Path, choice: &Choice, error: &walkdir::Error) -> bool {
    error.path().and_then(|path| path.strip_prefix(from).ok()).is_some_and(|path| !choice.wants_path(path))
}

fn unreadable(from: &Path, error: walkdir::Error) -> CopyError {
    let path = error.path().unwrap_or(from).to_owned();
    if error.loop_ancestor().is_some() {
        return CopyError::Loop(path);
    }
    let error = error.into_io_error().unwrap_or_else(|| io::Error::other("it cannot be walked"));
    CopyError::Read { path, error }
}

/// Removes what is not wanted of a folder that `copy` has filled and others have written to since. What the build adds
/// stays.
pub(super) fn prune(folder: &Path, choice: &Choice) -> Result<(), CopyError> {
    let mut walk = WalkDir::new(folder).min_depth(1).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let path = entry.path();
        if entry.depth() == 1 && entry.file_name() == ADDED {
            walk.skip_current_dir();
            continue;
        }
        if choice.wants(folder, &entry) {
            continue;
        }
        let removed = if entry.file_type().is_dir() {
            walk.skip_current_dir();
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        removed.map_err(|error| CopyError::Copy { path: path.to_owned(), error })?;
    }
    Ok(())
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
        let choice = Choice::new(CACHES.into_iter().chain(OWN).chain(["docs/**"]), []).unwrap();
        assert_eq!(copied(from.path(), &choice), [".well-known/a", "app.py", "pkg/__init__.py"]);
        let choice = Choice::new(CACHES.into_iter().chain(OWN).chain(["docs"]), ["db.sqlite3", ".env"]).unwrap();
        assert_eq!(copied(from.path(), &choice), [".env", ".well-known/a", "app.py", "db.sqlite3", "pkg/__init__.py"]);
    }

    #[test]
    fn what_is_included_is_found_in_hidden_folders_too() {
        let from =
            folder(&[(".config/app.ini", "x"), (".config/other", "x"), ("docs/a/b.md", "x"), ("docs/c.md", "x")]);
        let choice = Choice::new(["docs"], [".config/app.ini", "./docs/a/"]).unwrap();
        assert_eq!(copied(from.path(), &choice), [".config/app.ini", "docs/a/b.md"]);
        let from = folder(&[(".wasgi/stdlib/os.py", "x"), ("a.py", "x")]);
        let choice = Choice::new([], [".wasgi/**", "**/*.py"]).unwrap();
        assert_eq!(copied(from.path(), &choice), ["a.py"], "that is the build's own");
    }

    #[test]
    fn the_output_of_an_earlier_build_stays_behind() {
        let from = folder(&[("app.py", "x"), ("site", "x"), ("pages/site", "x")]);
        let choice = Choice::default().without_output(Some(from.path().join("site")));
        assert_eq!(copied(from.path(), &choice), ["app.py", "pages/site"]);
    }

    #[test]
    fn what_an_app_has_written_is_pruned_by_the_same_rules() {
        let stage = folder(&[
            ("app.py", "x"),
            (".cache/a", "x"),
            ("db.sqlite3", "x"),
            ("instance/a.db", "x"),
            ("instance/keep", "x"),
            (".wasgi/stdlib/.hidden", "x"),
        ]);
        std::os::unix::fs::symlink("/etc", stage.path().join(".etc")).unwrap();
        let choice = Choice::new(OWN.into_iter().chain(["instance/**"]), ["instance/keep"]).unwrap();
        prune(stage.path(), &choice).unwrap();
        let everything = Choice::new([], ["**/*"]).unwrap();
        assert_eq!(copied(stage.path(), &everything), ["app.py", "instance/keep"]);
        assert!(stage.path().join(".wasgi/stdlib/.hidden").exists(), "the build's own");
        assert!(Path::new("/etc/passwd").exists());
    }

    #[test]
    fn links_are_followed_and_loops_are_told() {
        let (from, other) = (folder(&[("a.py", "a")]), folder(&[("b.py", "b")]));
        std::os::unix::fs::symlink(other.path(), from.path().join("linked")).unwrap();
        assert_eq!(copied(from.path(), &Choice::default()), ["a.py", "linked/b.py"]);
        std::os::unix::fs::symlink(from.path(), from.path().join("loop")).unwrap();
        assert!(refusal(from.path(), &Choice::default()).contains("loop is a link to a folder that it is in"));
        std::os::unix::fs::symlink("nowhere", from.path().join("broken")).unwrap();
        std::os::unix::fs::symlink("user@host.1", from.path().join(".#a.py")).unwrap();
        let choice = Choice::new(["loop"], []).unwrap();
        assert!(refusal(from.path(), &choice).contains("broken"));
        let choice = Choice::new(["loop", "broken"], []).unwrap();
        assert_eq!(copied(from.path(), &choice), ["a.py", "linked/b.py"], "what is left out may be broken");
    }

    #[test]
    fn names_that_no_bundle_could_hold_are_told_by_their_place() {
        use std::os::unix::ffi::OsStrExt as _;

        for name in [&b"a\nb"[..], b"a\\b", b"\xff\xfe", b"\x1b[2J"] {
            let from = folder(&[("app.py", "x")]);
            fs::write(from.path().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
            let told = refusal(from.path(), &Choice::default());
            assert!(told.contains(&from.path().display().to_string()) && told.contains("rename it"), "{told}");
        }
        assert_eq!(copied(folder(&[("a b/ü.txt", "x")]).path(), &Choice::default()), ["a b/ü.txt"]);
    }

    fn refusal(from: &Path, choice: &Choice) -> String {
        copy(from, tempfile::tempdir().unwrap().path(), choice, &MAX).unwrap_err().to_string()
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
