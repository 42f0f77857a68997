//! What was measured on, and with what.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::lab::Lab;

/// The machine and the versions of all that has a part in a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
    /// `name version`, one each.
    versions: Vec<String>,
}

/// How each program tells its version.
const VERSIONS: [(&str, &str); 8] = [
    ("wasmtime", "--version"),
    ("nginx", "-v"),
    ("gunicorn", "--version"),
    ("uwsgi", "--version"),
    ("granian", "--version"),
    ("wrk", "-v"),
    ("python3", "--version"),
    ("cc", "--version"),
];

impl Machine {
    pub(crate) fn find(lab: &Lab) -> Self {
        let mut versions = vec![told(&lab.host(), "--version").unwrap_or_default(), commit().unwrap_or_default()];
        versions.extend(told(Path::new("rustc"), "--version"));
        let tools = VERSIONS.iter().filter_map(|&(name, flag)| Some((name, told(&lab.tool(name).ok()?, flag)?)));
        versions.extend(tools.map(|(name, said)| version(name, &said)));
        versions.retain(|version| !version.is_empty());
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: field("/proc/meminfo", "MemTotal").unwrap_or_default(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            versions,
        }
    }

    /// A list in Markdown.
    pub(crate) fn text(&self) -> String {
        let Self { cpu, cores, memory, kernel, versions } = self;
        let mut text = format!("- {cores} cores of {cpu}, {memory} of memory, Linux {kernel}\n");
        for version in versions {
            text.push_str(&format!("- {version}\n"));
        }
        text
    }
}

/// What was checked out, and whether there is more to it.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(format!("commit {commit}{}", if changed.is_empty() { "" } else { ", with changes" }))
}

/// The first line of what a program says, on whichever output.
fn told(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
}

/// Such as `nginx 1.22.1` from `nginx version: nginx/1.22.1`.
fn version(name: &str, said: &str) -> String {
    let mut words = said.split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-'));
    let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    format!("{name} {}", number.unwrap_or("of an unknown version"))
}

/// `key : value` in a file of /proc.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(version("nginx", "nginx version: nginx/1.22.1"), "nginx 1.22.1");
        assert_eq!(version("gunicorn", "gunicorn (version 23.0.0)"), "gunicorn 23.0.0");
        assert_eq!(version("uwsgi", "2.0.31"), "uwsgi 2.0.31");
        assert_eq!(version("wrk", "wrk debian/4.1.0-3+b2 [epoll]"), "wrk 4.1.0-3");
        assert_eq!(version("cc", "cc (Debian 12.2.0-14+deb12u1) 12.2.0"), "cc 12.2.0-14");
        assert_eq!(version("odd", "no number here"), "odd of an unknown version");
    }
}
