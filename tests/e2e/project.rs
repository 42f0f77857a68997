//! What the tests of `wasgi build` and `wasgi new` share: a project far from this repository.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use wasgi_harness::{Outcome, Wasgi, python_tools, workspace};

/// A build starts a compiler, and shares its cores with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// A folder of its own with a source folder, a HOME and a TMPDIR.
#[derive(Debug)]
pub(crate) struct Project(TempDir);

impl Project {
    /// With these files in its source folder.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = TempDir::with_prefix("wasgi-build-test-").unwrap();
        assert!(!dir.path().starts_with(workspace()), "far from the repository");
        for name in ["source", "home", "tmp"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let project = Self(dir);
        for (name, content) in files {
            project.write(name, content);
        }
        project
    }

    /// With these files, and a film that is to go along and is larger than any bundle.
    pub(crate) fn with_a_film(files: &[(&str, &str)]) -> Self {
        let project = Self::new(files);
        project.write("wasgi.toml", "[bundle]\ninclude = ['media/*']\n");
        project.write("media/film.mp4", "");
        fs::File::create(project.path("media/film.mp4")).unwrap().set_len(500 << 20).unwrap();
        project
    }

    /// A file or folder of its source.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("source").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A folder beside the source.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command in the source folder, with the tools for Python and nothing of the tester's.
    pub(crate) fn command(&self, args: &[&str]) -> Wasgi {
        let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
        self.command_with([python_tools()].into_iter().chain(system), args)
    }

    /// The same, with these folders in PATH.
    pub(crate) fn command_with(&self, path: impl IntoIterator<Item = PathBuf>, args: &[&str]) -> Wasgi {
        Wasgi::new(args.iter().map(OsString::from))
            .within(self.path(""))
            .env("HOME", self.beside("home"))
            .env("TMPDIR", self.beside("tmp"))
            .env("PATH", std::env::join_paths(path).unwrap())
            .patience(PATIENCE)
    }

    /// Builds, and asserts what holds of every build that fails: the code, what is named, nothing left behind, and
    /// what was there before still there.
    #[track_caller]
    pub(crate) fn refused(&self, command: Wasgi, code: i32, named: &[&str]) -> Outcome {
        let output = self.path("old.wasm");
        fs::write(&output, b"\0asm old").unwrap();
        let outcome = command.finish();
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert_eq!(outcome.stdout, "", "{outcome:?}");
        for text in named {
            assert!(outcome.stderr.contains(text), "{text:?} is not in:\n{}", outcome.stderr);
        }
        for text in ["stack backtrace", "panicked", "Caused by", "wasm backtrace"] {
            assert!(!outcome.stderr.contains(text), "a trace of the tool's own:\n{}", outcome.stderr);
        }
        assert_eq!(fs::read(&output).unwrap(), b"\0asm old");
        assert_eq!(names_in(&self.beside("tmp")), [""; 0], "left behind");
        outcome
    }
}

/// What is in a folder, in order.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
