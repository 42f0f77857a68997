//! What the tests' guests share: the conventions of their READMEs.

use std::io::Write as _;

use percent_encoding::percent_decode;
use serde_json::Value;
use wasgi_guest::{Body, Environ, InputError, StartError, StartResponse, WriteError, errors, native};

pub mod secret;

/// What a handler of the guests returns: an error of start_response becomes a 500 by the SDK.
pub type Answer = Result<Body, StartError>;

/// The parameters of a query; `+` stays a plus.
#[derive(Debug)]
pub struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Of this request.
    pub fn of(environ: &Environ) -> Self {
        let query = environ.query_string();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(name.as_bytes()).collect(), percent_decode(value.as_bytes()).collect())
        });
        Self(pairs.collect())
    }

    /// The bytes of a parameter.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// A parameter that is text, or the default.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.bytes(name).map_or_else(|| default.to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A parameter as a native string: each byte a char.
    pub fn native(&self, name: &str) -> String {
        native::from_bytes(self.bytes(name).unwrap_or_default())
    }

    /// A decimal number, or the default.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name, "").parse().unwrap_or(default)
    }

    /// A decimal number of bytes or pieces that fit into memory.
    pub fn size(&self, name: &str, default: usize) -> usize {
        self.text(name, "").parse().unwrap_or(default)
    }

    /// Whether a switch such as `quiet=1` is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.bytes(name) == Some(b"1")
    }
}

/// Answers with a text that ends the body.
///
/// # Errors
/// Those of start_response.
pub fn text(start_response: &StartResponse, text: impl Into<Body>) -> Answer {
    start_response.start(200, [("Content-Type", "text/plain")])?;
    Ok(text.into())
}

/// Answers with one JSON object.
///
/// # Errors
/// Those of start_response.
pub fn json(start_response: &StartResponse, value: &Value) -> Answer {
    start_response.start(200, [("Content-Type", "application/json")])?;
    Ok(value.to_string().into())
}

/// Answers that there is no such path.
///
/// # Errors
/// Those of start_response.
pub fn not_found(start_response: &StartResponse, path: &str) -> Answer {
    start_response.start(404, [("Content-Type", "text/plain")])?;
    Ok(format!("no such path: {path}").into())
}

/// Writes one line to wsgi.errors.
pub fn log(line: &str) {
    // It never fails.
    let _ = writeln!(errors(), "{line}");
}

/// The WIT's name of an error.
pub trait Name {
    /// Such as `too-large`.
    fn name(&self) -> &'static str;
}

impl Name for InputError {
    fn name(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Closed => "closed",
            Self::TooLarge => "too-large",
            Self::TimedOut => "timed-out",
        }
    }
}

impl Name for StartError {
    fn name(&self) -> &'static str {
        match self {
            Self::AlreadyCalled => "already-called",
            Self::HeadSent => "head-sent",
            Self::BadStatus(_) => "bad-status",
            Self::BadHeader(_) => "bad-header",
            Self::TooLarge(_) => "too-large",
            Self::Closed => "closed",
        }
    }
}

impl Name for WriteError {
    fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::PastContentLength => "past-content-length",
            Self::NoBodyAllowed => "no-body-allowed",
            Self::TooLarge(_) => "too-large",
        }
    }
}

/// `"ok"`, or the name of the error.
pub fn outcome<T, E: Name>(result: &Result<T, E>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.name(),
    }
}

/// The name of the error, or nothing.
pub fn error_name<T, E: Name>(result: &Result<T, E>) -> Option<&'static str> {
    result.as_ref().err().map(Name::name)
}
