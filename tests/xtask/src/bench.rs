//! `cargo xtask bench`: builds what is measured and who measures (`tests/bench`), and starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::phase::{command_phase, phase};
use crate::{c, go, guests, paths, peers, test};

/// What the command line chose; what is not for us is for `wasgi-bench`, which knows its scenarios.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Install the peers first.
    pub(crate) install_peers: bool,
    /// A `wasgi` to measure in place of this clone's.
    pub(crate) host: Option<PathBuf>,
    /// Flags and scenarios.
    pub(crate) rest: Vec<String>,
}

/// What `wasgi-bench` knows: told here too, since that is not built yet when a name is to be refused.
pub(crate) const SCENARIOS: [&str; 9] =
    [IN_PROCESS, "hello", "python", "languages", "start", "density", "density-10000", "fairness", "overload"];

/// The scenario that needs a program of its own, whose build takes as long as the host's.
const IN_PROCESS: &str = "in-process";

/// Builds everything, and measures.
///
/// # Errors
/// If something does not build or cannot be installed. A peer that is not there is no error.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let root = paths::root()?;
    let tools = paths::tools()?;
    if options.install_peers {
        peers::install(&root, &tools)?;
    }
    guests::build()?;
    let packages: &[&str] = if options.host.is_some() { &["wasgi-bench"] } else { &["wasgi", "wasgi-bench"] };
    command_phase("host and peers", release(&root, packages).arg("--bins"))?;
    let target = paths::target(&root);
    let host = options.host.clone().unwrap_or_else(|| target.join("release/wasgi"));
    test::built_guests(&root, &host)?;
    phase("native programs", || natives(&root), |_| "built".to_owned())?;

    // The programs find each other, and the guests, in the target folder.
    let mut bench = Command::new(target.join("release/wasgi-bench"));
    bench.current_dir(&root).arg("--tools").arg(&tools).args(&options.rest);
    if let Some(host) = &options.host {
        bench.arg("--host").arg(host);
    }
    if wants_in_process(&options.rest) {
        let program = phase("in-process benchmarks", || in_process(&root), |_| "built".to_owned())?;
        bench.arg("--in-process").arg(program);
    }
    let status = bench.status().context("cannot start wasgi-bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Guests built for this machine, for servers of CGI; the benchmarks tell of those that are not there.
fn natives(root: &Path) -> Result<()> {
    let folder = paths::target(root).join("bench/native");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    c::native(root, &folder)?;
    go::native(root, &folder, &paths::user_cache()?)
}

/// Whether it is named, or everything is to be measured.
fn wants_in_process(rest: &[String]) -> bool {
    let mut scenarios = rest.iter().filter(|argument| !argument.starts_with("--")).peekable();
    scenarios.peek().is_none() || scenarios.any(|scenario| scenario == IN_PROCESS)
}

fn release(root: &Path, packages: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--locked"]).current_dir(root);
    for package in packages {
        command.args(["--package", package]);
    }
    command
}

/// Builds it, apart from the rest: with Criterion come features that the host is not to be measured with.
fn in_process(root: &Path) -> Result<PathBuf> {
    let mut cargo = release(root, &["wasgi-bench"]);
    cargo.args(["--bench", "in_process", "--message-format=json-render-diagnostics"]).stdout(Stdio::piped());
    let output =
        cargo.spawn().context("cannot start cargo")?.wait_with_output().context("cannot read what cargo says")?;
    if !output.status.success() {
        bail!("cargo could not build the in-process benchmarks: {}", output.status);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().find_map(executable).context("cargo named no program of the in-process benchmarks")
}

/// The benchmarks' program, if that is what a message of cargo tells of.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == "in_process";
    message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_are_those_of_the_benchmarks() {
        let source = paths::root().unwrap().join("tests/bench/src/scenario/mod.rs");
        let source = std::fs::read_to_string(source).unwrap();
        let names = source.split("Scenario { name: \"").skip(1).filter_map(|rest| rest.split('"').next());
        assert_eq!(names.collect::<Vec<_>>(), SCENARIOS);
    }

    #[test]
    fn the_in_process_program_is_built_for_it_and_for_everything() {
        let wants = |line: &str| wants_in_process(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(wants("") && wants("--quick") && wants("hello in-process"));
        assert!(!wants("hello") && !wants("--quick start"));
    }

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let message = |name| {
            serde_json::json!({ "reason": "compiler-artifact", "target": { "name": name }, "executable": "/t/x" })
                .to_string()
        };
        assert_eq!(executable(&message("in_process")), Some(PathBuf::from("/t/x")));
        assert_eq!(executable(&message("build-script-build")), None);
    }
}
