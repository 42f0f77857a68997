//! The request body: `wsgi.input`.

use std::io::{self, BufRead, Read};

use crate::InputError;
use crate::bindings::app::wasgi::gateway::gateway as raw;

/// What one call asks of the host when the reader asks for less: enough that the cost of the call
/// does not show, little enough for a small guest's memory.
const READ: u64 = 64 * 1024;

/// The request body, free of transfer coding.
///
/// It reads like a file: the end is the end of the body (rules 32 and 34). Errors of the host come as
/// `io::Error`s that hold an [`InputError`].
#[derive(Debug)]
pub struct Input {
    raw: raw::Input,
    /// Read from the host, of which `..position` has been given out.
    buffer: Vec<u8>,
    position: usize,
}

impl Input {
    pub(crate) fn new(raw: raw::Input) -> Self {
        Self { raw, buffer: Vec::new(), position: 0 }
    }

    /// The next 1 to `max` bytes in one piece, empty at the end of the body; `max` of 0 reads nothing.
    ///
    /// The quickest way to take in a large body: nothing is copied on the way.
    ///
    /// # Errors
    /// [`InputError::Closed`], [`InputError::TooLarge`] and [`InputError::TimedOut`], each final.
    pub fn read_chunk(&mut self, max: u64) -> Result<Vec<u8>, InputError> {
        let buffered = self.buffer.len() - self.position;
        if buffered == 0 {
            return self.raw.read(max).map_err(InputError::from);
        }
        let most = usize::try_from(max).unwrap_or(usize::MAX).min(buffered);
        let chunk = self.buffer[self.position..self.position + most].to_vec();
        self.position += most;
        Ok(chunk)
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.position == self.buffer.len() && into.len() as u64 >= READ {
            let chunk = self.raw.read(into.len() as u64).map_err(InputError::from)?;
            // The host gives at most what was asked for.
            into[..chunk.len()].copy_from_slice(&chunk);
            return Ok(chunk.len());
        }
        let mut rest = self.fill_buf()?;
        let count = rest.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.buffer.len() {
            self.buffer = self.raw.read(READ).map_err(InputError::from)?;
            self.position = 0;
        }
        Ok(&self.buffer[self.position..])
    }

    fn consume(&mut self, count: usize) {
        self.position = (self.position + count).min(self.buffer.len());
    }
}
