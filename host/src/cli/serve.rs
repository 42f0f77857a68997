//! `wasgi serve`: the server.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::flags::AppFlags;
use super::{CliError, LINE_MAX, block_on, compiler, raise_open_files, start_log};
use crate::access_log::Format;
use crate::config::{AccessLogTarget, Config, ListenAddr};
use crate::host::{Host, Setting};
use crate::limits::Span;
use crate::shutdown::{Drained, Signals};
use crate::telemetry::{AccessLog, LogFormat};
use crate::text::printable;

/// Serves one app, a directory of apps, or the apps of a host.toml
///
/// Prints `listening on ADDRESS` for each address when ready, then the access log. SIGTERM, SIGINT or
/// SIGHUP lets requests finish; a second one does not.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// A component, served at `/`, or a directory, each NAME.wasm of which is served at `/NAME`
    #[arg(value_name = "APP.wasm | DIR", conflicts_with = "config")]
    path: Option<PathBuf>,
    /// The configuration file, host.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen: HOST:PORT, or unix:PATH; may be repeated [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<ListenAddr>,
    /// How long requests may go on after SIGTERM [default: 30s]
    #[arg(long, value_name = "DURATION")]
    grace: Option<Span>,
    /// Where the access log goes: a file, `-` for stdout, or `off` [default: -]
    #[arg(long, value_name = "FILE")]
    access_log: Option<AccessLogTarget>,
    /// What a line of it looks like, in Gunicorn's atoms such as %(h)s, or `json`
    #[arg(long, value_name = "FORMAT")]
    access_log_format: Option<Format>,
    /// What a line of the log on stderr looks like; WASGI_LOG filters it (default: info)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(flatten)]
    app: AppFlags,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        // Dropped last, so that the last lines are written.
        let _log = start_log(self.log_format, "info")?;
        let dev = self.app.dev;
        let mut flags = self.app.into_flags();
        flags.listen = self.listen;
        flags.grace = self.grace;
        flags.access_log = self.access_log;
        flags.access_log_format = self.access_log_format;
        let config = match (&self.config, &self.path) {
            (Some(file), _) => Config::from_file(file, flags)?,
            (None, Some(path)) => Config::from_path(path, flags)?,
            (None, None) => {
                let what =
                    "say what to serve: APP.wasm, a directory of apps, or --config FILE; see `wasgi serve --help`";
                return Err(CliError::Usage(what.into()));
            }
        };
        let (access_log, _lines) = AccessLog::open(&config.access_log, config.access_log_format.clone())
            .map_err(|error| CliError::AccessLog { path: config.access_log.to_string(), error })?;
        let setting = Setting { compiler: compiler(), access_log, dev };
        raise_open_files();
        block_on(serve(config, setting))
    }
}

async fn serve(config: Config, setting: Setting) -> Result<ExitCode, CliError> {
    let mut signals = Signals::catch().map_err(|error| CliError::System { what: "cannot catch signals", error })?;
    let host = tokio::select! {
        host = Host::load(&config, setting) => host?,
        // Nothing is served yet, so there is nothing to finish.
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    for name in host.listen(&config).await? {
        // Whoever started this may not read its output.
        let _ = writeln!(std::io::stdout(), "listening on {}", printable(&name, LINE_MAX));
    }
    signals.next().await;
    tracing::info!("draining; a second signal ends at once");
    match host.drain(config.grace.into(), signals.next()).await {
        Drained::Whole => tracing::info!("everything accepted was finished"),
        Drained::GraceOver(tasks) => tracing::warn!(tasks, "the grace period is over; what still runs is given up"),
        Drained::Hurried => tracing::warn!("a second signal; what still runs is given up"),
    }
    Ok(ExitCode::SUCCESS)
}
