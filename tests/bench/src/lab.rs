//! Where things are while benchmarks run, and how long they measure.

use std::fmt;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::failure::{Explain as _, Failure, Result};

/// What the command line chose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Short and few rounds: to see that everything works, not to compare.
    pub(crate) quick: bool,
    /// Write `tests/bench/RESULTS.md` in the end.
    pub(crate) write_results: bool,
    /// Where peers were installed, besides PATH.
    pub(crate) tools: Option<PathBuf>,
    /// Another `wasgi` than the one beside this program.
    pub(crate) host: Option<PathBuf>,
    /// The program of the in-process benchmarks.
    pub(crate) in_process: Option<PathBuf>,
    /// The scenarios by name; all if there are none.
    pub(crate) scenarios: Vec<String>,
}

/// The place of one run.
#[derive(Debug)]
pub(crate) struct Lab {
    options: Options,
    /// The folder of this program: the other binaries are beside it.
    binaries: PathBuf,
    scratch: TempDir,
}

/// A program that is not on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not installed: `cargo xtask bench --install-peers` installs it", self.0)
    }
}

impl Lab {
    pub(crate) fn new(options: Options) -> Result<Self> {
        let program = env::current_exe().explain(|| "cannot tell where this program is".to_owned())?;
        let binaries = program.parent().unwrap_or(Path::new("/")).to_owned();
        let folder = binaries.with_file_name("bench");
        fs::create_dir_all(&folder).explain(|| format!("cannot make {}", folder.display()))?;
        let scratch = TempDir::new_in(&folder).explain(|| format!("cannot make a folder in {}", folder.display()))?;
        let lab = Self { options, binaries, scratch };
        lab.write_scripts()?;
        Ok(lab)
    }

    pub(crate) fn quick(&self) -> bool {
        self.options.quick
    }

    /// Interleaved rounds of each comparison.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick() { 2 } else { 5 }
    }

    /// How long one load is measured.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(if self.quick() { 1 } else { 5 })
    }

    /// How long a server is loaded before that.
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs(1)
    }

    // === files ===

    /// `target/bench`: reports, and what is kept from run to run.
    pub(crate) fn folder(&self) -> PathBuf {
        self.binaries.with_file_name("bench")
    }

    /// Goes away with this program.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The host's compile cache, kept: a first start would measure the compiler.
    pub(crate) fn cache(&self) -> PathBuf {
        self.folder().join("cache")
    }

    /// A guest of `cargo xtask guests`.
    pub(crate) fn guest(&self, name: &str) -> Result<PathBuf> {
        let path = self.binaries.with_file_name("guests").join(format!("{name}.wasm"));
        if path.exists() {
            return Ok(path);
        }
        Err(Failure::new(format!("{} is not there: run `cargo xtask guests`", path.display())))
    }

    /// Writes a file into the scratch folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.scratch().join(name);
        fs::write(&path, text).explain(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    // === programs ===

    pub(crate) fn host(&self) -> PathBuf {
        self.options.host.clone().unwrap_or_else(|| self.binary("wasgi"))
    }

    pub(crate) fn in_process(&self) -> Option<&Path> {
        self.options.in_process.as_deref()
    }

    /// One that is built together with this one.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// One that `--install-peers` installed, one that xtask built for this machine, or the machine's.
    pub(crate) fn tool(&self, name: &str) -> std::result::Result<PathBuf, Missing> {
        let installed = self.options.tools.iter().flat_map(|tools| [tools.join("bin"), tools.join("python/bin")]);
        let ours = installed.chain([self.folder().join("native")]);
        let path = env::var_os("PATH").unwrap_or_default();
        // Where servers are on Debian, whether or not PATH of who runs this has it.
        let folders = ours.chain(env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
        let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
        found.ok_or_else(|| Missing(name.to_owned()))
    }

    /// wrk's script, for one URL or for random apps.
    pub(crate) fn script(&self, random_apps: bool) -> PathBuf {
        self.scratch().join(if random_apps { RANDOM_APPS } else { FIGURES })
    }

    fn write_scripts(&self) -> Result<()> {
        let figures = include_str!("wrk/figures.lua");
        self.write(FIGURES, figures)?;
        self.write(RANDOM_APPS, &format!("{}\n{figures}", include_str!("wrk/random_apps.lua")))?;
        Ok(())
    }
}

const FIGURES: &str = "figures.lua";
const RANDOM_APPS: &str = "random_apps.lua";

/// A port that was free a moment ago, for servers that cannot tell which one they got.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").explain(|| "cannot bind a port".to_owned())?;
    let address = listener.local_addr().explain(|| "cannot tell the port".to_owned())?;
    Ok(address.port())
}
