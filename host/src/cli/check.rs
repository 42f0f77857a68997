//! `wasgi check`: what a component is, and whether it would be served.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::flags::AppFlags;
use super::{CliError, LINE_MAX, block_on, compiler, start_log};
use crate::bundle::asks::Missing;
use crate::config::Config;
use crate::host::{Host, Setting};
use crate::limits::Size;
use crate::sandbox::app::App;
use crate::sandbox::prepare::Report;
use crate::telemetry::{AccessLog, LogFormat};
use crate::text::printable;

/// Tells what a component exports, imports, needs, brings along and asks for, or why it is not served
///
/// Checks, initialises and compiles it as `serve` would, under the same limits and grants.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The component
    #[arg(value_name = "APP.wasm")]
    component: PathBuf,
    /// Lists all files of its bundle
    #[arg(long)]
    files: bool,
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
            let report = describe(&component, &loaded.artifact().report);
            let (files, asks) = (files(loaded, self.files), asks(loaded));
            let _ = write!(io::stdout(), "{report}{files}{asks}");
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
        "{component}: {}; it would be served\n\
         exports:    {}\n\
         imports:    {}\n\
         needs:      {}, {}\n\
         initialize: {initialize}\n",
        report.kind,
        lines(&report.exports),
        lines(&report.imports),
        largest(
            needs.memories,
            "memory",
            "memories",
            &format!("{} at the start", Size::from_bytes(needs.initial_memory))
        ),
        largest(needs.tables, "table", "tables", &format!("{} elements", needs.table_elements)),
    )
}

/// The files that it brought along, the first of them or all.
fn files(app: &App, all: bool) -> String {
    let Some(bundle) = app.bundle() else { return "files:      none\n".into() };
    let (count, total) = (bundle.items.len(), Size::from_bytes(bundle.total()));
    let places: Vec<_> = app.asks().mounts.iter().map(|mount| printable(&mount.guest, LINE_MAX)).collect();
    let places = [&["/app".to_owned()][..], &places].concat().join(" and ");
    let shown = if all { count } else { SHOWN_MAX };
    let mut lines = vec![format!("{} in {total}, read-only at {places}", many(count, "file", "files"))];
    lines.extend(
        bundle.items.iter().take(shown).map(|item| format!("{} ({})", printable(&item.path, LINE_MAX), item.size)),
    );
    if count > shown {
        lines.push(format!("and {} more; --files lists them", count - shown));
    }
    format!("files:      {}\n", lines.join(NEXT))
}

/// What it asks for, and what it gets of that.
fn asks(app: &App) -> String {
    let (asks, missing) = (app.asks(), app.asks().missing(app.grants()));
    let mut lines: Vec<String> = asks
        .all()
        .into_iter()
        .map(|ask| match missing.iter().find(|missing| missing.ask == ask) {
            Some(Missing { mend, .. }) => format!("{ask}: not granted; to grant it: {mend}"),
            None => format!("{ask}: granted"),
        })
        .collect();
    if asks.dirs.iter().any(|dir| dir.single) {
        let is_held = asks.is_single(app.grants());
        let held = if is_held { "it does" } else { "it does once it is granted a directory to write in" };
        lines.push(format!("to run as one instance at a time: {held}"));
    }
    lines.extend(asks.statics.iter().map(|ask| format!("static files: {} from {}", ask.url, ask.folder)));
    lines.extend(asks.warm_up.iter().map(|path| format!("a warm-up request: {path}")));
    let mut text = format!("asks for:   {}\n", if lines.is_empty() { "nothing".into() } else { printed(&lines) });
    if !asks.built_by.is_empty() {
        let tools: Vec<_> = asks.built_by.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
        text.push_str(&format!("built by:   {}\n", printed(&tools)));
    }
    text
}

/// Lines with guest text in them.
fn printed(lines: &[String]) -> String {
    lines.iter().map(|line| printable(line, LINE_MAX)).collect::<Vec<_>>().join(NEXT)
}

/// Files that are listed without being asked for.
const SHOWN_MAX: usize = 5;

/// Between two lines of one entry.
const NEXT: &str = "\n            ";

fn many(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn lines(names: &[String]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(NEXT) }
}

fn largest(count: u32, one: &str, many: &str, largest: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one} ({largest})"),
        _ => format!("{count} {many} (the largest: {largest})"),
    }
}
