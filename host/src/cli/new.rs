//! `wasgi new`: the beginning of an app.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{CliError, LINE_MAX};
use crate::build::new::{self, Kind};
use crate::text::printable;

/// Begins an app: a folder with a small one that builds and answers at once, and its test
#[derive(Debug, Args)]
pub(super) struct New {
    /// What it is written in, and with which framework
    #[arg(long, value_name = "LANG")]
    lang: Kind,
    /// What it is called; so is its folder
    #[arg(value_name = "NAME")]
    name: String,
    /// Where its folder is made
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

impl New {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let made = new::create(&self.folder, &self.name, self.lang)?;
        let shown = made.strip_prefix(Path::new(".")).unwrap_or(&made);
        let shown = printable(&shown.display().to_string(), LINE_MAX);
        // A reader that is gone wants no more of it.
        let _ = writeln!(
            io::stdout(),
            "made {shown}; build and serve it:\n  cd {shown}\n  wasgi build\n  wasgi serve {}.wasm",
            self.name
        );
        Ok(ExitCode::SUCCESS)
    }
}
