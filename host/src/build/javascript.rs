//! JavaScript and TypeScript apps: esbuild bundles them, ComponentizeJS runs the modules once and takes a snapshot of
//! the engine. Both are the author's own, found as Node finds packages; what calls them is `guest-sdk/js/build.mjs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::report::{self, Report};
use super::sources::{self, JAVASCRIPT_BUILD, JAVASCRIPT_SDK, JAVASCRIPT_WORLD, WIT};
use super::tool::Ended;
use super::{BuildError, Job, Made, ToolError, tool};
use crate::bundle::asks::Tool;

/// The series of ComponentizeJS that the SDK is written for.
const WANTED: &str = "0.23.";

/// The oldest Node that its packages run on.
const NODE_MIN: u32 = 20;

/// A large app on a slow machine takes a tenth of it.
const TIME_MAX: Duration = Duration::from_mins(5);

const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

/// A manifest of a package is a hundredth of it.
const PACKAGE_MAX: u64 = 1 << 20;

/// Where an app's module is, if neither manifest says.
const ENTRIES: [&str; 6] = ["src/index.js", "src/index.ts", "index.js", "index.ts", "src/index.mjs", "index.mjs"];

/// Of a package.json, what is of use here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Package {
    name: Option<String>,
    version: Option<String>,
    main: Option<PathBuf>,
}

/// Builds the app of the folder.
pub(super) async fn build(job: &Job<'_>) -> Result<Made, BuildError> {
    let folder = &job.order.folder;
    let own = package(folder)?.unwrap_or_default();
    let entry = entry(job, &own)?;
    let node = node().await?;
    let [componentize, esbuild] = [
        ("@bytecodealliance/componentize-js", "makes components of JavaScript apps"),
        ("esbuild", "puts an app's modules together"),
    ]
    .map(|(name, purpose)| installed(folder, name).ok_or_else(|| missing(name, purpose)));
    let (componentize, esbuild) = (componentize?, esbuild?);
    let version = package(&componentize)?.and_then(|package| package.version).unwrap_or_default();
    if !version.starts_with(WANTED) {
        job.progress.note(&format!(
            "warning: ComponentizeJS is {version}, and this wasgi is made for {WANTED}x; if the build fails, run `npm install --save-dev @bytecodealliance/componentize-js@{WANTED}x`"
        ));
    }
    let settings = lay_out(job, &entry, (&componentize, &esbuild))?;
    job.progress.step(&format!("ComponentizeJS {version}: bundling {} and running its modules", entry.display()));
    let mut command = tool::clean_command(&node);
    command.arg(job.scratch.join("build.mjs")).arg(&settings).current_dir(folder);
    command.env("TMPDIR", job.temporary()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mend = format!("look in {} for a loop at module level", entry.display());
    let ended = tool::run(&mut command, job.order.time_max.unwrap_or(TIME_MAX), &mend).await?;
    judge(job, (&entry, report::read(&job.scratch.join("report.json"))), &ended)?;
    let mut asks = job.manifest.asks();
    asks.built_by.push(Tool { name: "componentize-js".into(), version });
    Ok(Made {
        component: job.scratch.join("app.wasm"),
        files: job.manifest.bundle.sources(folder).into_iter().collect(),
        staged: PathBuf::new(),
        asks,
        name: job.manifest.name.clone().or_else(|| file_name(own.name?)).unwrap_or_else(|| "app".into()),
    })
}

/// A package's name without its scope, if it can be that of a file.
fn file_name(package: String) -> Option<String> {
    let name = package.rsplit('/').next()?;
    (!name.is_empty() && !name.starts_with('.') && !name.contains(['\\', '\0'])).then(|| name.to_owned())
}

/// The package.json of a folder, if there is one.
fn package(folder: &Path) -> Result<Option<Package>, BuildError> {
    let path = folder.join("package.json");
    let Ok(there) = fs::metadata(&path) else { return Ok(None) };
    let wrong = |reason: &str| BuildError::App(format!("{}: {reason}; correct it", path.display()));
    if !there.is_file() || there.len() > PACKAGE_MAX {
        return Err(wrong("it is no file of at most 1 MiB"));
    }
    let bytes = fs::read(&path).map_err(BuildError::file("read", &path))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| wrong(&error.to_string()))
}

/// The app's module, relative to its folder.
fn entry(job: &Job<'_>, own: &Package) -> Result<PathBuf, BuildError> {
    let folder = &job.order.folder;
    let named = job.manifest.build.entry.clone().or_else(|| own.main.clone());
    if let Some(entry) = named {
        return if folder.join(&entry).is_file() {
            Ok(entry)
        } else {
            Err(BuildError::App(format!(
                "{} is not there, which is to be the app's module; correct `entry` under [build] in wasgi.toml, or `main` in package.json",
                folder.join(&entry).display()
            )))
        };
    }
    ENTRIES.iter().map(PathBuf::from).find(|entry| folder.join(entry).is_file()).ok_or_else(|| {
        BuildError::App(format!(
            "{} has no {}; name the app's module with `entry` under [build] in wasgi.toml, or `main` in package.json",
            folder.display(),
            ENTRIES.join(", ")
        ))
    })
}

/// A Node that is new enough.
async fn node() -> Result<PathBuf, BuildError> {
    let mend = format!("install Node.js {NODE_MIN} or later");
    let missing = |name| ToolError::Missing { name, purpose: "runs the tools for JavaScript", mend: mend.clone() };
    let node = tool::find("node", []).ok_or_else(|| missing("node"))?;
    let mut command = tool::clean_command(&node);
    command.arg("--version").stdout(Stdio::piped());
    let said = tool::succeed(&mut command, ANSWER_TIME_MAX, "install it anew").await?;
    if major(&said).is_some_and(|major| major < NODE_MIN) {
        return Err(missing("a Node.js that is new enough").into());
    }
    Ok(node)
}

/// `v20.20.2` is 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The folder of a package, where Node would find it from the app's: `node_modules` there and above, then NODE_PATH.
fn installed(folder: &Path, name: &str) -> Option<PathBuf> {
    let above = folder.ancestors().map(|folder| folder.join("node_modules"));
    let path = std::env::var_os("NODE_PATH").unwrap_or_default();
    let named = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    above.chain(named).map(|folder| folder.join(name)).find(|folder| folder.join("package.json").is_file())
}

fn missing(name: &'static str, purpose: &'static str) -> ToolError {
    let mend =
        format!("run `npm install --save-dev @bytecodealliance/componentize-js@{WANTED}x esbuild` in the app's folder");
    ToolError::Missing { name, purpose, mend }
}

/// Writes what the tools work on; returns the settings of `build.mjs`.
fn lay_out(job: &Job<'_>, entry: &Path, (componentize, esbuild): (&Path, &Path)) -> Result<PathBuf, BuildError> {
    let scratch = job.scratch;
    let (stage, wit) = (scratch.join("stage"), scratch.join("wit"));
    sources::write_all(&JAVASCRIPT_SDK, &stage.join("wasgi"))?;
    sources::write_all(&WIT, &wit)?;
    let write = |path: PathBuf, text: &str| fs::write(&path, text).map_err(BuildError::file("write", &path));
    write(wit.join("js.wit"), JAVASCRIPT_WORLD)?;
    write(scratch.join("build.mjs"), JAVASCRIPT_BUILD)?;
    let settings = scratch.join("settings.json");
    let text = json!({
        "folder": job.order.folder,
        "entry": entry,
        "componentize": componentize,
        "esbuild": esbuild,
        "stage": stage,
        "wit": wit,
        "component": scratch.join("app.wasm"),
        "report": scratch.join("report.json"),
    });
    write(settings.clone(), &text.to_string())?;
    Ok(settings)
}

/// Passes on what the tools and the app said; what failed is told by its own words.
fn judge(job: &Job<'_>, (entry, report): (&Path, Option<Report>), ended: &Ended) -> Result<(), BuildError> {
    let printed = Report { output: format!("{}{}", ended.stdout, ended.stderr), ..report.clone().unwrap_or_default() };
    for note in printed.notes() {
        job.progress.note(&note);
    }
    match report {
        Some(Report { error: Some(error), .. }) => Err(BuildError::App(report::shortened(error.trim_end()))),
        Some(_) if ended.status.success() => Ok(()),
        _ => {
            let (entry, status) = (entry.display(), ended.status);
            Err(BuildError::App(format!("ComponentizeJS failed on {entry} ({status}); what it printed is above")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_where_node_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("apps/mine");
        let package = folder.path().join("node_modules/@scope/tool");
        fs::create_dir_all(&app).unwrap();
        fs::create_dir_all(&package).unwrap();
        assert_eq!(installed(&app, "@scope/tool"), None, "a folder alone is no package");
        fs::write(package.join("package.json"), "{}").unwrap();
        assert_eq!(installed(&app, "@scope/tool"), Some(package));
    }

    #[test]
    fn a_scope_is_no_part_of_a_files_name() {
        assert_eq!(file_name("@me/shop".into()).as_deref(), Some("shop"));
        assert_eq!(file_name("shop".into()).as_deref(), Some("shop"));
        assert_eq!(file_name("..".into()), None);
        assert_eq!(file_name("@me/".into()), None);
    }

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20"), None);
    }

    #[test]
    fn a_package_json_that_is_none_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(package(folder.path()).unwrap().is_none());
        fs::write(folder.path().join("package.json"), "{").unwrap();
        let told = package(folder.path()).unwrap_err().to_string();
        assert!(told.contains("package.json") && told.contains("line 1"), "{told}");
    }
}
