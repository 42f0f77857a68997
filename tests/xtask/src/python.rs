//! Guests in Python: a folder each in `tests/guests/python`, made into a component by componentize-py.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::apt;
use crate::phase::{command_phase, succeed};

/// The version that the SDK is written for.
const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// Packages that the guests use, all in pure Python.
const PACKAGES: [&str; 2] = ["webtest==3.0.7", "legacy-cgi==2.6.4"];

/// One folder with an `app.py`, whose `application` is the guest.
#[derive(Debug)]
struct Guest {
    name: String,
    folder: PathBuf,
}

/// Builds what is not in `cache` yet, where a component lies under a hash of all that it is made of. A build takes
/// a quarter of a minute, nearly all of it in componentize-py.
///
/// # Errors
/// If a tool cannot be installed, or a guest does not build; with what its report says.
pub(crate) fn build(root: &Path, tools: &Path, cache: &Path) -> Result<BTreeMap<String, PathBuf>> {
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let mut built = BTreeMap::new();
    for guest in guests(root)? {
        let file = cache.join(format!("{}-{:016x}.wasm", guest.name, hash(root, &guest)?));
        if !file.exists() {
            let work = cache.join(format!("{}-work", guest.name));
            let made = Tools::set_up(tools)?.componentize(root, &guest, &work)?;
            forget(cache, &guest.name)?;
            fs::rename(&made, &file).with_context(|| format!("cannot write {}", file.display()))?;
            fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
        }
        built.insert(guest.name, file);
    }
    Ok(built)
}

fn guests(root: &Path) -> Result<Vec<Guest>> {
    let folder = root.join("tests/guests/python");
    let mut guests = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let folder = entry?.path();
        if folder.join("app.py").exists() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            guests.push(Guest { name: format!("{name}-python"), folder });
        }
    }
    Ok(guests)
}

/// Of everything that goes into the component.
fn hash(root: &Path, guest: &Guest) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    (COMPONENTIZE, PACKAGES).hash(&mut hasher);
    for folder in [&guest.folder, &root.join("guest-sdk/python/wasgi"), &root.join("wit")] {
        for (path, file) in files(folder, folder)? {
            path.hash(&mut hasher);
            fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
        }
    }
    let entry = root.join(ENTRY);
    fs::read(&entry).with_context(|| format!("cannot read {}", entry.display()))?.hash(&mut hasher);
    Ok(hasher.finish())
}

const ENTRY: &str = "guest-sdk/python/wasgi_entry.py";

/// The components of earlier versions.
fn forget(cache: &Path, name: &str) -> Result<()> {
    let prefix = format!("{name}-");
    for entry in fs::read_dir(cache)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if file.strip_prefix(&prefix).is_some_and(|rest| rest.len() == "0123456789abcdef.wasm".len()) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The programs and packages, installed once for all clones.
#[derive(Debug)]
struct Tools {
    componentize: PathBuf,
    packages: PathBuf,
}

impl Tools {
    fn set_up(tools: &Path) -> Result<Self> {
        let folder = tools.join(COMPONENTIZE);
        let (venv, packages) = (folder.join("venv"), folder.join(PACKAGES.join(",")));
        if !packages.exists() {
            // Debian has it in a package of its own.
            if !succeeds(&mut python(), &["-c", "import ensurepip"]) {
                apt::install(&["python3-venv"])?;
            }
            command_phase("Python", python().args(["-m", "venv"]).arg(&venv))?;
            let pip = |arguments: &[&str]| {
                let mut pip = Command::new(venv.join("bin/pip"));
                pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(arguments);
                pip
            };
            command_phase("componentize-py", &mut pip(&[COMPONENTIZE]))?;
            // Under its final name only once it is whole.
            let unfinished = folder.join("packages-new");
            let mut install = pip(&PACKAGES);
            command_phase("Python packages", install.arg("--target").arg(&unfinished))?;
            fs::rename(&unfinished, &packages).with_context(|| format!("cannot write {}", packages.display()))?;
        }
        Ok(Self { componentize: venv.join("bin/componentize-py"), packages })
    }

    /// Makes the component in `work`, which is new: the steps of `wasgi build` without the bundle.
    fn componentize(&self, root: &Path, guest: &Guest, work: &Path) -> Result<PathBuf> {
        if work.exists() {
            fs::remove_dir_all(work).with_context(|| format!("cannot remove {}", work.display()))?;
        }
        let (stage, desk) = (work.join("stage"), work.join("sdk"));
        copy(&guest.folder, &stage)?;
        copy(&self.packages, &stage.join(".wasgi/site-packages"))?;
        copy(&root.join("guest-sdk/python/wasgi"), &desk.join("wasgi"))?;
        fs::copy(root.join(ENTRY), desk.join("wasgi_entry.py")).context("cannot copy the SDK's entry")?;
        let config = json!({ "app": "app:application", "warm-up": ["/hello", "/environ"] });
        fs::write(desk.join("wasgi-build.json"), config.to_string()).context("cannot write the configuration")?;
        // Without it, componentize-py would add the packages of this machine.
        let venv = work.join("venv");
        fs::create_dir_all(venv.join("lib/site-packages")).context("cannot make an empty environment")?;
        let output = work.join("app.wasm");
        let mut command = Command::new(&self.componentize);
        command.arg("--quiet").arg("-d").arg(root.join("wit")).args(["-w", "app", "componentize", "wasgi_entry"]);
        command.arg("-p").arg(&stage).arg("-p").arg(&desk).arg("-o").arg(&output).env("VIRTUAL_ENV", &venv);
        let result = command_phase(&format!("guest {}", guest.name), &mut command);
        match report(&desk.join("report.json")) {
            Some(problems) if !problems.is_empty() => bail!("{} does not build: {problems}", guest.name),
            _ => result.map(|()| output),
        }
    }
}

/// The error and the warnings of a build: a guest has neither.
fn report(path: &Path) -> Option<String> {
    let report: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let mut problems: Vec<String> = report["error"].as_str().map(str::to_owned).into_iter().collect();
    for warning in report["warnings"].as_array().into_iter().flatten() {
        problems.extend(["message", "log"].iter().filter_map(|key| warning[*key].as_str()).map(str::to_owned));
    }
    Some(problems.join("\n"))
}

fn python() -> Command {
    Command::new("/usr/bin/python3")
}

fn succeeds(command: &mut Command, arguments: &[&str]) -> bool {
    succeed(command.args(arguments).stderr(Stdio::null())).is_ok()
}

/// Copies the files of a folder; caches of Python are left out.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for (name, file) in files(from, from)? {
        let target = to.join(name);
        let folder = target.parent().unwrap_or(to);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

/// Every file below `folder` by its path from `base`, in order.
fn files(base: &Path, folder: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "__pycache__") {
                found.extend(files(base, &path)?);
            }
        } else {
            found.insert(path.strip_prefix(base).unwrap_or(&path).to_owned(), path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_content() -> Result<()> {
        let root = crate::paths::root()?;
        let mut guests = guests(&root)?;
        let guest = guests.pop().context("there is a guest in Python")?;
        assert_eq!(hash(&root, &guest)?, hash(&root, &guest)?);
        let other = Guest { name: guest.name.clone(), folder: root.join("wit") };
        assert_ne!(hash(&root, &guest)?, hash(&root, &other)?);
        Ok(())
    }
}
