//! The format language: parsed once, written for each request.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::process;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, REFERER, USER_AGENT};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::escape::push_text;
use super::{Entry, json};
use crate::environ::{Endpoint, protocol};
use crate::native;
use crate::text::push_ip;

/// What a line of the access log looks like.
///
/// The default is the "combined" format that log tools know, then the seconds the request took, its
/// app and its id: [`Format::DEFAULT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Style);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Style {
    /// Text and values, in order.
    Text(Vec<Piece>),
    /// One JSON object.
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Atom(Atom),
}

/// One value. The first block is Gunicorn's.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Atom {
    /// `h`
    RemoteAddress,
    /// `l`, which is always `-`.
    Identity,
    /// `u`
    User,
    /// `t`
    Date,
    /// `r`
    RequestLine,
    /// `m`
    Method,
    /// `U`
    Path,
    /// `q`
    Query,
    /// `H`
    Protocol,
    /// `s`
    Status,
    /// `B`
    BodyBytes,
    /// `b`
    BodyBytesOrDash,
    /// `T`
    Seconds,
    /// `M`
    Milliseconds,
    /// `D`
    Microseconds,
    /// `L`
    DecimalSeconds,
    /// `p`
    ProcessId,
    /// `{name}i`, and `f` and `a`
    RequestHeader(HeaderName),
    /// `{name}o`
    ResponseHeader(HeaderName),
    /// `{name}e`
    Variable(String),

    /// `app`
    App,
    /// `cpu`
    CpuMicroseconds,
    /// `id`
    RequestId,
    /// `error`
    Error,
}

/// Why a text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A value that does not exist.
    #[error(
        "unknown value %({})s in the access log format; there are h l u t r m U q H s B b f a T M D L p, app, cpu, id, error, {{header}}i, {{header}}o and {{variable}}e",
        .0.escape_debug()
    )]
    UnknownAtom(String),
    /// A `%` that starts no value.
    #[error("`%` at {0:?} in the access log format starts no value; write %(NAME)s, or %% for the sign itself")]
    StrayPercent(String),
    /// A header that cannot exist.
    #[error("%({})s in the access log format names no header; letters, digits and `-` make one", .0.escape_debug())]
    HeaderName(String),
}

// === impl Format ===

impl Format {
    /// The format language's text of the default.
    pub const DEFAULT: &'static str =
        r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(L)s %(app)s %(id)s"#;

    /// Parses `json`, or text with values in it.
    ///
    /// Values are those of Gunicorn: `%(h)s` remote address, `l` and `u` user name or `-`, `t` date, `r` request line,
    /// `m` method, `U` path, `q` query, `H` protocol, `s` status, `B` bytes of body, `b` the same or `-`, `f` referer,
    /// `a` user agent, `T` time in seconds, `M` in milliseconds, `D` in microseconds, `L` in decimal seconds,
    /// `p` process id, `{header}i` of the request, `{header}o` of the response, `{variable}e` of the environ;
    /// and our own `app`, `cpu` (microseconds of CPU time in the guest), `id` and `error` (the kind of error). `%%` is a
    /// percent sign.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        if text == "json" {
            return Ok(Self(Style::Json));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(percent) = rest.find('%') {
            push_literal(&mut pieces, &rest[..percent]);
            rest = &rest[percent..];
            if let Some(after) = rest.strip_prefix("%%") {
                push_literal(&mut pieces, "%");
                rest = after;
                continue;
            }
            let value = rest.strip_prefix("%(").and_then(|rest| rest.split_once(")s"));
            let (name, after) = value.ok_or_else(|| FormatError::StrayPercent(rest.chars().take(20).collect()))?;
            pieces.push(Piece::Atom(Atom::parse(name)?));
            rest = after;
        }
        push_literal(&mut pieces, rest);
        Ok(Self(Style::Text(pieces)))
    }

    /// Whether an [`Entry`] must carry the response's headers.
    pub fn wants_response_headers(&self) -> bool {
        self.has(|atom| matches!(atom, Atom::ResponseHeader(_)))
    }

    /// Whether an [`Entry`] must carry the environ, which otherwise went to the guest and is gone.
    pub fn wants_environ(&self) -> bool {
        self.has(|atom| matches!(atom, Atom::Variable(_)))
    }

    /// Appends the line of `entry` to `line`, without a line end.
    pub fn write(&self, entry: &Entry<'_>, line: &mut String) {
        match &self.0 {
            Style::Json => json::write(entry, line),
            Style::Text(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => line.push_str(text),
                        Piece::Atom(atom) => atom.write(entry, line),
                    }
                }
            }
        }
    }

    fn has(&self, wanted: fn(&Atom) -> bool) -> bool {
        match &self.0 {
            Style::Json => false,
            Style::Text(pieces) => pieces.iter().any(|piece| matches!(piece, Piece::Atom(atom) if wanted(atom))),
        }
    }
}

impl Default for Format {
    fn default() -> Self {
        // A test proves that the default parses.
        Self::parse(Self::DEFAULT).unwrap_or(Self(Style::Json))
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Self::parse(text)
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

// === impl Atom ===

impl Atom {
    fn parse(name: &str) -> Result<Self, FormatError> {
        if let Some((inner, kind)) = name.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')) {
            let header = || HeaderName::from_str(inner).map_err(|_| FormatError::HeaderName(name.to_owned()));
            return match kind {
                "i" => header().map(Self::RequestHeader),
                "o" => header().map(Self::ResponseHeader),
                "e" => Ok(Self::Variable(inner.to_owned())),
                _ => Err(FormatError::UnknownAtom(name.to_owned())),
            };
        }
        Ok(match name {
            "h" => Self::RemoteAddress,
            "l" => Self::Identity,
            "u" => Self::User,
            "t" => Self::Date,
            "r" => Self::RequestLine,
            "m" => Self::Method,
            "U" => Self::Path,
            "q" => Self::Query,
            "H" => Self::Protocol,
            "s" => Self::Status,
            "B" => Self::BodyBytes,
            "b" => Self::BodyBytesOrDash,
            "f" => Self::RequestHeader(REFERER),
            "a" => Self::RequestHeader(USER_AGENT),
            "T" => Self::Seconds,
            "M" => Self::Milliseconds,
            "D" => Self::Microseconds,
            "L" => Self::DecimalSeconds,
            "p" => Self::ProcessId,
            "app" => Self::App,
            "cpu" => Self::CpuMicroseconds,
            "id" => Self::RequestId,
            "error" => Self::Error,
            _ => return Err(FormatError::UnknownAtom(name.to_owned())),
        })
    }

    fn write(&self, entry: &Entry<'_>, line: &mut String) {
        match self {
            Self::Method | Self::Path | Self::Query | Self::Protocol | Self::RequestLine => {
                self.write_request(entry, line);
            }
            Self::Seconds | Self::Milliseconds | Self::Microseconds | Self::DecimalSeconds => {
                self.write_elapsed(entry.elapsed, line);
            }
            Self::RemoteAddress => match entry.peer {
                Endpoint::Tcp(address) => push_ip(line, address.ip()),
                Endpoint::Unix => line.push('-'),
            },
            Self::Identity => line.push('-'),
            Self::User => write_user(entry, line),
            Self::Date => push_date(line, entry.started),
            Self::Status => line.push_str(entry.status.as_str()),
            Self::BodyBytesOrDash if entry.body_bytes == 0 => line.push('-'),
            Self::BodyBytes | Self::BodyBytesOrDash => push_number(line, entry.body_bytes),
            Self::ProcessId => push(line, format_args!("<{}>", process::id())),
            Self::RequestHeader(name) => push_header(line, entry.request.map(|request| &request.headers), name),
            Self::ResponseHeader(name) => push_header(line, entry.response_headers, name),
            Self::Variable(name) => {
                let value = entry.environ.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
                push_or_dash(line, value);
            }
            Self::App => push_or_dash(line, entry.app),
            Self::CpuMicroseconds => match entry.cpu_time {
                Some(time) => push(line, format_args!("{}", time.as_micros())),
                None => line.push('-'),
            },
            Self::RequestId => line.push_str(entry.request_id.as_str()),
            Self::Error => push_or_dash(line, entry.error),
        }
    }

    /// The values of the request line; `-` for a request that could not be read.
    fn write_request(&self, entry: &Entry<'_>, line: &mut String) {
        let Some(request) = entry.request else { return line.push('-') };
        match self {
            Self::Method => push_text(line, request.method.as_str().as_bytes()),
            Self::Path => push_text(line, request.uri.path().as_bytes()),
            Self::Query => push_text(line, request.uri.query().unwrap_or_default().as_bytes()),
            Self::Protocol => line.push_str(protocol(request.version)),
            _ => {
                push_text(line, request.method.as_str().as_bytes());
                line.push(' ');
                push_text(line, target(request).as_bytes());
                line.push(' ');
                line.push_str(protocol(request.version));
            }
        }
    }

    fn write_elapsed(&self, elapsed: Duration, line: &mut String) {
        match self {
            Self::Seconds => push_number(line, elapsed.as_secs()),
            Self::Milliseconds => push_number(line, elapsed.as_millis()),
            Self::Microseconds => push_number(line, elapsed.as_micros()),
            _ => push_seconds(line, elapsed),
        }
    }
}

/// Path and query; what stands in their place if the target is no path, such as `*` or `host:port`.
fn target(request: &http::request::Parts) -> &str {
    match (request.uri.path_and_query(), request.uri.authority()) {
        (Some(target), _) => target.as_str(),
        (None, Some(authority)) => authority.as_str(),
        (None, None) => "-",
    }
}

/// Appends formatted text that no client has chosen.
pub(super) fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = line.write_fmt(text);
}

/// Appends a number, at a fraction of what `fmt` takes.
pub(super) fn push_number(line: &mut String, number: impl itoa::Integer) {
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends seconds with six decimals.
pub(super) fn push_seconds(line: &mut String, elapsed: Duration) {
    push_number(line, elapsed.as_secs());
    line.push('.');
    // A leading one keeps the zeros behind it.
    let decimals = 1_000_000 + elapsed.subsec_micros();
    line.push_str(&itoa::Buffer::new().format(decimals)[1..]);
}

fn push_or_dash(line: &mut String, value: Option<&str>) {
    match value {
        None => line.push('-'),
        // Native strings only, so the fallback is for what cannot be.
        Some(value) => push_text(line, &native::to_bytes(value).unwrap_or(value.as_bytes().into())),
    }
}

fn push_header(line: &mut String, headers: Option<&HeaderMap>, name: &HeaderName) {
    let mut values = headers.into_iter().flat_map(|headers| headers.get_all(name));
    match values.next() {
        None => line.push('-'),
        Some(first) => push_text(line, first.as_bytes()),
    }
    for value in values {
        line.push_str(", ");
        push_text(line, value.as_bytes());
    }
}

/// The user of Basic authentication, which nobody has checked.
fn write_user(entry: &Entry<'_>, line: &mut String) {
    let mut buffer = [0; CREDENTIALS_MAX];
    match entry.request.and_then(|request| basic_user(&request.headers, &mut buffer)) {
        Some(user) => push_text(line, user),
        None => line.push('-'),
    }
}

/// Longer credentials give no user name; the buffer for them is on the stack.
const CREDENTIALS_MAX: usize = 256;

fn basic_user<'a>(headers: &HeaderMap, buffer: &'a mut [u8; CREDENTIALS_MAX]) -> Option<&'a [u8]> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let length = STANDARD.decode_slice(credentials.trim(), buffer).ok()?;
    let user = buffer[..length].split(|byte| *byte == b':').next()?;
    (!user.is_empty()).then_some(user)
}

/// Appends a date such as `[23/Nov/2026:12:51:20 +0000]`, in the host's time zone.
fn push_date(line: &mut String, time: SystemTime) {
    thread_local! {
        /// The text of the second that was last asked for: making it costs more than the rest of the line.
        static LAST: RefCell<(Option<u64>, String)> = const { RefCell::new((None, String::new())) };
    }
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(second, text)| {
        if *second != Some(since_epoch) {
            *second = Some(since_epoch);
            let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
            text.clear();
            let local = time.to_zoned_datetime(TimeZone::system());
            push(text, format_args!("[{}]", local.strftime("%d/%b/%Y:%H:%M:%S %z")));
        }
        line.push_str(text);
    });
}
