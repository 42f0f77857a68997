//! Runs the tools that make components, which are not ours.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use humantime::format_duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// What a tool may print on either stream before the rest is dropped: a long traceback is a tenth of it.
const OUTPUT_MAX: usize = 4 << 20;

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not on this machine.
    #[error("{name} is not there, which {purpose}; {mend}")]
    Missing {
        /// Its name.
        name: &'static str,
        /// What it is for.
        purpose: &'static str,
        /// How to get it.
        mend: String,
    },
    /// It cannot be started.
    #[error("cannot start {path}: {error}; check that it is whole and may be run")]
    Start {
        /// Its file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// It ended with an error, which was passed on.
    #[error("{name} failed ({status}); what it printed is above")]
    Failed {
        /// Its name.
        name: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took too long.
    #[error("{name} took longer than {} and was stopped; {mend}, or give it more time with --time-max", format_duration(*limit))]
    TooLong {
        /// Its name.
        name: String,
        /// How long it may take.
        limit: Duration,
        /// What to look for.
        mend: String,
    },
}

/// How a tool ended, and what it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs `command` to its end; at `limit` it is killed. What it prints is collected, or left to the terminal where
/// the command says so.
pub(super) async fn run(command: &mut Command, limit: Duration, mend: &str) -> Result<Ended, ToolError> {
    let path = PathBuf::from(command.as_std().get_program());
    let start = |error| ToolError::Start { path: path.clone(), error };
    let mut child = command.stdin(Stdio::null()).kill_on_drop(true).spawn().map_err(start)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(child.wait(), collect(out), collect(err)) };
    let Ok((status, stdout, stderr)) = tokio::time::timeout(limit, all).await else {
        // Until it is gone it may write into folders that are about to be removed. One that is gone already is as well.
        let _ = child.kill().await;
        return Err(ToolError::TooLong { name: name_of(command), limit, mend: mend.to_owned() });
    };
    let status = status.map_err(start)?;
    Ok(Ended { status, stdout, stderr })
}

/// The same, for a tool that must end well.
pub(super) async fn succeed(command: &mut Command, limit: Duration, mend: &str) -> Result<String, ToolError> {
    let ended = run(command, limit, mend).await?;
    if ended.status.success() {
        Ok(ended.stdout)
    } else {
        Err(ToolError::Failed { name: name_of(command), status: ended.status })
    }
}

fn name_of(command: &Command) -> String {
    let program = command.as_std().get_program();
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}

/// All that is printed, up to a limit; the rest is read and dropped, so that the tool goes on.
async fn collect(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = OUTPUT_MAX.saturating_sub(text.len());
        text.extend_from_slice(&buffer[..count.min(room)]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The first of these folders, then of PATH, that has a program of this name.
pub(super) fn find(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}

/// A command that sees of the environment only what every program needs, and what it is given here.
pub(super) fn clean_command(program: impl AsRef<OsStr>) -> Command {
    const KEPT: [&str; 12] = [
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "USER",
        "XDG_CACHE_HOME",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
    ];
    let mut command = Command::new(program);
    command.env_clear();
    let kept: Vec<(&str, OsString)> =
        KEPT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
    command.envs(kept);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_tool_says_is_collected_and_how_it_ends_is_told() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = run(&mut command, Duration::from_secs(60), "").await.unwrap();
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(ended.status.code(), Some(3));
        let told = succeed(&mut command, Duration::from_secs(60), "").await.unwrap_err().to_string();
        assert!(told.starts_with("sh failed (exit status: 3)"), "{told}");
    }

    #[tokio::test]
    async fn a_tool_that_does_not_end_is_stopped() {
        let mut command = Command::new("/bin/sleep");
        let told = run(command.arg("1000"), Duration::from_millis(1), "look for a loop").await.unwrap_err().to_string();
        assert!(told.contains("sleep took longer than 1ms") && told.contains("look for a loop, or"), "{told}");
    }

    #[tokio::test]
    async fn a_tool_that_prints_without_end_is_read_and_cut() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "head -c 6000000 /dev/zero"]).stdout(Stdio::piped());
        let ended = run(&mut command, Duration::from_secs(60), "").await.unwrap();
        assert!(ended.status.success());
        assert_eq!(ended.stdout.len(), OUTPUT_MAX);
    }

    #[test]
    fn a_tool_that_is_not_there_is_not_found() {
        assert!(find("no-such-tool-of-wasgi", []).is_none());
        assert_eq!(find("sh", ["/bin".into()]), Some("/bin/sh".into()));
    }
}
