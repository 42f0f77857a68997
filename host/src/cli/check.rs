//! `wasgi check`: what a component is, and whether it would be served.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::flags::AppFlags;
use super::{CliError, LINE_MAX, block_on, compiler, start_log};
use crate::config::Config;
use crate::host::{Host, Setting};
use crate::limits::Size;
use crate::sandbox::prepare::Report;
use crate::telemetry::{AccessLog, LogFormat};
use crate::text::printable;

/// Tells what a component exports, imports and needs, or why it is not served
///
/// Checks, initialises and compiles it as `serve` would, under the same limits and grants.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The component
    #[arg(value_name = "APP.wasm")]
    component: PathBuf,
    #[command(flatten)]
    app: AppFlags,
}

impl Check {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let _log = start_log(LogFormat::Text, "warn,wasgi::guest=info")?;
        let config = Config::from_path(&self.component, self.app.into_flags())?;
        let setting = Setting { compiler: compiler(), access_log: AccessLog::off(), dev: false };
        let host = block_on(async { Ok(Host::load(&config, setting).await?) })?;
        for (app, loaded) in config.apps.iter().zip(host.apps().all()) {
            // A reader that is gone wants no more of it.
            let component = printable(&app.component.display().to_string(), LINE_MAX);
            let _ = write!(io::stdout(), "{}", describe(&component, &loaded.artifact().report));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(component: &str, report: &Report) -> String {
    let needs = report.needs;
    let initialize = match report.initialized {
        true => "run once; its snapshot serves",
        false => "not exported",
    };
    format!(
        "{component}: an app of wasgi:gateway@0.1.0; it would be served\n\
         exports:    {}\n\
         imports:    {}\n\
         needs:      {}, {}\n\
         initialize: {initialize}\n",
        lines(&report.exports),
        lines(&report.imports),
        many(needs.memories, "memory", "memories", &format!("{} at the start", Size::from_bytes(needs.initial_memory))),
        many(needs.tables, "table", "tables", &format!("{} elements", needs.table_elements)),
    )
}

fn lines(names: &[String]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join("\n            ") }
}

fn many(count: u32, one: &str, many: &str, largest: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one} ({largest})"),
        _ => format!("{count} {many} (the largest: {largest})"),
    }
}
