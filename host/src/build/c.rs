//! C apps: clang, for WASI 0.1 as a library that is called, then the wrapping into a component, which is done here.
//!
//! What the SDK declares is checked against the contract at that: a function of another type is no component.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use walkdir::WalkDir;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::sources::{self, C_SDK, WIT};
use super::{BuildError, Job, Made, ToolError, tool};
use crate::bundle::asks::Tool;

/// A large program on a slow machine.
const TIME_MAX: Duration = Duration::from_mins(30);

const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

const MEND: &str = "look for what it waits for by running it yourself";

/// Source files of one app; more belong into a library.
const SOURCES_MAX: usize = 1000;

/// What Debian's clang needs beside itself: headers, a C library, and what its compiler calls.
const DEBIAN: [&str; 2] = ["/usr/include/wasm32-wasi/stdio.h", "/usr/lib/wasm32-wasi/libc.a"];

/// Whether there is C at the top of a folder, or of its `src`.
pub(super) fn is_there(folder: &Path) -> bool {
    sources_in(folder, 1).next().is_some() || sources_in(&folder.join("src"), 1).next().is_some()
}

/// Builds the app of the folder.
pub(super) async fn build(job: &Job<'_>) -> Result<Made, BuildError> {
    let folder = &job.order.folder;
    let files = app_sources(folder)?;
    let clang = Clang::found()?;
    let version = clang.version().await?;
    let sdk = job.scratch.join("sdk");
    sources::write_all(&C_SDK, &sdk)?;
    let core = job.scratch.join("core.wasm");
    job.progress.step(&format!("clang {version}: {} files for wasm32-wasi", files.len()));
    let mut command = clang.command();
    command.args(["-O2", "-Wall", "-mexec-model=reactor", "-fvisibility=hidden", "-I"]).arg(&sdk);
    // Files are named from the app's folder in what the compiler says.
    command.current_dir(folder).args(["-I", ".", "-I", "include"]).args(&job.manifest.build.flags);
    command.args(&files).arg(sdk.join("wasgi.c")).arg("-o").arg(&core);
    command.env("TMPDIR", job.temporary()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    tool::succeed(&mut command, job.order.time_max.unwrap_or(TIME_MAX), MEND).await?;
    let module = fs::read(&core).map_err(BuildError::file("read", &core))?;
    let component = job.scratch.join("app.wasm");
    let wrapped = wrapped(module).map_err(|error| {
        BuildError::App(format!(
            "what clang made is no app: {error}; it must define `void wasgi_application(wasgi_request *)`, and import nothing but WASI and the SDK"
        ))
    })?;
    fs::write(&component, wrapped).map_err(BuildError::file("write", &component))?;
    let mut asks = job.manifest.asks();
    asks.built_by.push(Tool { name: "clang".into(), version });
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Made {
        component,
        files: job.manifest.bundle.sources(folder).into_iter().collect(),
        staged: PathBuf::new(),
        asks,
        name: job.manifest.name.clone().or(name).unwrap_or_else(|| "app".into()),
    })
}

/// The `.c` files of a folder, this many levels down, by their paths; tools' own folders are left out.
fn sources_in(folder: &Path, depth: usize) -> impl Iterator<Item = PathBuf> + use<> {
    let files = WalkDir::new(folder).max_depth(depth).sort_by_file_name().into_iter().filter_map(Result::ok);
    files
        .filter(|entry| entry.file_type().is_file() && entry.path().extension().is_some_and(|name| name == "c"))
        .map(walkdir::DirEntry::into_path)
}

/// The app's own: at the top of its folder, and all in `src`; relative to it.
fn app_sources(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let all = sources_in(folder, 1).chain(sources_in(&folder.join("src"), 32));
    let files: Vec<PathBuf> =
        all.filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_owned())).take(SOURCES_MAX + 1).collect();
    match files.len() {
        0 => Err(BuildError::App(format!(
            "{} has no .c files, and neither has its folder src; put the app's there",
            folder.display()
        ))),
        1..=SOURCES_MAX => Ok(files),
        _ => Err(BuildError::App(format!(
            "{} has over {SOURCES_MAX} .c files; make a library of what is not the app's own",
            folder.display()
        ))),
    }
}

/// A clang with a C library for WASI.
#[derive(Debug)]
struct Clang {
    path: PathBuf,
    /// wasi-sdk brings its own headers and knows its target's name.
    is_sdk: bool,
}

impl Clang {
    fn found() -> Result<Self, BuildError> {
        let missing = |name, purpose| {
            ToolError::Missing {
            name,
            purpose,
            mend: "on Debian, as root, run `apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32`, or unpack wasi-sdk and set WASI_SDK_PATH to its folder".into(),
        }
        };
        if let Some(sdk) = env::var_os("WASI_SDK_PATH").map(PathBuf::from) {
            let path = sdk.join("bin/clang");
            return if path.is_file() {
                Ok(Self { path, is_sdk: true })
            } else {
                Err(missing("the clang of WASI_SDK_PATH", "builds C apps").into())
            };
        }
        let path = ["clang", "clang-14"].iter().find_map(|name| tool::find(name, []));
        let path = path.ok_or_else(|| missing("clang", "builds C apps"))?;
        if !DEBIAN.iter().all(|file| Path::new(file).is_file()) {
            return Err(missing("a C library for wasm32-wasi", "is what apps are built with").into());
        }
        Ok(Self { path, is_sdk: false })
    }

    fn command(&self) -> Command {
        let mut command = tool::clean_command(&self.path);
        if self.is_sdk {
            command.arg("--target=wasm32-wasip1");
        } else {
            command.args(["--target=wasm32-wasi", "-isystem", "/usr/include/wasm32-wasi"]);
        }
        command
    }

    async fn version(&self) -> Result<String, BuildError> {
        let mut command = tool::clean_command(&self.path);
        command.arg("-dumpversion").stdout(Stdio::piped());
        Ok(tool::succeed(&mut command, ANSWER_TIME_MAX, "install it anew").await?.trim().to_owned())
    }
}

/// The component of a core module that the SDK is in, or why there is none.
fn wrapped(mut module: Vec<u8>) -> Result<Vec<u8>, String> {
    let world = if exports(&module, "initialize") { "snapshot-app" } else { "app" };
    let contract = WIT.get_file("gateway.wit").and_then(|file| file.contents_utf8()).unwrap_or_default();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("gateway.wit", contract).map_err(told)?;
    let world = resolve.select_world(&[package], Some(world)).map_err(told)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(told)?;
    let encoder = ComponentEncoder::default().validate(true).module(&module).map_err(told)?;
    let adapter = (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    encoder.adapter(adapter.0, adapter.1).map_err(told)?.encode().map_err(told)
}

/// An error with its causes.
fn told(error: impl std::fmt::Display) -> String {
    format!("{error:#}").replace('\n', " ")
}

fn exports(module: &[u8], name: &str) -> bool {
    Parser::new(0).parse_all(module).filter_map(Result::ok).any(|payload| match payload {
        Payload::ExportSection(section) => section.into_iter().filter_map(Result::ok).any(|export| export.name == name),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_sources_are_at_its_top_and_all_in_src() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_there(folder.path()));
        assert!(app_sources(folder.path()).unwrap_err().to_string().contains("no .c files"));
        for name in ["main.c", "src/b/deep.c", "src/a.c", "other/not.c", "src/a.h"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert!(is_there(folder.path()));
        let found = app_sources(folder.path()).unwrap();
        assert_eq!(found, ["main.c", "src/a.c", "src/b/deep.c"].map(PathBuf::from));
    }

    #[test]
    fn what_is_no_app_is_told() {
        let empty = wat::parse_str("(module)").unwrap();
        let told = wrapped(empty).unwrap_err();
        assert!(told.contains("application"), "{told}");
    }
}
