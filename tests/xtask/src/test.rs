//! `cargo xtask test`: everything that must pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;

use crate::cache::Cache;
use crate::phase::{command_phase, phase};
use crate::{c, fuzz, go, guests, http_js, javascript, paths, python, toolchain};

/// What the command line chose.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Run the tests marked `#[ignore]` too, which take minutes, and the fuzzer.
    pub(crate) full: bool,
    /// For the test programs, such as a part of a test's name.
    pub(crate) arguments: Vec<String>,
}

/// Builds the guests and the host, then runs every test.
///
/// # Errors
/// If something does not build, or a test fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let root = paths::root()?;
    guests::build()?;
    phase("tests of the SDK", || sdk_tests(&root, options), |()| "passed".to_owned())?;
    phase("tests of the Python SDK", || python_sdk_tests(&root), |()| "passed".to_owned())?;
    javascript::sdk_tests(&root, &paths::user_cache()?)?;
    // The tests start the binary, which cargo builds only for tests of its own package.
    command_phase("host", &mut host_build(&root))?;
    built_guests(&root, &debug_host(&root))?;
    phase("compiled guests", || compile_interpreters(&root), |count| format!("{count} there"))?;
    command_phase("tests", &mut host_tests(&root, options))?;
    // Who asks for one test does not ask for this.
    if options.full && options.arguments.is_empty() {
        match fuzz::missing() {
            None => fuzz::run(&fuzz::Options::default())?,
            Some(missing) => println!("fuzz: NOT RUN: {missing}"),
        }
    }
    println!("all passed ({:.1} min)", start.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// `cargo xtask guests`: the only builder of guests, and of the host that the tests start.
///
/// # Errors
/// If something does not build.
pub(crate) fn guests() -> Result<()> {
    let root = paths::root()?;
    guests::build()?;
    command_phase("host", &mut host_build(&root))?;
    built_guests(&root, &debug_host(&root))
}

/// Builds the guests that are built with `wasgi build`, with this host.
pub(crate) fn built_guests(root: &Path, host: &Path) -> Result<()> {
    let (output, cache) = (paths::target(root).join("guests"), paths::user_cache()?);
    c::build(root, (host, &output), &cache)?;
    go::build(root, (host, &output), &cache)?;
    javascript::build(root, (host, &output), &cache)?;
    python::build(root, (host, &output), &cache)
}

fn debug_host(root: &Path) -> PathBuf {
    paths::target(root).join("debug/wasgi")
}

/// What runs without a host, on this machine: the SDK, and the parts of guests that are pure.
fn sdk_tests(root: &Path, options: &Options) -> Result<()> {
    // No tool chain for wasm has a part in this, nor a `.wasm` file: any clone's owner may stay.
    let cache = Cache::share(&paths::cache()?)?;
    let mut command = toolchain::clean_cargo();
    command
        .args([
            "test",
            "--locked",
            "--quiet",
            "--package",
            "wasgi-guest",
            "--package",
            "wasgi-guest-macros",
            "--package",
            "rpc",
        ])
        .args(["--features", "wasgi-guest/http"])
        .current_dir(paths::guest_workspace(root))
        .env("CARGO_TARGET_DIR", cache.target());
    crate::phase::succeed(with_arguments(&mut command, options))
}

fn python_sdk_tests(root: &Path) -> Result<()> {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-B", "-m", "unittest", "discover", "--quiet", "-s", "tests", "-t", "."]);
    crate::phase::succeed(python.current_dir(root.join("guest-sdk/python")))
}

/// Compiles the guests that have an interpreter into the cache that all tests share: that takes half a minute each,
/// and several tests that want the same one would each do it.
fn compile_interpreters(root: &Path) -> Result<usize> {
    let target = paths::target(root);
    let mut count = 0;
    let (python, javascript, go) = (python::guests(root)?, javascript::guests(root)?, go::guests(root));
    let names = python.keys().chain(javascript.keys()).chain(go.keys()).map(String::as_str);
    for name in names.chain([http_js::NAME]) {
        let guest = target.join("guests").join(format!("{name}.wasm"));
        let mut check = Command::new(target.join("debug/wasgi"));
        check.arg("check").arg(&guest).arg("--cache").arg(target.join("test-cache")).stdout(Stdio::null());
        crate::phase::succeed(&mut check)?;
        count += 1;
    }
    Ok(count)
}

/// The binary that the e2e tests start, with its failure points.
fn host_build(root: &Path) -> Command {
    let mut command = outer_cargo(root);
    // With the tests, so that dependencies have the same features and are built once.
    command.args(["build", "--locked", "--workspace", "--features", "wasgi/failpoints", "--bin", "wasgi", "--tests"]);
    command
}

/// The host's workspace, all of it.
fn host_tests(root: &Path, options: &Options) -> Command {
    let mut command = outer_cargo(root);
    command.args(["test", "--locked", "--workspace", "--no-fail-fast", "--features", "wasgi/failpoints"]);
    with_arguments(&mut command, options);
    command
}

fn with_arguments<'c>(command: &'c mut Command, options: &Options) -> &'c mut Command {
    command.arg("--");
    if options.full {
        command.arg("--include-ignored");
    }
    command.args(&options.arguments)
}

/// The cargo that runs us, for the host's workspace: its flags and folders are ours.
fn outer_cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}
