//! The request body, as handlers and services want it.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{Environ, Input, InputError};

/// The largest piece in which the body is handed on, in bytes.
const PIECE: u64 = 64 * 1024;

/// The body of a request: an `http_body::Body` for services, `std::io::Read` for plain functions.
///
/// It is read from the host as it is asked for, and nothing of it is kept.
#[derive(Debug)]
pub struct RequestBody {
    /// Why there is none is told to who reads it, and only then.
    input: Result<Input, InputError>,
    /// What is still to come, in bytes, if the client said.
    left: Option<u64>,
}

impl RequestBody {
    pub(super) fn new(environ: &Environ) -> Self {
        Self { input: environ.input(), left: environ.content_length() }
    }

    fn piece(&mut self) -> Result<Vec<u8>, InputError> {
        let piece = self.input.as_mut().map_err(|error| *error)?.read_chunk(PIECE)?;
        self.took(piece.len());
        Ok(piece)
    }

    fn took(&mut self, count: usize) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(count as u64);
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = InputError;

    /// Always ready: reading blocks in the host, where it costs no CPU.
    fn poll_frame(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InputError>>> {
        let frame = match self.get_mut().piece() {
            Ok(piece) if piece.is_empty() => None,
            Ok(piece) => Some(Ok(Frame::data(piece.into()))),
            Err(error) => Some(Err(error)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Read for RequestBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.as_mut().map_err(|error| *error)?.read(into)?;
        self.took(count);
        Ok(count)
    }
}
