//! `wasgi.toml`, which lies beside an app's source: how it is built, what it brings along and what it
//! asks for. Its author writes it; nothing in it is granted by being there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::name;
use crate::bundle::asks::{DirAsk, StaticAsk};
use crate::bundle::pack::Source;
use crate::bundle::{Asks, AsksError};

/// Its name.
pub const FILE_NAME: &str = "wasgi.toml";

/// Its greatest length in bytes: it is written by hand.
const SIZE_MAX: u64 = 1 << 20;

/// What `wasgi.toml` holds; all of it may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// What the app is called; its output is `NAME.wasm`.
    pub name: Option<String>,
    /// How it is built.
    #[serde(default)]
    pub build: Build,
    /// Files of the source folder that go with it.
    #[serde(default)]
    pub bundle: Files,
    /// What it asks the operator for.
    #[serde(default)]
    pub asks: Wants,
}

/// What an app is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lang {
    /// By clang, for WASI.
    C,
    /// JavaScript or TypeScript, by esbuild and ComponentizeJS.
    Js,
    /// By componentize-py.
    Python,
    /// By cargo, for wasm32-wasip2.
    Rust,
    /// By Go, for wasip1: a CGI program.
    Go,
}

/// Which interface an app in Python has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// Told by the callable.
    Auto,
    /// PEP 3333.
    Wsgi,
    /// ASGI 3.0.
    Asgi,
}

/// When an ASGI application's lifespan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifespan {
    /// At the first request of an instance.
    Request,
    /// At the build.
    Build,
    /// Never.
    Off,
}

/// `[build]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// What the app is written in, if the folder does not tell.
    pub lang: Option<Lang>,
    /// Python: `module:callable`, or `module:factory()`.
    pub app: Option<String>,
    /// Python: what the callable is.
    pub interface: Option<Interface>,
    /// Python: when an ASGI application's lifespan starts.
    pub lifespan: Option<Lifespan>,
    /// Python: requests to run at the build, such as `/` or `POST /login name=a`.
    pub warm_up: Option<Vec<String>>,
    /// Python: their Host header.
    pub warm_up_host: Option<String>,
    /// Python: modules to import at the build besides what the app imports.
    pub imports: Option<Vec<String>>,
    /// Python: the environment at the build.
    pub env: Option<BTreeMap<String, String>>,
    /// Python: whether its own library goes into the bundle, for late imports.
    pub stdlib: Option<bool>,
    /// Python: folders of installed packages, instead of those of the virtual environment.
    pub packages: Option<Vec<PathBuf>>,
    /// Python: files and folders of the source that stay out, as patterns such as `docs/**`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// C: what else clang is told, such as `-DNAME=value`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// JavaScript: the module of the app, instead of what package.json or the usual names tell.
    pub entry: Option<PathBuf>,
    /// Rust: the package, if the workspace has several.
    pub package: Option<String>,
    /// Rust: features to build with.
    #[serde(default)]
    pub features: Vec<String>,
}

/// `[bundle]`: files that go with the app, read-only under `/app`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Files {
    /// Which, by their paths in the source folder, such as `templates/**`.
    #[serde(default)]
    pub include: Vec<String>,
    /// Which all the same not.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// `[asks]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wants {
    /// Names of environment variables.
    #[serde(default)]
    pub env: Vec<String>,
    /// Hosts that it calls.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Directories.
    #[serde(default)]
    pub dirs: Vec<DirAsk>,
    /// Folders of its bundle that the host may serve without calling it.
    #[serde(default, rename = "static")]
    pub statics: Vec<StaticAsk>,
    /// The path of a request that readies an instance before its first.
    pub warm_up: Option<String>,
}

/// Why the manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read {path}: {error}; check what it is and who may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// It is not what it should be.
    #[error("{path}: {reason}; correct it, or leave the line out")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        reason: String,
    },
    /// It asks for something that nobody could grant.
    #[error("{path}: [asks]: {error}")]
    Asks {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: AsksError,
    },
    /// The folder is not there, or no folder.
    #[error("{0} is not a folder; name the one that holds the app's source with --folder")]
    NoFolder(PathBuf),
}

impl Manifest {
    /// Reads that of a folder; one without has the manifest that says nothing.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        if !folder.is_dir() {
            return Err(ManifestError::NoFolder(folder.to_owned()));
        }
        let path = folder.join(FILE_NAME);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(Self::default());
        }
        let bytes = content(&path).map_err(|error| ManifestError::Unreadable { path: path.clone(), error })?;
        let malformed = |reason| ManifestError::Malformed { path: path.clone(), reason };
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            malformed(format!("line {line}: not UTF-8"))
        })?;
        let manifest = Self::parse(&text).map_err(malformed)?;
        match manifest.asks().check() {
            Ok(()) => Ok(manifest),
            Err(error) => Err(ManifestError::Asks { path, error }),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{place}{}", error.message().replace('\n', " "))
        })?;
        if let Some(name) = &manifest.name
            && (name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']))
        {
            return Err(format!("name {name:?} cannot be that of a file"));
        }
        if let Some(app) = &manifest.build.app
            && let Err(reason) = name::check(app)
        {
            return Err(format!("app {app:?} under [build] names no app: {reason}"));
        }
        Ok(manifest)
    }

    /// What it asks for, as it travels with the app.
    pub(super) fn asks(&self) -> Asks {
        Asks {
            env: self.asks.env.clone(),
            hosts: self.asks.hosts.clone(),
            dirs: self.asks.dirs.clone(),
            statics: self.asks.statics.clone(),
            warm_up: self.asks.warm_up.clone(),
            ..Asks::default()
        }
    }
}

/// What is in a file; in a pipe or a device there may be no end.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(io::Error::other("it is larger than 1 MiB, which no manifest is"));
    }
    Ok(bytes)
}

impl Files {
    /// What is to be packed.
    pub(super) fn sources(&self, folder: &Path) -> Option<Source> {
        (!self.include.is_empty()).then(|| Source {
            folder: folder.to_owned(),
            at: String::new(),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_may_say_nothing_or_all() {
        assert!(Manifest::parse("").unwrap().build.lang.is_none());
        let manifest = Manifest::parse(
            "name = 'site'\n[build]\nlang = 'python'\napp = 'site:app'\nwarm-up = ['/', '/login']\n\
             env = { KEY = 'x' }\n[bundle]\ninclude = ['static/**']\n[asks]\nenv = ['SECRET_KEY']\n\
             dirs = [{ path = '/data', writable = true, single = true }]\nstatic = [{ url = '/static', folder = 'static' }]\n",
        )
        .unwrap();
        assert_eq!(manifest.build.lang, Some(Lang::Python));
        assert_eq!(manifest.build.warm_up.as_deref(), Some(["/".to_owned(), "/login".to_owned()].as_slice()));
        let asks = manifest.asks();
        assert!(asks.dirs[0].single);
        assert_eq!(
            (asks.env.as_slice(), asks.statics[0].folder.as_str()),
            (["SECRET_KEY".to_owned()].as_slice(), "static")
        );
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let told = Manifest::parse("name = 'a'\n[build]\nlang = 'cobol'\n").unwrap_err();
        assert!(told.starts_with("line 3: ") && told.contains("cobol"), "{told}");
        let told = Manifest::parse("[build]\n\nwarmup = ['/']\n").unwrap_err();
        assert!(told.starts_with("line 3: ") && told.contains("warmup"), "{told}");
        for name in ["''", "'../x'", "'.x'"] {
            assert!(Manifest::parse(&format!("name = {name}\n")).unwrap_err().contains("file"));
        }
    }

    #[test]
    fn a_folder_without_a_manifest_is_as_good_and_no_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Manifest::read(folder.path()).is_ok());
        let told = Manifest::read(&folder.path().join("missing")).unwrap_err().to_string();
        assert!(told.contains("--folder"), "{told}");
    }

    #[test]
    fn what_is_no_text_or_has_no_end_is_refused() {
        let refusal = |folder: &Path| Manifest::read(folder).unwrap_err().to_string();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, b"name = 'a'\n# \xff\n").unwrap();
        assert!(refusal(folder.path()).contains("line 2: not UTF-8"));
        File::create(&path).unwrap().set_len(SIZE_MAX + 1).unwrap();
        assert!(refusal(folder.path()).contains("1 MiB"));
        std::fs::remove_file(&path).unwrap();
        for target in ["/dev/zero", "/", "nowhere"] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            assert!(refusal(folder.path()).contains(FILE_NAME), "{target}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn what_names_no_app_or_asks_for_nonsense_is_refused_at_once() {
        let told = Manifest::parse("[build]\napp = 'mysite.wsgi'\n").unwrap_err();
        assert!(told.contains("module:callable"), "{told}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), "[asks]\nenv = ['A=B']\n").unwrap();
        let told = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("[asks]") && told.contains("A=B"), "{told}");
    }
}
