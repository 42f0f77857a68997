//! The beginning of an app: what `wasgi new` does.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};
use uuid::Uuid;

use super::{BuildError, vendor_rust_sdk};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Longest name of an app, in bytes: some systems allow file names no longer than four times that.
const NAME_MAX: usize = 64;

/// What an app may begin as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A library in Rust.
    Rust,
    /// One file in C.
    C,
    /// A module in JavaScript.
    Js,
    /// One Python module, without a framework.
    Python,
    /// A Flask app.
    Flask,
    /// A Django project with one app.
    Django,
    /// A CGI program in Go, with net/http.
    Go,
}

/// Why no app was begun.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The name is none for an app.
    #[error("{name:?} cannot be an app's name, since {reason}; choose another")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something is there.
    #[error("{0} is there already; choose another name, or remove it")]
    Exists(PathBuf),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] BuildError),
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Js => "js",
            Self::Python => "python",
            Self::Flask => "flask",
            Self::Django => "django",
            Self::Go => "go",
        }
    }
}

/// Begins an app called `name` in a new folder of that name in `parent`; returns the folder.
///
/// # Errors
/// [`NewError`]; then the folder was not made.
pub fn create(parent: &Path, name: &str, kind: Kind) -> Result<PathBuf, NewError> {
    check(name, kind)?;
    let folder = parent.join(name);
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(NewError::Exists(folder));
    }
    // Under another name until it is whole.
    let begun = tempfile::Builder::new()
        .prefix(".wasgi-new-")
        .tempdir_in(parent)
        .map_err(BuildError::file("make", &folder))
        .map_err(NewError::Write)?;
    let words = Words { name: name.to_owned(), module: name.replace('-', "_"), secret: secret() };
    // A folder that the test counts, so it is there.
    if let Some(template) = TEMPLATES.get_dir(kind.folder()) {
        words.write(template, begun.path())?;
    }
    if kind == Kind::Rust {
        vendor_rust_sdk(&begun.path().join("vendor/wasgi-guest"))?;
    }
    let placed = fs::set_permissions(begun.path(), super::mode(0o777 & !super::umask()))
        .and_then(|()| rename_new(begun.path(), &folder));
    match placed {
        // It is no longer where it would be removed.
        Ok(()) => drop(begun.keep()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(NewError::Exists(folder)),
        Err(error) => return Err(BuildError::file("make", &folder)(error).into()),
    }
    Ok(folder)
}

/// Renames a folder to a name that must be free.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot; there the check before has to do.
        Err(rustix::io::Errno::INVAL) => fs::rename(from, to),
        done => done.map_err(Into::into),
    }
}

fn check(name: &str, kind: Kind) -> Result<(), NewError> {
    let refuse = |reason| Err(NewError::Name { name: name.chars().take(NAME_MAX).collect(), reason });
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !starts_well
        || !name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_".contains(char))
    {
        return refuse("it is not a lower-case letter followed by letters, digits, `-` or `_`");
    }
    if name.len() > NAME_MAX {
        return refuse("it has more than 64 characters");
    }
    let module = name.replace('-', "_");
    if matches!(kind, Kind::Python | Kind::Flask | Kind::Django) && TAKEN.contains(&module.as_str()) {
        return refuse("Python has a module of that name");
    }
    if kind == Kind::Rust && ["core", "std", "alloc", "test", "proc_macro", "wasgi_guest"].contains(&module.as_str()) {
        return refuse("Rust has a crate of that name");
    }
    Ok(())
}

/// Modules and words that an app's module would hide, of those that somebody might think of.
const TAKEN: [&str; 30] = [
    "app",
    "asgi",
    "async",
    "calendar",
    "class",
    "code",
    "django",
    "email",
    "flask",
    "html",
    "http",
    "import",
    "json",
    "manage",
    "math",
    "message",
    "pages",
    "platform",
    "queue",
    "random",
    "secrets",
    "site",
    "statistics",
    "string",
    "test",
    "tests",
    "time",
    "token",
    "types",
    "wasgi",
];

/// A key for sessions: 50 characters, and more chance than any key needs.
fn secret() -> String {
    let mut secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    secret.truncate(50);
    secret
}

/// What stands for itself in templates as `{{name}}`, `{{module}}` and `{{secret}}`.
struct Words {
    name: String,
    module: String,
    secret: String,
}

impl Words {
    fn put_into(&self, text: &str) -> String {
        text.replace("{{name}}", &self.name).replace("{{module}}", &self.module).replace("{{secret}}", &self.secret)
    }

    fn write(&self, template: &Dir<'_>, to: &Path) -> Result<(), BuildError> {
        for entry in template.entries() {
            let name = entry.path().file_name().and_then(OsStr::to_str).unwrap_or_default();
            let path = to.join(self.put_into(name));
            match entry {
                DirEntry::Dir(folder) if name != "__pycache__" => {
                    fs::create_dir(&path).map_err(BuildError::file("make", &path))?;
                    self.write(folder, &path)?;
                }
                DirEntry::Dir(_) => {}
                DirEntry::File(file) => {
                    let content = match file.contents_utf8() {
                        Some(text) => self.put_into(text).into_bytes(),
                        None => file.contents().to_vec(),
                    };
                    fs::write(&path, content).map_err(BuildError::file("write", &path))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use walkdir::WalkDir;

    use super::*;

    #[test]
    fn each_kind_has_a_template_and_no_word_is_left_open() {
        let parent = tempfile::tempdir().unwrap();
        for kind in Kind::value_variants() {
            let folder = create(parent.path(), &format!("my-{}", kind.folder()), *kind).unwrap();
            let files: Vec<_> = WalkDir::new(&folder).into_iter().map(Result::unwrap).collect();
            assert!(files.iter().any(|file| file.file_name() == "README.md"), "{kind:?}");
            assert!(files.iter().any(
                |file| file.file_name().to_string_lossy().contains("test") || matches!(kind, Kind::C | Kind::Rust)
            ));
            for file in files.iter().filter(|file| file.file_type().is_file()) {
                let text = fs::read_to_string(file.path()).unwrap_or_default();
                let open = ["{{name}}", "{{module}}", "{{secret}}"].iter().any(|word| text.contains(word));
                assert!(!open && !file.path().to_string_lossy().contains("{{"), "{}", file.path().display());
            }
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 7, "nothing is left beside them");
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("mine")).unwrap();
        assert!(matches!(create(parent.path(), "mine", Kind::Python), Err(NewError::Exists(_))));
        std::os::unix::fs::symlink("nowhere", parent.path().join("linked")).unwrap();
        assert!(matches!(create(parent.path(), "linked", Kind::Python), Err(NewError::Exists(_))));
        assert_eq!(fs::read_dir(parent.path().join("mine")).unwrap().count(), 0);
    }

    #[test]
    fn names_that_lead_elsewhere_or_hide_a_module_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let long = "a".repeat(NAME_MAX + 1);
        for name in ["", "../x", "a/b", "A", "-a", "_a", "1a", "a b", "é", "site", "django", "class", long.as_str()] {
            assert!(matches!(create(parent.path(), name, Kind::Flask), Err(NewError::Name { .. })), "{name}");
        }
        assert!(create(parent.path(), &"a".repeat(NAME_MAX), Kind::Python).is_ok());
    }

    #[test]
    fn no_two_secrets_are_alike() {
        assert_ne!(secret(), secret());
        assert_eq!(secret().len(), 50);
    }
}
