//! Rust apps: cargo, for wasm32-wasip2.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::{BuildError, Job, Made, ToolError, tool};
use crate::bundle::asks::Tool;

const TARGET: &str = "wasm32-wasip2";

/// A cold build with all of its dependencies, on a slow machine.
const TIME_MAX: Duration = Duration::from_hours(1);

/// A question that a tool answers at once.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

const MEND: &str = "look for what it waits for by running it yourself";

/// Builds the package of the folder.
pub(super) async fn build(job: &Job<'_>) -> Result<Made, BuildError> {
    let folder = &job.order.folder;
    let mut cargo = toolchain(folder).await?;
    job.progress.step(&format!("cargo build --release --target {TARGET}"));
    let options = &job.manifest.build;
    cargo.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    if let Some(package) = &options.package {
        cargo.args(["--package", package]);
    }
    if !options.features.is_empty() {
        cargo.args(["--features", &options.features.join(",")]);
    }
    // Cargo's own progress and errors are the author's to read.
    cargo.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let said = tool::succeed(&mut cargo, job.order.time_max.unwrap_or(TIME_MAX), MEND).await?;
    let (name, component) = component(&said)?;
    let mut asks = job.manifest.asks();
    asks.built_by.push(Tool { name: "cargo".into(), version: version(folder).await? });
    Ok(Made {
        component,
        files: job.manifest.bundle.sources(folder).into_iter().collect(),
        staged: PathBuf::new(),
        asks,
        name: job.manifest.name.clone().unwrap_or(name),
    })
}

/// The one component among what cargo says it built.
fn component(said: &str) -> Result<(String, PathBuf), BuildError> {
    let mut found: Vec<(String, PathBuf)> = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let files = message["filenames"].as_array()?;
            let file = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
            Some((message["target"]["name"].as_str()?.replace('_', "-"), PathBuf::from(file)))
        })
        .collect();
    match (found.pop(), found.pop()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(BuildError::App(
            "cargo made no .wasm file: an app is a library; set `crate-type = [\"cdylib\"]` under [lib] in Cargo.toml"
                .into(),
        )),
        (Some((one, _)), Some((other, _))) => Err(BuildError::App(format!(
            "cargo made several components, {other} and {one} among them; name one with `package` under [build] in wasgi.toml"
        ))),
    }
}

/// A cargo that can build for wasm: the author's own, or Debian's.
async fn toolchain(folder: &Path) -> Result<Command, BuildError> {
    let missing = |name, purpose, mend: &str| ToolError::Missing { name, purpose, mend: mend.to_owned() };
    let Some(cargo) = tool::find("cargo", cargo_home()) else {
        return Err(missing(
            "cargo",
            "builds Rust apps",
            "install Rust with rustup, or on Debian the packages rustc-web and cargo-web",
        )
        .into());
    };
    if has_target(folder).await {
        return Ok(Command::new(cargo));
    }
    if let Some(command) = debian(folder).await {
        return Ok(command);
    }
    Err(missing(
        "Rust's standard library for wasm32-wasip2",
        "is what apps are built with",
        "run `rustup target add wasm32-wasip2`, or on Debian, as root, `apt-get install rustc-web cargo-web rust-web-src wasi-libc`",
    )
    .into())
}

fn cargo_home() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).map(|home| home.join("bin"))
}

async fn has_target(folder: &Path) -> bool {
    let libraries = rustc(folder, &["--print", "target-libdir", "--target", TARGET]).await;
    libraries.is_some_and(|libraries| Path::new(&libraries).is_dir())
}

async fn rustc(folder: &Path, arguments: &[&str]) -> Option<String> {
    let rustc = tool::find("rustc", cargo_home())?;
    let mut command = Command::new(rustc);
    command.args(arguments).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null());
    tool::succeed(&mut command, ANSWER_TIME_MAX, MEND).await.ok().map(|said| said.trim().to_owned())
}

async fn version(folder: &Path) -> Result<String, BuildError> {
    Ok(rustc(folder, &["--version"])
        .await
        .and_then(|said| Some(said.split(' ').nth(1)?.to_owned()))
        .unwrap_or_default())
}

/// Debian's packages have a newer Rust and the source of its library, but no linkers for components; any toolchain of
/// rustup has those.
async fn debian(folder: &Path) -> Option<Command> {
    let files = [
        "/usr/bin/cargo",
        "/usr/bin/rustc",
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "/usr/lib/wasm32-wasi/libc.a",
    ];
    if !files.iter().all(|file| Path::new(file).exists()) {
        return None;
    }
    let host = rustc(folder, &["--print", "host-tuple"]).await?;
    let sysroot = rustc(folder, &["--print", "sysroot"]).await?;
    let linkers = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin");
    if !linkers.join("wasm-component-ld").exists() {
        return None;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [PathBuf::from("/usr/bin"), linkers.clone(), linkers.join("gcc-ld")];
    let path = env::join_paths(folders.into_iter().chain(env::split_paths(&path))).ok()?;
    let mut command = Command::new("/usr/bin/cargo");
    command
        .env("PATH", path)
        .env("RUSTC", "/usr/bin/rustc")
        // For -Zbuild-std; Debian's compiler is a stable one.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
        .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-Lnative=/usr/lib/wasm32-wasi");
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTIFACT: &str =
        r#"{"reason":"compiler-artifact","target":{"name":"my_site"},"filenames":["/t/my_site.wasm"]}"#;

    #[test]
    fn the_component_is_what_cargo_says_it_built() {
        let said = format!(
            "{}\n{ARTIFACT}\n{}\n",
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"filenames":["/t/libserde.rlib"]}"#,
            r#"{"reason":"build-finished","success":true}"#
        );
        assert_eq!(component(&said).unwrap(), ("my-site".to_owned(), PathBuf::from("/t/my_site.wasm")));
    }

    #[test]
    fn none_and_several_are_told_with_their_mend() {
        assert!(component("").unwrap_err().to_string().contains("cdylib"));
        let told = component(&format!("{ARTIFACT}\n{ARTIFACT}")).unwrap_err().to_string();
        assert!(told.contains("`package`"), "{told}");
    }
}
