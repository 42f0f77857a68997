//! Python guests: built by `wasgi build`, as their authors would, and kept by what they were made of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::apt;
use crate::guests::write_if_changed;
use crate::phase::{command_phase, phase, succeed};
use crate::toolchain::clean;

/// The one that all machines build with.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// Folders whose apps are guests.
const APPS: [&str; 2] = ["examples", "tests/guests/python"];

/// Where `wasgi new` has its beginnings of apps, and those that are in Python.
const TEMPLATES: (&str, [&str; 3]) = ("host/templates", ["python", "flask", "django"]);

/// Builds that are kept, by name; older ones go.
const KEPT: usize = 40;

/// The guests that are written in Python: name and source folder.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn guests(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut guests = BTreeMap::new();
    for parent in APPS.map(|folder| root.join(folder)).iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(parent).with_context(|| format!("cannot read {}", parent.display()))? {
            let folder = entry?.path();
            let manifest = fs::read_to_string(folder.join("wasgi.toml")).unwrap_or_default();
            // A callable to import: only Python apps name one.
            if manifest.lines().any(|line| line.starts_with("app = ")) {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                guests.insert(name, folder);
            }
        }
    }
    let (folder, languages) = TEMPLATES;
    guests.extend(languages.map(|name| (format!("new-{name}"), root.join(folder).join(name))));
    Ok(guests)
}

/// Builds those that changed with `host`, and copies all of them to `output`.
///
/// # Errors
/// If the tools cannot be had, or an app does not build.
pub(crate) fn build(root: &Path, (host, output): (&Path, &Path), cache: &Path) -> Result<()> {
    let guests = guests(root)?;
    if guests.is_empty() {
        return Ok(());
    }
    let tools = install(&cache.join("tools/componentize"), COMPONENTIZE_PY)?;
    let kept = cache.join("guests/python");
    fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
    let shared = shared(root)?;
    let begun = tempfile::tempdir().context("cannot make a folder for new apps")?;
    let jobs: Vec<Job<'_>> = guests
        .iter()
        .map(|(name, folder)| {
            let mut hasher = shared.clone();
            hash_folder(folder, &mut hasher)?;
            let file = kept.join(format!("{name}-{:016x}.wasm", hasher.finish()));
            let folder = if folder.starts_with(root.join(TEMPLATES.0)) {
                begin(host, folder, &begun.path().join(name))?
            } else {
                folder.clone()
            };
            Ok(Job { name, folder, file })
        })
        .collect::<Result<_>>()?;
    let tools = Tools { host, programs: &tools.join("bin"), modules: None };
    build_kept("Python guests", (&tools, &jobs), (&kept, output))
}

/// Apps in folders of these, whose `wasgi.toml` has this line.
///
/// # Errors
/// If a folder cannot be read.
pub(crate) fn apps(root: &Path, parents: &[&str], line: &str) -> Result<BTreeMap<String, PathBuf>> {
    let mut apps = BTreeMap::new();
    for parent in parents.iter().map(|folder| root.join(folder)) {
        for entry in fs::read_dir(&parent).with_context(|| format!("cannot read {}", parent.display()))? {
            let folder = entry?.path();
            let manifest = fs::read_to_string(folder.join("wasgi.toml")).unwrap_or_default();
            if manifest.lines().any(|found| found == line) {
                apps.insert(folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), folder);
            }
        }
    }
    Ok(apps)
}

/// A job for each app: where it is kept depends on what all are made of, and on its own files.
///
/// # Errors
/// If something cannot be read, or the folder not be made.
pub(crate) fn jobs<'a>(
    apps: &'a BTreeMap<String, PathBuf>,
    shared: &DefaultHasher,
    kept: &Path,
) -> Result<Vec<Job<'a>>> {
    fs::create_dir_all(kept).with_context(|| format!("cannot make {}", kept.display()))?;
    let job = |(name, folder): (&'a String, &PathBuf)| {
        let mut hasher = shared.clone();
        hash_folder(folder, &mut hasher)?;
        let file = kept.join(format!("{name}-{:016x}.wasm", hasher.finish()));
        Ok(Job { name, folder: folder.clone(), file })
    };
    apps.iter().map(job).collect()
}

/// Builds what is not kept, and copies all to `output`.
///
/// # Errors
/// If an app does not build.
pub(crate) fn build_kept(
    title: &str,
    (tools, jobs): (&Tools<'_>, &[Job<'_>]),
    (kept, output): (&Path, &Path),
) -> Result<()> {
    let built =
        phase(title, || build_all(tools, jobs), |built| format!("{built} built, {} as before", jobs.len() - built))?;
    for Job { name, file, .. } in jobs {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        write_if_changed(&output.join(format!("{name}.wasm")), &bytes)?;
    }
    if built > 0 { forget(kept) } else { Ok(()) }
}

/// An app to build.
pub(crate) struct Job<'a> {
    pub(crate) name: &'a str,
    pub(crate) folder: PathBuf,
    /// Where it is kept.
    pub(crate) file: PathBuf,
}

/// What a build is done with.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    /// The command `wasgi`.
    pub(crate) host: &'a Path,
    /// A folder of programs, which comes first in PATH.
    pub(crate) programs: &'a Path,
    /// For NODE_PATH.
    pub(crate) modules: Option<&'a Path>,
}

/// Builds what is not kept, two at a time: each has a single thread for most of its time, and much memory.
fn build_all(tools: &Tools<'_>, jobs: &[Job<'_>]) -> Result<usize> {
    let missing: Vec<&Job<'_>> = jobs.iter().filter(|job| !job.file.exists()).collect();
    for pair in missing.chunks(2) {
        thread::scope(|scope| {
            let running: Vec<_> = pair.iter().map(|job| scope.spawn(|| build_one(tools, job))).collect();
            running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a build panicked"))?)
        })?;
    }
    Ok(missing.len())
}

/// Has `wasgi new` make an app of this template.
pub(crate) fn begin(host: &Path, template: &Path, app: &Path) -> Result<PathBuf> {
    let (parent, name) = app.parent().zip(app.file_name()).context("an app has a folder and a name")?;
    let language = template.file_name().context("a template has a name")?;
    let mut command = Command::new(host);
    command.arg("new").arg("--lang").arg(language).arg("--folder").arg(parent).arg(name).stdout(Stdio::null());
    succeed(&mut command)?;
    Ok(app.to_owned())
}

fn build_one(tools: &Tools<'_>, job: &Job<'_>) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: OsString =
        std::env::join_paths([tools.programs.to_owned()].into_iter().chain(std::env::split_paths(&path)))
            .context("a folder of PATH has a colon in it")?;
    let mut command = Command::new(tools.host);
    clean(&mut command);
    if let Some(modules) = tools.modules {
        command.env("NODE_PATH", modules);
    }
    // Beside its place, which `wasgi build` fills at once or not at all.
    command.arg("build").arg("--folder").arg(&job.folder).arg("--output").arg(&job.file).env("PATH", path);
    command.env_remove("VIRTUAL_ENV").stdout(Stdio::null());
    let output =
        command.stderr(Stdio::piped()).output().with_context(|| format!("cannot start {}", tools.host.display()))?;
    if !output.status.success() {
        bail!("the guest {} was not built:\n{}", job.name, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// An environment with a tool from Python's packages, which is made once for all clones of this user.
pub(crate) fn install(folder: &Path, tool: &'static str) -> Result<PathBuf> {
    let mark = folder.join(format!("{tool}.installed"));
    if mark.exists() {
        return Ok(folder.to_owned());
    }
    let venv = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        succeed(&mut command)
    };
    if venv().is_err() {
        println!("guests: apt-get install python3 python3-venv");
        apt::install(&["python3", "python3-venv"]).context("guests need python3 with venv")?;
        venv()?;
    }
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", tool]);
    command_phase(tool, &mut pip)?;
    fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))?;
    Ok(folder.to_owned())
}

/// What goes into every Python guest: the SDK, the contract, the code that puts them together, the tool.
fn shared(root: &Path) -> Result<DefaultHasher> {
    let mut hasher = DefaultHasher::new();
    COMPONENTIZE_PY.hash(&mut hasher);
    for folder in ["guest-sdk/python/wasgi", "wit", "host/src/build"] {
        hash_folder(&root.join(folder), &mut hasher)?;
    }
    Ok(hasher)
}

/// Names and contents of what is in a folder, in one order.
pub(crate) fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        if name == "__pycache__" || name == "node_modules" {
            continue;
        }
        name.hash(hasher);
        if path.is_dir() {
            hash_folder(&path, hasher)?;
        } else {
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?.hash(hasher);
        }
    }
    Ok(())
}

/// Removes the builds that are older than those to keep.
fn forget(kept: &Path) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(kept)
        .with_context(|| format!("cannot read {}", kept.display()))?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    files.sort();
    for (_, path) in files.iter().rev().skip(KEPT) {
        // Another clone may have been quicker.
        let _ = fs::remove_file(path);
    }
    Ok(())
}
