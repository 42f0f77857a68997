//! `wasgi build`: from an app's source to one `.wasm`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, LINE_MAX, block_on};
use crate::build::{self, Order, Progress};
use crate::bundle::MOUNT;
use crate::limits::Span;
use crate::shutdown::Signals;
use crate::text::printable;

/// Builds an app: one .wasm file with its code, its files and what it asks for
///
/// What it is written in is told by [build] in the folder's wasgi.toml, or by MODULE:CALLABLE (Python), or by a Cargo.toml
/// (Rust) or a package.json (JavaScript), or .c files. Runs that language's own tools, and the app's code at module level: build only what you would run.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// A Python app, such as mysite.wsgi:application; `module:factory()` calls a factory
    #[arg(value_name = "MODULE:CALLABLE")]
    app: Option<String>,
    /// The file to write [default: the app's name with .wasm]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The folder of the app's source
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// How long the tool that makes the component may take, and the app's code that it runs [default: 5m, 30m for C, 1h for Rust]
    #[arg(long, value_name = "TIME")]
    time_max: Option<Span>,
}

impl Build {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let told = Told::new();
        let time_max = self.time_max.map(Span::duration);
        let order = Order { folder: self.folder, app: self.app, output: self.output, time_max };
        let built = block_on(async {
            let mut signals =
                Signals::catch().map_err(|error| CliError::System { what: "cannot catch signals", error })?;
            tokio::select! {
                built = build::build(&order, &told) => Ok(built?),
                // The tool is ended and the folder it worked in removed when the build is dropped.
                () = signals.next() => Err(CliError::Interrupted),
            }
        });
        told.finish();
        let built = built?;
        let bundle = match built.bundled {
            0 => String::new(),
            bytes => format!(", files {}", ByteSize::b(bytes).display().iec()),
        };
        let (path, size) = (printable(&built.path.display().to_string(), LINE_MAX), ByteSize::b(built.size));
        // A reader that is gone wants no more of it.
        let _ = writeln!(
            io::stdout(),
            "built {path} ({}{bundle}); serve it with `wasgi serve {path}{}`",
            size.display().iec(),
            grants(&built.dirs, &order.folder)
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Flags that grant these directories: those in the bundle are found in the source folder, as the author has them.
fn grants(dirs: &[String], folder: &Path) -> String {
    let flag = |dir: &String| {
        let host = match dir.strip_prefix(MOUNT) {
            Some("") => folder.display().to_string(),
            Some(inside) if inside.starts_with('/') => format!("{}{inside}", folder.display()),
            _ => "HOST".to_owned(),
        };
        printable(&format!(" --dir {host}:{dir}"), LINE_MAX)
    };
    dirs.iter().map(flag).collect()
}

/// A line that moves on a terminal, and a line for each step elsewhere.
struct Told {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Told {
    fn new() -> Self {
        let is_terminal = io::stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, is_terminal }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Told {
    fn step(&self, what: &str) {
        let what = printable(what, LINE_MAX);
        if self.is_terminal {
            self.bar.set_message(what);
        } else {
            let _ = writeln!(io::stderr(), "wasgi: {what}");
        }
    }

    fn note(&self, text: &str) {
        self.bar.suspend(|| {
            for line in text.lines() {
                let _ = writeln!(io::stderr(), "{}", printable(line, LINE_MAX));
            }
        });
    }
}
