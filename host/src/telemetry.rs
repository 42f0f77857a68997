//! What the host tells its operator: the log on stderr, guests' output in it, and the access log.
//!
//! Both logs are written by threads of their own behind bounded queues: a reader that stalls costs
//! lines, never requests.

mod lines;

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::access_log::{Entry, Format};
use crate::config::{AccessLogTarget, AppName};
use crate::request_id::RequestId;
use crate::sandbox::fault::Fault;
use crate::sandbox::output::{Channel, GuestLog};

pub use lines::Flush;
use lines::Lines;

/// The environment variable that filters the log, in the syntax of `tracing-subscriber`.
const FILTER: &str = "WASGI_LOG";

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// Starts the log on stderr. Call once, first thing.
///
/// # Errors
/// When the operating system refuses the log's thread.
pub fn start_log(format: LogFormat, default_filter: &str) -> io::Result<Flush> {
    let (lines, flush) = Lines::start(io::stderr())?;
    let asked = std::env::var(FILTER).ok().filter(|filter| !filter.is_empty());
    let parsed = asked.as_deref().map(|filter| filter.parse::<EnvFilter>());
    let misspelt = matches!(parsed, Some(Err(_)));
    let filter = parsed.and_then(Result::ok).unwrap_or_else(|| EnvFilter::new(default_filter));
    let writer = move || lines.clone();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    // A second subscriber is refused: an embedder's own stays.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if misspelt {
        tracing::warn!("{FILTER} is not a filter and is ignored; write it as `info,wasgi::guest=debug`");
    }
    Ok(flush)
}

/// The access log: one line for each request.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    /// None: the log is off.
    lines: Option<Lines>,
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// When its file cannot be opened for appending.
    pub fn open(target: &AccessLogTarget, format: Format) -> io::Result<(Arc<Self>, Option<Flush>)> {
        let opened = match target {
            AccessLogTarget::Off => None,
            AccessLogTarget::Stdout => Some(Lines::start(io::stdout())?),
            AccessLogTarget::File(path) => {
                Some(Lines::start(OpenOptions::new().append(true).create(true).open(path)?)?)
            }
        };
        let (lines, flush) = opened.unzip();
        Ok((Arc::new(Self { format, lines }), flush))
    }

    /// A log that writes nothing.
    pub fn off() -> Arc<Self> {
        Arc::new(Self { format: Format::default(), lines: None })
    }

    /// Whether lines need the environ.
    pub fn wants_environ(&self) -> bool {
        self.lines.is_some() && self.format.wants_environ()
    }

    /// Whether lines need the response's headers.
    pub fn wants_response_headers(&self) -> bool {
        self.lines.is_some() && self.format.wants_response_headers()
    }

    /// Writes one line.
    pub fn write(&self, entry: &Entry<'_>) {
        thread_local!(static LINE: RefCell<String> = RefCell::default());
        let Some(lines) = &self.lines else { return };
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.format.write(entry, line);
            line.push('\n');
            lines.push(line.as_bytes());
        });
    }
}

/// The log of one app, under the id of one request, or of none for `initialize`.
#[derive(Debug)]
pub struct AppLog {
    app: AppName,
    request_id: Option<RequestId>,
}

impl AppLog {
    /// The log of `app` for one request.
    pub fn new(app: AppName, request_id: Option<RequestId>) -> Arc<Self> {
        Arc::new(Self { app, request_id })
    }

    fn id(&self) -> &str {
        self.request_id.as_ref().map_or("initialize", RequestId::as_str)
    }
}

impl GuestLog for AppLog {
    fn line(&self, channel: Channel, line: &str) {
        tracing::info!(target: "wasgi::guest", app = %self.app, request_id = self.id(), channel = channel.name(), "{line}");
    }

    fn dropped(&self, bytes: u64) {
        tracing::warn!(target: "wasgi::guest", app = %self.app, request_id = self.id(), bytes, "output dropped; raise log-max to see it");
    }

    fn fault(&self, fault: &Fault) {
        if matches!(fault, Fault::ClientLeft) {
            tracing::debug!(target: "wasgi::guest", app = %self.app, request_id = self.id(), "{fault}");
            return;
        }
        tracing::error!(target: "wasgi::guest", app = %self.app, request_id = self.id(), kind = fault.kind(), "{fault}");
    }
}
