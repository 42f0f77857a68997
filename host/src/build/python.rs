//! Python apps: componentize-py, which runs CPython inside a component, imports the app and takes a snapshot.
//!
//! Paths are the same at the build and at run time, since the folder that is staged here is what goes into the
//! bundle: componentize-py calls it `/0`, and so does the app's snapshot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::copy::{self, Choice, CopyError};
use super::report::{self, Report};
use super::sources::{self, PYTHON_ENTRY, PYTHON_SDK, WIT};
use super::tool::Ended;
use super::{BuildError, Job, Made, ToolError, databases, immortal, output, tool};
use crate::bundle::asks::{MountAsk, Tool};
use crate::bundle::pack::{self, Source};
use crate::bundle::unpack::Max;
use crate::limits::HostLimits;

/// What componentize-py calls its first folder.
const STAGED: &str = "/0";

/// The series of componentize-py that the SDK is written for.
const WANTED: &str = "0.25.";

/// A large app on a slow machine takes a fifth of it.
const TIME_MAX: Duration = Duration::from_mins(5);

/// Packages are fetched from far away.
const PIP_TIME_MAX: Duration = Duration::from_mins(10);

const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

/// What an environment has for those who develop; no app is served by it.
const TOOLS: [&str; 11] = [
    "pip",
    "pip-*",
    "setuptools",
    "setuptools-*",
    "wheel",
    "wheel-*",
    "pkg_resources",
    "_distutils_hack",
    "componentize_py",
    "componentize_py-*",
    "distutils-precedence.pth",
];

/// Builds the app that the order or the manifest names.
pub(super) async fn build(job: &Job<'_>) -> Result<Made, BuildError> {
    let app = job.order.app.as_ref().or(job.manifest.build.app.as_ref()).ok_or_else(|| {
        BuildError::App(
            "no app is named; say `wasgi build MODULE:CALLABLE`, or set `app` under [build] in wasgi.toml".into(),
        )
    })?;
    refuse_taken_names(&job.order.folder)?;
    let (componentize, version) = componentize_py(job).await?;
    let stage = stage(job).await?;
    let files = files_of(&stage);
    let told = |error: pack::PackError| error.seen_from(&stage, &job.order.folder);
    pack::check(&files, &Max::of(&HostLimits::default())).map_err(told)?;
    prepare_sdk(job, app)?;
    job.progress.step(&format!("componentize-py {version}: importing {app} and warming it up"));
    let component = job.scratch.join("app.wasm");
    let ended = componentized(job, (app, &componentize)).await?;
    let report = report::read(&job.scratch.join("sdk/report.json"));
    judge(job, (app, &report), &ended)?;
    // What the app itself has written, at its import or to answer a warm-up request, is held to the same rules.
    copy::prune(&stage, &choice(job).map_err(CopyError::from)?)?;
    settle(job, &component);
    let mut asks = job.manifest.asks();
    databases::ask(&mut asks, report.and_then(|report| report.databases), job.progress);
    asks.mounts.push(MountAsk { guest: STAGED.into(), folder: String::new() });
    asks.built_by.push(Tool { name: "componentize-py".into(), version });
    let name = job.manifest.name.clone().unwrap_or_else(|| app.split([':', '.']).next().unwrap_or(app).to_owned());
    Ok(Made { component, files, staged: stage, asks, name })
}

/// All that is staged but native code, of which only names are there, and caches.
fn files_of(stage: &Path) -> Vec<Source> {
    let exclude = ["so", "pyd", "dylib", "dll"].iter().map(|native| format!("**/*.{native}"));
    let exclude = exclude.chain(["**/__pycache__".to_owned(), "**/*.pyc".to_owned()]).collect();
    vec![Source { folder: stage.to_owned(), at: String::new(), include: Vec::new(), exclude }]
}

/// Modules that are imported before the app's, from a path that begins with the app's folder.
fn refuse_taken_names(folder: &Path) -> Result<(), BuildError> {
    const TAKEN: [&str; 6] = [
        "wasgi",
        "wasgi_entry",
        "wit_world",
        "componentize_py_runtime",
        "componentize_py_types",
        "componentize_py_async_support",
    ];
    let files = TAKEN.iter().flat_map(|name| [folder.join(name), folder.join(format!("{name}.py"))]);
    match files.into_iter().find(|path| path.exists()) {
        Some(path) => Err(BuildError::App(format!(
            "{} has the name of a module that wasgi puts beside the app; rename it",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Where it is, and its version.
async fn componentize_py(job: &Job<'_>) -> Result<(PathBuf, String), BuildError> {
    let environments = environments(&job.order.folder).into_iter().map(|folder| folder.join("bin"));
    let Some(path) = tool::find("componentize-py", environments) else {
        return Err(ToolError::Missing {
            name: "componentize-py",
            purpose: "makes components of Python apps",
            mend: format!("run `pip install 'componentize-py=={WANTED}*'`"),
        }
        .into());
    };
    let mut command = tool::clean_command(&path);
    command.arg("--version").stdout(Stdio::piped());
    let said = tool::succeed(&mut command, ANSWER_TIME_MAX, "install it anew").await?;
    let version = said.split_whitespace().last().unwrap_or_default().to_owned();
    if !version.starts_with(WANTED) {
        job.progress.note(&format!(
            "warning: componentize-py is {version}, and this wasgi is made for {WANTED}x; if the build fails, run `pip install 'componentize-py=={WANTED}*'`"
        ));
    }
    Ok((path, version))
}

/// Virtual environments, the one in use first, then the project's own, then one beside it.
fn environments(folder: &Path) -> Vec<PathBuf> {
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let folders = [Some(folder), folder.parent()].into_iter().flatten();
    let near = folders.flat_map(|folder| [".venv", "venv"].map(|name| folder.join(name)));
    active.into_iter().chain(near).filter(|folder| folder.join("pyvenv.cfg").exists()).collect()
}

/// Lays out what the app is made of: its own files, its packages, the time zones.
async fn stage(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    let folder = &job.order.folder;
    job.progress.step("copying the app and its packages");
    let max = Max::of(&HostLimits::default());
    let stage = job.scratch.join("stage");
    let own = choice(job).map_err(CopyError::from)?;
    copy::copy(folder, &stage, &own, &max)?;
    let added = stage.join(copy::ADDED);
    let packages = added.join("site-packages");
    fs::create_dir_all(&packages).map_err(BuildError::file("make", &packages))?;
    let tools = copy::CACHES.into_iter().chain(TOOLS).chain(["bin"]);
    let choice = Choice::new(tools, []).map_err(CopyError::from)?.or_else(
        "install only what the app needs into a virtual environment `.venv` beside it, or name a folder of packages with `packages` under [build] in wasgi.toml",
    );
    for found in packages_of(job).await? {
        copy::copy(&found, &packages, &choice, &max)?;
    }
    let zones = Path::new("/usr/share/zoneinfo");
    if zones.is_dir() {
        let choice =
            Choice::new(["posix", "right", "*.tab", "tzdata.zi", "leap*", "*.list"], []).map_err(CopyError::from)?;
        copy::copy(zones, &added.join("zoneinfo"), &choice, &max)?;
    }
    Ok(stage)
}

/// Which of the author's files are staged, and which of the stage go into the bundle.
fn choice(job: &Job<'_>) -> Result<Choice, globset::Error> {
    let (build, bundle, elsewhere) = (&job.manifest.build, &job.manifest.bundle, kept_elsewhere(job));
    let exclude = build.exclude.iter().chain(&bundle.exclude).chain(&elsewhere).map(String::as_str);
    let output = job.order.output.as_deref().and_then(output::resolved);
    let exclude = copy::CACHES.into_iter().chain(copy::OWN).chain(exclude);
    Ok(Choice::new(exclude, bundle.include.iter().map(String::as_str))?.without_output(output))
}

/// What lies where the app asks for a directory among its files, as patterns: the operator's data go there, and what
/// the author has there is for nobody else.
fn kept_elsewhere(job: &Job<'_>) -> Vec<String> {
    let dirs = job.manifest.asks.dirs.iter();
    let inside = dirs.filter_map(|dir| dir.path.strip_prefix("/app/").or_else(|| dir.path.strip_prefix("/0/")));
    inside.map(|path| format!("{}/**", globset::escape(path))).collect()
}

/// Folders of installed packages.
async fn packages_of(job: &Job<'_>) -> Result<Vec<PathBuf>, BuildError> {
    let folder = &job.order.folder;
    if let Some(given) = &job.manifest.build.packages {
        return Ok(given.iter().map(|path| folder.join(path)).collect());
    }
    if let Some(environment) = environments(folder).first() {
        let python = environment.join("bin/python3");
        return site_packages(&python).await;
    }
    let python = tool::find("python3", []).ok_or_else(|| ToolError::Missing {
        name: "python3",
        purpose: "tells where the app's packages are",
        mend: "install it, or name their folder with `packages` under [build] in wasgi.toml".into(),
    })?;
    let requirements = folder.join("requirements.txt");
    if !requirements.is_file() {
        return site_packages(&python).await;
    }
    Ok(vec![installed(job, (&python, &requirements)).await?])
}

/// The folder of what pip has installed. The settings of the author's pip, some of which are in the environment, hold.
async fn installed(job: &Job<'_>, (python, requirements): (&Path, &Path)) -> Result<PathBuf, BuildError> {
    job.progress.step("pip install -r requirements.txt");
    let folder = job.scratch.join("installed");
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-input"]);
    pip.args(["--root-user-action", "ignore", "--target"]).arg(&folder).arg("-r").arg(requirements);
    // Paths in the file are relative to it.
    pip.current_dir(&job.order.folder).env("TMPDIR", job.temporary()).stderr(Stdio::piped()).stdout(Stdio::piped());
    let ended = tool::run(&mut pip, PIP_TIME_MAX, "check that this machine reaches the package index").await?;
    if ended.stderr.contains("No module named pip") {
        return Err(ToolError::Missing {
            name: "pip",
            purpose: "installs what requirements.txt names",
            mend: "install it (Debian's package is python3-pip), or install the app's packages into a virtual environment `.venv` beside it".into(),
        }
        .into());
    }
    if !ended.status.success() {
        job.progress.note(&report::shortened(&format!("{}{}", ended.stdout, ended.stderr)));
        return Err(ToolError::Failed { name: "pip".into(), status: ended.status }.into());
    }
    // A file without requirements installs nothing.
    fs::create_dir_all(&folder).map_err(BuildError::file("make", &folder))?;
    Ok(folder)
}

/// Where a Python has its packages, if it has any.
async fn site_packages(python: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut command = tool::clean_command(python);
    command.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).stdout(Stdio::piped());
    let said = tool::succeed(&mut command, ANSWER_TIME_MAX, "check that it starts").await?;
    Ok(Some(PathBuf::from(said.trim())).filter(|folder| folder.is_dir()).into_iter().collect())
}

/// Writes the SDK, the contract, and what the SDK has to know.
fn prepare_sdk(job: &Job<'_>, app: &str) -> Result<(), BuildError> {
    let sdk = job.scratch.join("sdk");
    sources::write_all(&PYTHON_SDK, &sdk.join("wasgi"))?;
    sources::write_all(&WIT, &job.scratch.join("wit"))?;
    let write = |path: PathBuf, text: &str| fs::write(&path, text).map_err(BuildError::file("write", &path));
    write(sdk.join("wasgi_entry.py"), PYTHON_ENTRY)?;
    write(sdk.join("wasgi-build.json"), &settings(job, app).to_string())?;
    // Stops componentize-py from adding this machine's own packages.
    let empty = job.scratch.join("venv/lib/site-packages");
    fs::create_dir_all(&empty).map_err(BuildError::file("make", &empty))
}

/// The part of `[build]` that is the SDK's. What is not said is left to its defaults.
fn settings(job: &Job<'_>, app: &str) -> Value {
    let build = &job.manifest.build;
    let mut settings = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            settings.insert(key.to_owned(), value);
        }
    };
    set("app", Some(json!(app)));
    set("interface", build.interface.as_ref().map(|value| json!(value)));
    set("lifespan", build.lifespan.as_ref().map(|value| json!(value)));
    set("warm-up", build.warm_up.as_ref().map(|value| json!(value)));
    set("warm-up-host", build.warm_up_host.as_ref().map(|value| json!(value)));
    set("imports", build.imports.as_ref().map(|value| json!(value)));
    set("env", build.env.as_ref().map(|value| json!(value)));
    set("stdlib", build.stdlib.map(|value| json!(value)));
    Value::Object(settings)
}

async fn componentized(job: &Job<'_>, (app, componentize): (&str, &Path)) -> Result<Ended, BuildError> {
    let mut command = tool::clean_command(componentize);
    command
        .args(["-q", "-d", "wit", "-w", "app", "componentize", "wasgi_entry"])
        // The order is what they are called inside: /0 and /1.
        .args(["-p", "stage", "-p", "sdk", "-o", "app.wasm"])
        .current_dir(job.scratch)
        .env("TMPDIR", job.temporary())
        .env("VIRTUAL_ENV", job.scratch.join("venv"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mend = format!("look in {app} for a loop at module level or for what it waits for");
    Ok(tool::run(&mut command, job.order.time_max.unwrap_or(TIME_MAX), &mend).await?)
}

/// Makes the snapshot's objects immortal, or tells why they are not.
fn settle(job: &Job<'_>, component: &Path) {
    match immortal::settle(&job.scratch.join("sdk/immortal"), component) {
        Ok(count) => tracing::debug!(count, "objects of the snapshot are immortal"),
        Err(error) => job.progress.note(&format!(
            "warning: the app works, but each fresh instance copies more memory than it had to, since the objects of the snapshot stay mortal: {error}; this wasgi is made for componentize-py {WANTED}x"
        )),
    }
}

/// Passes on what the SDK reports; an app that failed is told by its own words.
fn judge(job: &Job<'_>, (app, report): (&str, &Option<Report>), ended: &Ended) -> Result<(), BuildError> {
    for note in report.iter().flat_map(Report::notes) {
        job.progress.note(&note);
    }
    match report {
        Some(Report { error: Some(error), .. }) => Err(BuildError::App(report::shortened(error.trim_end()))),
        Some(_) if ended.status.success() => Ok(()),
        _ => {
            job.progress.note(&report::shortened(&format!("{}{}", ended.stdout, ended.stderr)));
            let status = ended.status;
            Err(BuildError::App(format!("componentize-py failed on {app} ({status}); what it printed is above")))
        }
    }
}
