//! C guests: built by `wasgi build`, as their authors would, and kept by what they were made of.

use std::collections::BTreeMap;
use std::fs;
use std::hash::DefaultHasher;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::apt;
use crate::guests::write_if_changed;
use crate::phase::succeed;
use crate::python::{self, Tools, build_kept, hash_folder};

/// A CGI program, which clang makes without any help, and its source.
pub(crate) const PROGRAM: (&str, &str) = ("c-cgi", "tests/guests/c_cgi.c");

/// What Debian has for it.
const PACKAGES: [&str; 4] = ["clang", "lld", "wasi-libc", "libclang-rt-14-dev-wasm32"];

/// A file of each, to know that they are there.
const FILES: [&str; 4] = [
    "/usr/bin/clang",
    "/usr/bin/wasm-ld",
    "/usr/lib/wasm32-wasi/libc.a",
    "/usr/lib/llvm-14/lib/clang/14.0.6/lib/wasi/libclang_rt.builtins-wasm32.a",
];

/// The guests that are written in C: name and source folder.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn guests(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    python::apps(root, &["examples", "tests/guests/c"], "lang = \"c\"")
}

/// Builds those that changed with `host`, and copies all of them to `output`.
///
/// # Errors
/// If the tools cannot be had, or an app does not build.
pub(crate) fn build(root: &Path, (host, output): (&Path, &Path), cache: &Path) -> Result<()> {
    if !FILES.iter().all(|file| Path::new(file).exists()) {
        println!("guests: apt-get install {}", PACKAGES.join(" "));
        apt::install(&PACKAGES).context("C guests need clang, lld and wasi-libc")?;
    }
    let mut shared = DefaultHasher::new();
    for part in ["guest-sdk/c", "wit", "host/src/build"] {
        hash_folder(&root.join(part), &mut shared)?;
    }
    let guests = guests(root)?;
    let kept = cache.join("guests/c");
    let jobs = python::jobs(&guests, &shared, &kept)?;
    let tools = Tools { host, programs: Path::new("/usr/bin"), modules: None };
    build_kept("C guests", (&tools, &jobs), (&kept, output))?;
    program(root, output)
}

fn program(root: &Path, output: &Path) -> Result<()> {
    let (name, source) = PROGRAM;
    let folder = tempfile::tempdir().context("cannot make a folder for a program")?;
    let made = folder.path().join(name);
    let mut clang = Command::new("/usr/bin/clang");
    clang.args(["--target=wasm32-wasi", "-isystem", "/usr/include/wasm32-wasi", "-O2", "-Wall", "-Werror", "-o"]);
    succeed(clang.arg(&made).arg(root.join(source)))?;
    let bytes = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
    write_if_changed(&output.join(format!("{name}.wasm")), &bytes).map(drop)
}

/// Builds the same program for this machine, into a file of a folder, if there is a compiler for that.
///
/// # Errors
/// If the compiler fails.
pub(crate) fn native(root: &Path, folder: &Path) -> Result<()> {
    let (name, source) = PROGRAM;
    if !Path::new("/usr/bin/cc").exists() {
        return Ok(());
    }
    let mut cc = Command::new("/usr/bin/cc");
    succeed(cc.args(["-O2", "-o"]).arg(folder.join(name)).arg(root.join(source)))
}
