//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, which goes by what the code covers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::phase::{command_phase, phase, succeed};
use crate::{guests, paths};

/// Pinned, as each dependency is.
const CARGO_FUZZ: &str = "0.13.2";

/// What the command line chose.
#[derive(Debug)]
pub(crate) struct Options {
    /// The target to run; all of them if there is none.
    pub(crate) target: Option<String>,
    /// How long each runs.
    pub(crate) seconds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { target: None, seconds: 60 }
    }
}

/// Builds the targets for libFuzzer and runs them one after the other.
///
/// # Errors
/// If something does not build, there is no such target, or a target has found something.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(missing) = missing() {
        bail!("{missing}");
    }
    let place = Place::new()?;
    let all = place.targets()?;
    let chosen = match &options.target {
        Some(target) if !all.contains(target) => bail!("no target `{target}`; there are {}", all.join(", ")),
        Some(target) => vec![target.clone()],
        None => all,
    };
    guests::build()?;
    phase("cargo-fuzz", || install(&place), |()| CARGO_FUZZ.to_owned())?;
    // The very versions that the workspace has; cargo adds what only these programs need.
    fs::copy(place.root.join("Cargo.lock"), place.package().join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    command_phase("fuzz targets", &mut place.cargo_fuzz("build"))?;
    for target in chosen {
        let name = format!("fuzz {target}");
        let outcome = command_phase(&name, &mut place.fuzz(&target, options.seconds)?);
        outcome
            .with_context(|| format!("{target}: the input is told above; put it into tests/fuzz/corpus/{target}"))?;
    }
    Ok(())
}

/// What this machine lacks for fuzzing, and the mend.
pub(crate) fn missing() -> Option<&'static str> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let compiles = Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success());
    (!compiles).then_some("there is no C++ compiler, which libFuzzer is built with; install g++")
}

/// Where the fuzzer's things are.
struct Place {
    root: PathBuf,
    /// For tools, builds and what libFuzzer has learnt: they outlive a clone.
    cache: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let guests = paths::cache()?;
        let cache = guests.parent().context("the guests' cache has no parent")?;
        Ok(Self { root: paths::root()?, cache: cache.to_owned() })
    }

    fn package(&self) -> PathBuf {
        self.root.join("tests/fuzz/cargo-fuzz")
    }

    fn program(&self) -> PathBuf {
        self.cache.join("tools/bin/cargo-fuzz")
    }

    /// The names of the targets, in their order.
    fn targets(&self) -> Result<Vec<String>> {
        let folder = self.package().join("fuzz_targets");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let stem = |entry: fs::DirEntry| entry.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let mut targets: Vec<String> = entries.flatten().filter_map(stem).collect();
        targets.sort();
        Ok(targets)
    }

    /// A command of cargo-fuzz.
    ///
    /// Without a sanitizer, which the pinned compiler does not offer: what it would look for is memory errors, and no
    /// code here is `unsafe`. What is looked for panics by itself.
    fn cargo_fuzz(&self, command: &str) -> Command {
        let mut cargo_fuzz = Command::new(self.program());
        cargo_fuzz
            .args(["fuzz", command, "--sanitizer", "none", "--fuzz-dir"])
            .arg(self.package())
            .arg("--target-dir")
            .arg(self.cache.join("fuzz/target"))
            .current_dir(&self.root);
        cargo_fuzz
    }

    /// One target under libFuzzer: it writes what it learns to the cache, and reads the corpus beside it.
    fn fuzz(&self, target: &str, seconds: u32) -> Result<Command> {
        let learnt = self.cache.join("fuzz/corpus").join(target);
        fs::create_dir_all(&learnt).with_context(|| format!("cannot make {}", learnt.display()))?;
        let fuzz = self.root.join("tests/fuzz");
        let mut command = self.cargo_fuzz("run");
        command.arg(target).arg(learnt).arg(fuzz.join("corpus").join(target)).arg("--");
        command.arg(format!("-dict={}", fuzz.join("dict").join(target).with_added_extension("dict").display()));
        command.arg(format!("-max_total_time={seconds}"));
        // An input that takes longer than this has found something, as has one that takes more than 2 GiB, libFuzzer's
        // own limit.
        command.args(["-timeout=60", "-print_final_stats=1"]);
        Ok(command)
    }
}

fn install(place: &Place) -> Result<()> {
    if is_there(&place.program()) {
        return Ok(());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["install", "--quiet", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(place.cache.join("tools"));
    // A target folder of its own, and none that stays.
    succeed(cargo.arg("cargo-fuzz").env_remove("CARGO_TARGET_DIR"))
}

fn is_there(program: &Path) -> bool {
    let output = Command::new(program).args(["fuzz", "--version"]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == CARGO_FUZZ))
}
