//! Python apps: componentize-py, which runs CPython inside a component, imports the app and takes a snapshot.
//!
//! Paths are the same at the build and at run time, since the folder that is staged here is what goes into the
//! bundle: componentize-py calls it `/0`, and so does the app's snapshot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::copy::{self, Choice};
use super::report::Report;
use super::sources::{self, PYTHON_ENTRY, PYTHON_SDK, WIT};
use super::tool::Ended;
use super::{BuildError, Job, Made, ToolError, tool};
use crate::bundle::asks::{MountAsk, Tool};
use crate::bundle::pack::Source;
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
    let (componentize, version) = componentize_py(job).await?;
    let stage = stage(job).await?;
    prepare_sdk(job, app)?;
    job.progress.step(&format!("componentize-py {version}: importing {app} and warming it up"));
    let component = job.scratch.join("app.wasm");
    let ended = componentized(job, &componentize).await?;
    let report = job.scratch.join("sdk/report.json");
    judge(job, (app, &report), &ended)?;
    let mut asks = job.manifest.asks();
    asks.mounts.push(MountAsk { guest: STAGED.into(), folder: String::new() });
    asks.built_by.push(Tool { name: "componentize-py".into(), version });
    let name = job.manifest.name.clone().unwrap_or_else(|| app.split([':', '.']).next().unwrap_or(app).to_owned());
    let exclude = ["so", "pyd", "dylib", "dll"].iter().map(|native| format!("**/*.{native}"));
    let exclude = exclude.chain(["**/__pycache__".to_owned(), "**/*.pyc".to_owned()]);
    // Warm-up requests may have written there.
    let exclude = exclude.chain(kept_elsewhere(job)).collect();
    let files = vec![Source { folder: stage, at: String::new(), include: Vec::new(), exclude }];
    Ok(Made { component, files, asks, name })
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

/// Virtual environments, the one in use first.
fn environments(folder: &Path) -> Vec<PathBuf> {
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let own = [".venv", "venv"].into_iter().map(|name| folder.join(name));
    active.into_iter().chain(own).filter(|folder| folder.join("pyvenv.cfg").exists()).collect()
}

/// Lays out what the app is made of: its own files, its packages, the time zones.
async fn stage(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    let (folder, options) = (&job.order.folder, &job.manifest.build);
    job.progress.step("copying the app and its packages");
    let max = Max::of(&HostLimits::default());
    let stage = job.scratch.join("stage");
    let bundle = &job.manifest.bundle;
    let elsewhere = kept_elsewhere(job);
    let exclude = options.exclude.iter().chain(&bundle.exclude).chain(&elsewhere).map(String::as_str);
    let own = Choice::new(copy::NEVER.into_iter().chain(exclude), bundle.include.iter().map(String::as_str))
        .map_err(copy::CopyError::from)?;
    copy::copy(folder, &stage, &own, &max)?;
    let packages = stage.join(".wasgi/site-packages");
    fs::create_dir_all(&packages).map_err(BuildError::file("make", &packages))?;
    let choice =
        Choice::new(copy::NEVER[..4].iter().copied().chain(TOOLS).chain(["bin"]), []).map_err(copy::CopyError::from)?;
    for found in packages_of(job, &packages).await? {
        copy::copy(&found, &packages, &choice, &max)?;
    }
    let zones = Path::new("/usr/share/zoneinfo");
    if zones.is_dir() {
        let choice = Choice::new(["posix", "right", "*.tab", "tzdata.zi", "leap*", "*.list"], [])
            .map_err(copy::CopyError::from)?;
        copy::copy(zones, &stage.join(".wasgi/zoneinfo"), &choice, &max)?;
    }
    Ok(stage)
}

/// What lies where the app asks for a directory among its files, as patterns: the operator's data go there, and what
/// the author has there is for nobody else.
fn kept_elsewhere(job: &Job<'_>) -> Vec<String> {
    let inside = job.manifest.asks.dirs.iter().filter_map(|dir| dir.path.strip_prefix("/app/"));
    inside.map(|path| format!("{}/**", globset::escape(path))).collect()
}

/// Folders of installed packages; those that had to be installed are in `installed` already.
async fn packages_of(job: &Job<'_>, installed: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let folder = &job.order.folder;
    if let Some(given) = &job.manifest.build.packages {
        return Ok(given.iter().map(|path| folder.join(path)).collect());
    }
    if let Some(environment) = environments(folder).first() {
        let python = environment.join("bin/python3");
        return Ok(vec![site_packages(&python).await?]);
    }
    let python = tool::find("python3", []).ok_or_else(|| ToolError::Missing {
        name: "python3",
        purpose: "tells where the app's packages are",
        mend: "install it, or name their folder with `packages` under [build] in wasgi.toml".into(),
    })?;
    let requirements = folder.join("requirements.txt");
    if !requirements.is_file() {
        return Ok(vec![site_packages(&python).await?]);
    }
    job.progress.step("pip install -r requirements.txt");
    let mut pip = tool::clean_command(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]);
    pip.args(["--root-user-action", "ignore"]);
    pip.arg("--target")
        .arg(installed)
        .arg("-r")
        .arg(fs::canonicalize(&requirements).map_err(BuildError::file("read", &requirements))?);
    pip.current_dir(job.scratch).stderr(Stdio::piped()).stdout(Stdio::piped());
    let ended = tool::run(&mut pip, PIP_TIME_MAX, "check that this machine reaches the package index").await?;
    if !ended.status.success() {
        job.progress.note(&format!("{}{}", ended.stdout, ended.stderr));
        return Err(ToolError::Failed { name: "pip".into(), status: ended.status }.into());
    }
    Ok(Vec::new())
}

async fn site_packages(python: &Path) -> Result<PathBuf, BuildError> {
    let mut command = tool::clean_command(python);
    command.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).stdout(Stdio::piped());
    let said = tool::succeed(&mut command, ANSWER_TIME_MAX, "check that it starts").await?;
    Ok(PathBuf::from(said.trim()))
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

async fn componentized(job: &Job<'_>, componentize: &Path) -> Result<Ended, BuildError> {
    let mut command = tool::clean_command(componentize);
    command
        .args(["-q", "-d", "wit", "-w", "app", "componentize", "wasgi_entry"])
        // The order is what they are called inside: /0 and /1.
        .args(["-p", "stage", "-p", "sdk", "-o", "app.wasm"])
        .current_dir(job.scratch)
        .env("VIRTUAL_ENV", job.scratch.join("venv"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(tool::run(&mut command, TIME_MAX, "look for a loop at module level, or for what the app waits for").await?)
}

/// Passes on what the SDK reports; an app that failed is told by its own words.
fn judge(job: &Job<'_>, (app, path): (&str, &Path), ended: &Ended) -> Result<(), BuildError> {
    let report: Option<Report> = fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    for note in report.iter().flat_map(Report::notes) {
        job.progress.note(&note);
    }
    match report {
        Some(Report { error: Some(error), .. }) => Err(BuildError::App(error.trim_end().to_owned())),
        Some(_) if ended.status.success() => Ok(()),
        _ => {
            job.progress.note(&format!("{}{}", ended.stdout, ended.stderr));
            let status = ended.status;
            Err(BuildError::App(format!("componentize-py failed on {app} ({status}); what it printed is above")))
        }
    }
}
