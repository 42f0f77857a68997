use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::environ::Endpoint;
use crate::limits::Size;

mod command_line;
mod file;
mod values;

/// A directory with these files, empty ones.
fn dir_with(files: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for file in files {
        fs::write(dir.path().join(file), "").unwrap();
    }
    dir
}

/// The configuration of a host.toml of this text, and where it lay.
fn loaded(text: &str, flags: Flags) -> (Result<Config, ConfigError>, TempDir) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("host.toml");
    fs::write(&file, text).unwrap();
    (Config::from_file(&file, flags), dir)
}

#[track_caller]
pub(super) fn config(text: &str) -> Config {
    loaded(text, Flags::default()).0.unwrap()
}

/// The message of the error in a host.toml of this text, without the directory.
#[track_caller]
pub(super) fn refused(text: &str) -> String {
    let (result, dir) = loaded(text, Flags::default());
    let message = result.expect_err("must be refused").to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    message.replace(&format!("{}/", dir.path().display()), "")
}
