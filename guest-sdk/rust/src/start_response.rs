//! The head of the response, and the `write` callable.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io::{self, Write};
use std::rc::Rc;

use crate::bindings::app::wasgi::gateway::gateway as raw;
use crate::status::Status;
use crate::{StartError, WriteError};

/// The largest chunk that a [`Writer`] sends at once unless the host allows less: below the host's default
/// `write-chunk-max`, and large enough that the cost of the call does not show.
const CHUNK: usize = 64 * 1024;

/// The `start_response` callable: sets status and headers, and returns the `write` callable.
///
/// Nothing is sent yet: the head goes out with the first bytes of the body, or when the application
/// returns (rule 50).
#[derive(Clone, Debug)]
pub struct StartResponse {
    head: Rc<Head>,
}

/// The `write` callable that [`StartResponse`] returns: sends a part of the body on its way.
///
/// It has no buffer: each `write` is a call to the host and goes to the client at once (rule 57). Put a
/// `BufWriter` around it where many small pieces need not go out one by one. Clones are one stream.
#[derive(Clone, Debug)]
pub struct Writer {
    raw: Rc<raw::Writer>,
    /// The most that the host takes at once, in bytes; learnt from its refusal.
    most: Rc<Cell<usize>>,
}

/// What the SDK needs to know when the application has returned.
#[derive(Debug)]
struct Head {
    raw: raw::StartResponse,
    /// Of the last successful call; a large body is sent through it.
    writer: RefCell<Option<Writer>>,
}

// === impl StartResponse ===

impl StartResponse {
    pub(crate) fn new(raw: raw::StartResponse) -> Self {
        Self { head: Rc::new(Head { raw, writer: RefCell::new(None) }) }
    }

    /// Sets status and headers: `start(200, [("Content-Type", "text/plain")])`.
    ///
    /// The status is a code or the whole text, such as `"404 Not Found"`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn start<N: Into<String>, V: Into<String>>(
        &self,
        status: impl Into<Status>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Writer, StartError> {
        self.call(status.into().as_str(), &collect(headers), None)
    }

    /// Replaces a head that has not been sent, because of `error`, which goes to the log (rule 52).
    ///
    /// # Errors
    /// [`StartError::HeadSent`] when it is too late, else as [`call`](Self::call).
    pub fn replace<N: Into<String>, V: Into<String>>(
        &self,
        status: impl Into<Status>,
        headers: impl IntoIterator<Item = (N, V)>,
        error: impl Display,
    ) -> Result<Writer, StartError> {
        self.call(status.into().as_str(), &collect(headers), Some(&error.to_string()))
    }

    /// `start_response(status, headers, exc_info)` as PEP 3333 has it. Strings are native.
    ///
    /// # Errors
    /// The host checks at once (rule 48); a call that fails leaves an earlier head as it was.
    pub fn call(
        &self,
        status: &str,
        headers: &[(String, String)],
        exc_info: Option<&str>,
    ) -> Result<Writer, StartError> {
        let raw = self.head.raw.call(status, headers, exc_info)?;
        let writer = Writer { raw: Rc::new(raw), most: Rc::new(Cell::new(CHUNK)) };
        self.head.writer.replace(Some(writer.clone()));
        Ok(writer)
    }

    /// The writer of the last successful call.
    pub(crate) fn writer(&self) -> Option<Writer> {
        self.head.writer.borrow().clone()
    }
}

fn collect<N: Into<String>, V: Into<String>>(headers: impl IntoIterator<Item = (N, V)>) -> Vec<(String, String)> {
    headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

// === impl Writer ===

impl Writer {
    /// One call of `write`: the whole chunk is sent or nothing of it.
    ///
    /// # Errors
    /// [`WriteError::TooLarge`] if the host wants smaller chunks; `std::io::Write` sees to that by itself.
    pub fn send(&self, chunk: &[u8]) -> Result<(), WriteError> {
        self.raw.write(chunk).map_err(WriteError::from)
    }

    /// Sends a first part of `bytes`, as much as the host takes at once, and says how much that was.
    fn send_part(&self, bytes: &[u8]) -> Result<usize, WriteError> {
        loop {
            let count = bytes.len().min(self.most.get());
            match self.send(&bytes[..count]) {
                Ok(()) => return Ok(count),
                Err(WriteError::TooLarge(most)) if most > 0 && most < count as u64 => {
                    // Smaller than `count`, which is a usize.
                    self.most.set(usize::try_from(most).unwrap_or(count));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends all of `bytes`, cut as the host wants it.
    pub(crate) fn send_all(&self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let count = self.send_part(bytes)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.send_part(bytes)?)
    }

    /// Does nothing: what was written is on its way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
