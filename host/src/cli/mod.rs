//! The command line: one file per subcommand.

mod build;
mod check;
mod flags;
mod new;
mod request;
mod serve;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::build::new::NewError;
use crate::build::{BuildError, CopyError, ManifestError, ToolError};
use crate::bundle::pack::PackError;
use crate::bundle::store::StoreError;
use crate::bundle::unpack::UnpackError;
use crate::config::{ConfigError, Problem};
use crate::host::StartError;
use crate::sandbox::apps::LoadError;
use crate::sandbox::prepare::{self, PackageError, PrepareError, Refusal};
use crate::telemetry::{self, Flush, LogFormat};
use crate::text::printable;

/// The WebAssembly Server Gateway Interface: serves web applications from .wasm components, each
/// request in a sandbox of its own.
#[derive(Debug, Parser)]
#[command(name = "wasgi", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Build(Box<build::Build>),
    Serve(Box<serve::Serve>),
    Check(Box<check::Check>),
    Request(Box<request::Request>),
    /// Compiles a component for the wasgi that called it.
    #[command(name = prepare::SUBCOMMAND, hide = true)]
    PrepareComponent,
}

/// Why a command ends without having done its work. Its text is one line: the thing, the reason, the
/// mend.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    New(#[from] NewError),
    #[error(transparent)]
    Start(#[from] StartError),
    /// Arguments that clap cannot judge.
    #[error("{0}")]
    Usage(String),
    /// A file named on the command line cannot be read.
    #[error("cannot read {path}: {error}; check the path and who may read it")]
    Unreadable { path: String, error: io::Error },
    /// The access log's file cannot be opened.
    #[error("cannot open the access log {path}: {error}; name another file with --access-log, `-` for stdout or `off`")]
    AccessLog { path: String, error: io::Error },
    /// A signal has ended it.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// The operating system refuses what every run needs.
    #[error("{what}: {error}")]
    System { what: &'static str, error: io::Error },
}

/// Exit codes of sysexits.h.
mod exit {
    pub(super) const TRAP: u8 = 1;
    pub(super) const USAGE: u8 = 2;
    pub(super) const BAD_COMPONENT: u8 = 65;
    pub(super) const UNREADABLE: u8 = 66;
    pub(super) const UNAVAILABLE: u8 = 69;
    pub(super) const SOFTWARE: u8 = 70;
    pub(super) const OS: u8 = 71;
    pub(super) const CANNOT_CREATE: u8 = 73;
    pub(super) const BAD_CONFIG: u8 = 78;
    /// As shells have it for SIGINT.
    pub(super) const INTERRUPTED: u8 = 130;
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(error) => config_code(error),
            Self::Start(StartError::Bind(_)) => exit::UNAVAILABLE,
            Self::Start(StartError::Spool { .. } | StartError::Cache(_)) | Self::AccessLog { .. } => {
                exit::CANNOT_CREATE
            }
            Self::Start(StartError::Workshop(error) | StartError::Load(LoadError::Prepare { error, .. })) => {
                prepare_code(error)
            }
            Self::Start(StartError::Load(LoadError::Grant { .. } | LoadError::Mount { .. })) => exit::BAD_CONFIG,
            // It passes when the other ends.
            Self::Start(StartError::Load(LoadError::Claimed { .. })) => exit::UNAVAILABLE,
            Self::Start(StartError::Load(LoadError::Files { .. })) => exit::OS,
            Self::Start(StartError::Load(LoadError::Engine(_))) => exit::SOFTWARE,
            Self::Build(error) | Self::New(NewError::Write(error)) => build_code(error),
            Self::New(NewError::Name { .. }) => exit::USAGE,
            Self::New(NewError::Exists(_)) => exit::CANNOT_CREATE,
            Self::Usage(_) => exit::USAGE,
            Self::Interrupted => exit::INTERRUPTED,
            Self::Unreadable { .. } => exit::UNREADABLE,
            Self::System { .. } => exit::OS,
        }
    }
}

fn config_code(error: &ConfigError) -> u8 {
    match error {
        ConfigError::Unreadable { .. } => exit::UNREADABLE,
        ConfigError::Usage { .. } => exit::USAGE,
        ConfigError::Invalid { problem, .. } if matches!(**problem, Problem::EmptyDirectory) => exit::UNREADABLE,
        ConfigError::Invalid { .. } => exit::BAD_CONFIG,
    }
}

fn build_code(error: &BuildError) -> u8 {
    match error {
        BuildError::Manifest(ManifestError::Malformed { .. } | ManifestError::Asks { .. })
        | BuildError::Copy(CopyError::Pattern(_))
        | BuildError::Pack(PackError::Pattern(_)) => exit::BAD_CONFIG,
        BuildError::Name { .. } | BuildError::NoLanguage { .. } => exit::USAGE,
        BuildError::Manifest(_)
        | BuildError::Copy(CopyError::Read { .. } | CopyError::Copy { .. })
        | BuildError::Pack(PackError::Unreadable { .. })
        | BuildError::File { what: "read", .. } => exit::UNREADABLE,
        BuildError::Tool(ToolError::Missing { .. } | ToolError::Start { .. }) => exit::UNAVAILABLE,
        BuildError::Tool(ToolError::Failed { .. } | ToolError::TooLong { .. })
        | BuildError::App(_)
        | BuildError::Copy(_)
        | BuildError::Pack(_)
        | BuildError::Section { .. } => exit::BAD_COMPONENT,
        BuildError::File { .. } => exit::CANNOT_CREATE,
    }
}

fn prepare_code(error: &PrepareError) -> u8 {
    match error {
        PrepareError::Unreadable { .. } => exit::UNREADABLE,
        PrepareError::Refused { refusal: Refusal::Host(_), .. } | PrepareError::Engine(_) => exit::SOFTWARE,
        PrepareError::TooLarge { .. } | PrepareError::Refused { .. } | PrepareError::Child { .. } => {
            exit::BAD_COMPONENT
        }
        PrepareError::Package {
            error: PackageError::Bundle(StoreError::Folder { .. } | StoreError::Unpack(UnpackError::Write(_))),
            ..
        } => exit::CANNOT_CREATE,
        PrepareError::Package { .. } => exit::BAD_COMPONENT,
        PrepareError::Cache(_) => exit::CANNOT_CREATE,
    }
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = match cli.command {
        Command::PrepareComponent => return prepare::serve_parent(),
        Command::New(command) => command.run(),
        Command::Build(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Request(command) => command.run(),
    };
    done.unwrap_or_else(|error| {
        match &error {
            // With a traceback: the app's own words, in lines.
            CliError::Build(BuildError::App(text)) => format!("wasgi: {text}").lines().for_each(say),
            error => say(&format!("wasgi: {error}")),
        }
        ExitCode::from(error.exit_code())
    })
}

/// Longest message.
const LINE_MAX: usize = 16 * 1024;

/// One line on stderr, which may be closed.
fn say(line: &str) {
    // Names of files are in it, which may hold anything.
    let _ = writeln!(io::stderr(), "{}", printable(line, LINE_MAX));
}

/// clap's own report, on one line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help or version, which was asked for.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let report = error.render().to_string();
    let mut parts = report.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = parts.next().unwrap_or_default();
    let tip = parts.find(|part| part.starts_with("tip: ")).map(|tip| format!(" ({tip})")).unwrap_or_default();
    let command = std::env::args().nth(1).filter(|name| Cli::command().find_subcommand(name).is_some());
    let help = ["wasgi", command.as_deref().unwrap_or_default(), "--help"];
    let help = help.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match what.strip_prefix("error: ") {
        Some(what) => say(&format!("wasgi: {what}{tip}; see `{help}`")),
        None => say(&format!("wasgi: say what to do: new, build, serve, check or request; see `{help}`")),
    }
    ExitCode::from(exit::USAGE)
}

/// The log on stderr; hold what it returns to the end.
fn start_log(format: LogFormat, default_filter: &str) -> Result<Flush, CliError> {
    telemetry::start_log(format, default_filter)
        .map_err(|error| CliError::System { what: "cannot start the log", error })
}

/// Runs `work` on a runtime of its own, and leaves behind what is stuck there: a thread that waits for
/// a file that never answers must not keep the process from ending.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::System { what: "cannot start the runtime", error })?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// Lets this process open as many files as it may: the limit that most are started with is for programs
/// that could not do with more.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // What it cannot have it goes without; too few for its apps is an error of its own.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// This binary, as the compile child. By the link of the kernel, which leads to the running program
/// even if its file was replaced by an upgrade.
fn compiler() -> prepare::Compiler {
    prepare::Compiler::Child("/proc/self/exe".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
