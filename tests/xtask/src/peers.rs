//! `cargo xtask bench --install-peers`: whom wasgi is measured against.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::apt;
use crate::phase::{command_phase, phase};
use crate::toolchain::clean_cargo;

/// Debian's, and what the Python servers are built with.
const PACKAGES: [&str; 6] = ["fcgiwrap", "gcc", "nginx-light", "python3-dev", "python3-venv", "wrk"];

const PYTHON: [&str; 3] = ["gunicorn", "uwsgi", "granian"];

/// What the Flask application is built with, so that its peers serve the same.
const REQUIREMENTS: &str = "examples/flask-hello/requirements.txt";

/// What `wasmtime serve` needs, and no more: the whole program takes twice as long to build.
const FEATURES: &str =
    "run,serve,cranelift,component-model,component-model-async,pooling-allocator,parallel-compilation";

/// Installs the peers that are not there: some minutes, and a quarter of an hour more for wasmtime.
///
/// # Errors
/// If one of them cannot be installed.
pub(crate) fn install(root: &Path, tools: &Path) -> Result<()> {
    let programs = ["/usr/sbin/fcgiwrap", "/usr/sbin/nginx", "/usr/bin/wrk", "/usr/bin/python3"];
    if !programs.iter().all(|program| Path::new(program).exists()) {
        println!("peers: apt-get install {}", PACKAGES.join(" "));
        println!("peers: Debian starts NGINX when it is installed, on port 80: stop it, or measure nothing");
        phase("Debian's peers", || apt::install(&PACKAGES), |()| "installed".to_owned())?;
    }
    let python = tools.join("python");
    if !python.join("bin/pip").exists() {
        command_phase("Python", Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&python))?;
    }
    // It asks for nothing that is there in a version that will do.
    let mut pip = Command::new(python.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(root.join(REQUIREMENTS));
    command_phase("Python's peers", pip.args(PYTHON))?;
    let lock = root.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let version = locked_wasmtime(&lock).context("Cargo.lock names no version of wasmtime")?;
    if !has_wasmtime(tools, version) {
        command_phase("wasmtime-cli", &mut install_wasmtime(tools, version))?;
    }
    Ok(())
}

/// The version that the host is built with.
fn locked_wasmtime(lock: &str) -> Option<&str> {
    let (_, package) = lock.split_once("name = \"wasmtime\"\nversion = \"")?;
    package.split('"').next()
}

fn has_wasmtime(tools: &Path, version: &str) -> bool {
    let output = Command::new(tools.join("bin/wasmtime")).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(version))
}

fn install_wasmtime(tools: &Path, version: &str) -> Command {
    let mut cargo = clean_cargo();
    cargo.args(["install", "wasmtime-cli", "--quiet", "--locked", "--version", version, "--root"]).arg(tools);
    cargo.args(["--no-default-features", "--features", FEATURES]);
    // As the host is built.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "thin");
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasmtime_is_that_of_the_lockfile() {
        let lock = "[[package]]\nname = \"wasmtime-wasi\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\nsource = 1\n";
        assert_eq!(locked_wasmtime(lock), Some("48.0.8"));
        assert_eq!(locked_wasmtime("name = \"serde\""), None);
    }
}
