//! CGI/1.1 (RFC 3875): from an environ to the variables of a program, and from what it prints to a response. Pure.

#[cfg(test)]
mod tests;

use http::StatusCode;
use http::uri::PathAndQuery;

use crate::environ::{Environ, is_hop_by_hop_name};
use crate::head::{Head, HeadError};
use crate::limits::{AppLimits, Size};
use crate::native;

/// A variable that a program cannot be given: WASI's environment is Unicode, and C ends a string at its first NUL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} of the request is not UTF-8, or has a NUL in it, and the application takes text alone")]
pub struct NotText(pub String);

/// What a program printed before its body.
#[derive(Debug, PartialEq, Eq)]
pub enum Printed {
    /// The head of an answer (sections 6.2.1, 6.2.3 and 6.2.4).
    Document {
        /// The head.
        head: Box<Head>,
        /// Whether it has a Content-Type, without which there may be no body (section 6.3.1).
        is_typed: bool,
    },
    /// The answer is that of another path of this server (section 6.2.2).
    Elsewhere(PathAndQuery),
}

/// Why a program's output is no response. The text is for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CgiError {
    /// A script that speaks HTTP itself (section 5).
    #[error(
        "it begins with `HTTP/`, as that of an NPH script, which is not served; print `Status: 200 OK` instead of the status line"
    )]
    Nph,
    /// No end of the head within the limit.
    #[error("its head is over head-size-max, {0}; an empty line ends the head")]
    TooLarge(Size),
    /// The program ended within its head.
    #[error("it ends within the head; an empty line ends the head")]
    Unended,
    /// Nothing that makes a head one of CGI.
    #[error("its head has none of Content-Type, Location and Status; print at least one")]
    NoField,
    /// A line without a colon, or one that begins with a space.
    #[error("{0} is no header; a name, a colon and a value on one line make one")]
    NoHeader(String),
    /// A field of CGI that is there twice (section 6.3).
    #[error("{0} is there twice")]
    Twice(&'static str),
    /// A Location that leads nowhere.
    #[error("{0} is no Location; print a URL with its scheme, or a path that begins with `/`")]
    Location(String),
    /// A path as Location means another response of this server, which has a head of its own.
    #[error("it has {0} beside a path as Location; print `Status: 302 Found` too to have the client go there")]
    Beside(String),
    /// A body after a local redirect.
    #[error("it has a body behind a path as Location; print `Status: 302 Found` too to have the client go there")]
    BodyElsewhere,
    /// A body of no type.
    #[error("it has a body without Content-Type; print one")]
    Untyped,
    /// A head that may not be sent.
    #[error(transparent)]
    Head(#[from] HeadError),
}

/// The environment of a program: the request's variables (section 4.1) and those that the operator gave. The entries of
/// PEP 3333 stay out.
///
/// # Errors
/// [`NotText`] for the first that is none.
pub fn variables(environ: &Environ) -> Result<Vec<(String, String)>, NotText> {
    let of_cgi = |name: &str| !name.starts_with("wsgi.") && !name.starts_with("wasgi.");
    let entries = environ.entries().iter().filter(|(name, _)| of_cgi(name));
    entries.map(|(name, value)| Ok((text(name, name)?, text(name, value)?))).collect()
}

fn text(name: &str, native: &str) -> Result<String, NotText> {
    let not_text = || NotText(name.escape_default().take(SHOWN_MAX).collect());
    // Native strings are bytes, one a char.
    let bytes = native::to_bytes(native).map_err(|_| not_text())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| not_text())?;
    if text.contains('\0') { Err(not_text()) } else { Ok(text.to_owned()) }
}

/// Collects a head from the pieces in which it is printed.
#[derive(Debug)]
pub struct HeadReader {
    bytes: Vec<u8>,
    max: Size,
}

impl HeadReader {
    /// A reader for a head of at most `max` bytes.
    pub fn new(max: Size) -> Self {
        Self { bytes: Vec::new(), max }
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what was printed next. Once the head is whole: how much of `printed` belongs to it.
    ///
    /// # Errors
    /// [`CgiError`] when it cannot become one.
    pub fn push(&mut self, printed: &[u8]) -> Result<Option<usize>, CgiError> {
        let mut end = 0;
        while let Some(newline) = printed[end..].iter().position(|byte| *byte == b'\n') {
            let line = &printed[end..end + newline];
            let is_first_of_push = end == 0;
            end += newline + 1;
            let is_empty = match (line, is_first_of_push) {
                (b"" | b"\r", false) => true,
                // The line may have begun before.
                (b"" | b"\r", true) => {
                    let begun = self.bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
                    begun.is_empty() || (begun == b"\r" && line.is_empty())
                }
                _ => false,
            };
            if is_empty {
                self.keep(&printed[..end])?;
                return Ok(Some(end));
            }
        }
        self.keep(printed)?;
        Ok(None)
    }

    fn keep(&mut self, printed: &[u8]) -> Result<(), CgiError> {
        let room = self.max.to_usize().saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&printed[..printed.len().min(room)]);
        if self.bytes.starts_with(b"HTTP/") {
            return Err(CgiError::Nph);
        }
        if printed.len() > room { Err(CgiError::TooLarge(self.max)) } else { Ok(()) }
    }

    /// What the whole head means.
    ///
    /// # Errors
    /// [`CgiError`].
    pub fn finish(&self, limits: &AppLimits) -> Result<Printed, CgiError> {
        Fields::read(&self.bytes)?.meaning(limits)
    }
}

/// The fields of a head: those of CGI (section 6.3), and all others.
#[derive(Debug, Default)]
struct Fields {
    status: Option<String>,
    location: Option<String>,
    content_type: Option<String>,
    others: Vec<(String, String)>,
}

impl Fields {
    /// Reads a head line by line. Lines end in LF, which a CR may precede (section 6.1); none continues on the next.
    fn read(head: &[u8]) -> Result<Self, CgiError> {
        let mut fields = Self::default();
        for line in head.split(|byte| *byte == b'\n') {
            let line = native::from_bytes(line.strip_suffix(b"\r").unwrap_or(line));
            if !line.is_empty() {
                fields.add(&line)?;
            }
        }
        Ok(fields)
    }

    fn add(&mut self, line: &str) -> Result<(), CgiError> {
        let colon = line.split_once(':').filter(|(name, _)| !name.is_empty() && !name.starts_with([' ', '\t']));
        let (name, value) = colon.ok_or_else(|| CgiError::NoHeader(shown(line)))?;
        let value = value.trim_matches([' ', '\t']).to_owned();
        let (place, known) = match name.to_ascii_lowercase().as_str() {
            "status" => (&mut self.status, "Status"),
            "location" => (&mut self.location, "Location"),
            "content-type" => (&mut self.content_type, "Content-Type"),
            // About the connection, which is the server's (section 6.3.4), or meant for it (6.3.5) and unknown.
            lower if is_hop_by_hop_name(lower) || lower.starts_with("x-cgi-") => return Ok(()),
            _ => {
                self.others.push((name.to_owned(), value));
                return Ok(());
            }
        };
        if place.replace(value).is_some() { Err(CgiError::Twice(known)) } else { Ok(()) }
    }

    /// The kind of response that they make (section 6.2).
    fn meaning(self, limits: &AppLimits) -> Result<Printed, CgiError> {
        let status = match (&self.status, &self.location) {
            (None, None) if self.content_type.is_none() => return Err(CgiError::NoField),
            (None, None) => "200 OK".to_owned(),
            (Some(status), _) => with_reason(status),
            (None, Some(location)) if location.starts_with('/') => return self.elsewhere(),
            (None, Some(location)) if has_scheme(location) => "302 Found".to_owned(),
            (None, Some(location)) => return Err(CgiError::Location(shown(location))),
        };
        let is_typed = self.content_type.is_some();
        let named = |name: &str, value: Option<String>| value.map(|value| (name.to_owned(), value));
        let own = [named("Content-Type", self.content_type), named("Location", self.location)];
        let headers: Vec<_> = own.into_iter().flatten().chain(self.others).collect();
        Ok(Printed::Document { head: Box::new(Head::parse(&status, &headers, limits)?), is_typed })
    }

    fn elsewhere(self) -> Result<Printed, CgiError> {
        let typed = self.content_type.map(|_| "Content-Type".to_owned());
        if let Some(name) = typed.or_else(|| self.others.into_iter().next().map(|(name, _)| shown(&name))) {
            return Err(CgiError::Beside(name));
        }
        let location = self.location.unwrap_or_default();
        let target = native::to_bytes(&location).ok().filter(|target| !target.contains(&b'#'));
        let target = target.and_then(|target| PathAndQuery::try_from(&*target).ok());
        target.map(Printed::Elsewhere).ok_or_else(|| CgiError::Location(shown(&location)))
    }
}

/// A status as `Head` takes it: section 6.3.3 lets the reason be empty.
fn with_reason(status: &str) -> String {
    let usual = || Some(StatusCode::from_bytes(status.as_bytes()).ok()?.canonical_reason().unwrap_or("Unnamed"));
    match usual() {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_owned(),
    }
}

/// Whether a text begins as an absolute URL does (RFC 3986 section 3.1).
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, rest)| {
        let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        !rest.is_empty()
            && scheme.starts_with(|char: char| char.is_ascii_alphabetic())
            && scheme.bytes().all(is_of_scheme)
    })
}

/// Most chars of a program's text in a message.
const SHOWN_MAX: usize = 60;

/// Text of the program in a message: quoted, and short.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
