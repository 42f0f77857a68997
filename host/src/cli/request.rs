//! `wasgi request`: one request, without a server.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::ext::ReasonPhrase;

use super::flags::AppFlags;
use super::{CliError, block_on, compiler, exit, start_log};
use crate::config::Config;
use crate::host::{Host, Setting};
use crate::net::reply::OutgoingBody;
use crate::telemetry::{AccessLog, LogFormat};

/// Sends one request to an app, without a server, and prints the response's head and body
///
/// Ends with 1 if the app gave no proper response: it trapped, passed a limit or broke the protocol.
#[derive(Debug, Args)]
pub(super) struct Request {
    /// The component
    #[arg(value_name = "APP.wasm")]
    component: PathBuf,
    /// The path, with its query if there is one
    #[arg(value_name = "PATH")]
    path: Uri,
    /// The method [default: GET, or POST with -d]
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<Method>,
    /// A request header
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = parse_header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// The request body, or @FILE for a file's content
    #[arg(short, long, value_name = "DATA")]
    data: Option<String>,
    #[command(flatten)]
    app: AppFlags,
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("{:?} is no header name", name.trim()))?;
    let value = value.trim().parse().map_err(|_| "the value has control characters".to_owned())?;
    Ok((name, value))
}

impl Request {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let _log = start_log(LogFormat::Text, "warn,wasgi::guest=info")?;
        let request = self.request()?;
        let dev = self.app.dev;
        let config = Config::from_path(&self.component, self.app.into_flags())?;
        let setting = Setting { compiler: compiler(), access_log: AccessLog::off(), dev };
        block_on(async {
            let host = Host::load(&config, setting).await?;
            let response = host.handle(request).await;
            let code = print(response).await;
            // What the guest still does after its response is part of the request.
            host.drain(config.grace.into(), std::future::pending()).await;
            code
        })
    }

    fn request(&self) -> Result<http::Request<Full<Bytes>>, CliError> {
        if self.path.path_and_query().is_none() || self.path.authority().is_some() || !self.path.path().starts_with('/')
        {
            return Err(CliError::Usage(format!("{} is no path; it starts with `/`", self.path)));
        }
        let body = self.body()?;
        let method = self.method.clone().unwrap_or(if self.data.is_some() { Method::POST } else { Method::GET });
        let mut request = http::Request::new(Full::new(body.clone()));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.header {
            headers.append(name, value.clone());
        }
        headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
        if self.data.is_some() {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/x-www-form-urlencoded"));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Ok(request)
    }

    fn body(&self) -> Result<Bytes, CliError> {
        match self.data.as_deref() {
            None => Ok(Bytes::new()),
            Some(data) => match data.strip_prefix('@') {
                None => Ok(data.to_owned().into()),
                Some(path) => std::fs::read(path)
                    .map(Bytes::from)
                    .map_err(|error| CliError::Unreadable { path: path.to_owned(), error }),
            },
        }
    }
}

/// Prints the response as it comes.
async fn print(response: http::Response<OutgoingBody>) -> Result<ExitCode, CliError> {
    let (head, mut body) = response.into_parts();
    let mut out = io::stdout();
    let failed = |error| CliError::System { what: "cannot write the response", error };
    let reason = match head.extensions.get::<ReasonPhrase>() {
        Some(reason) => String::from_utf8_lossy(reason.as_bytes()).into_owned(),
        None => head.status.canonical_reason().unwrap_or_default().to_owned(),
    };
    writeln!(out, "HTTP/1.1 {} {reason}", head.status.as_u16()).map_err(failed)?;
    for (name, value) in &head.headers {
        writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).map_err(failed)?;
    }
    writeln!(out).map_err(failed)?;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Ok(ExitCode::from(exit::TRAP)) };
        if let Ok(data) = frame.into_data() {
            out.write_all(&data).and_then(|()| out.flush()).map_err(failed)?;
        }
    }
    out.flush().map_err(failed)?;
    Ok(if body.guest_failed() { ExitCode::from(exit::TRAP) } else { ExitCode::SUCCESS })
}
