//! A part of a file, read as it is sent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::Cut;
use crate::own_threads;

/// Bytes that are read at once, and all of a file that is in memory: more is no faster.
const PIECE: u64 = 256 << 10;

/// A part of an open file. The next piece is read when the one before has been taken, on a thread that
/// may wait for the disk.
#[derive(Debug)]
pub struct FilePart {
    file: Arc<File>,
    offset: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FilePart {
    /// `length` bytes from `offset`. The file must have them.
    pub fn new(file: File, offset: u64, length: u64) -> Self {
        Self { file: Arc::new(file), offset, left: length, reading: None }
    }

    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next piece, never empty; `None` at the end. A file that cannot be read is a cut.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (file, offset, length) = (&self.file, self.offset, self.left.min(PIECE));
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            own_threads::spawn(move || {
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes.into())
            })
        });
        let read = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other).and_then(|read| read);
        self.reading = None;
        Poll::Ready(match read {
            Ok(bytes) => {
                self.offset += bytes.len() as u64;
                self.left -= bytes.len() as u64;
                Some(Ok(bytes))
            }
            Err(error) => {
                tracing::error!(%error, "cannot read a file of a bundle that is being sent; see that bundles are left alone");
                self.left = 0;
                Some(Err(Cut))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;

    use super::*;

    async fn all(part: &mut FilePart) -> Result<Vec<usize>, Cut> {
        let mut pieces = Vec::new();
        while let Some(piece) = poll_fn(|context| part.poll_next(context)).await {
            pieces.push(piece?.len());
        }
        Ok(pieces)
    }

    fn file(size: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; size]).unwrap();
        file
    }

    #[tokio::test]
    async fn a_part_comes_in_bounded_pieces_and_ends() {
        let size = 2 * PIECE + 10;
        let mut part = FilePart::new(file(usize::try_from(size).unwrap()), 3, size - 3);
        let piece = usize::try_from(PIECE).unwrap();
        assert_eq!(all(&mut part).await, Ok(vec![piece, piece, 7]));
        assert_eq!(part.left(), 0);
        assert_eq!(all(&mut FilePart::new(file(5), 5, 0)).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_cut() {
        let mut part = FilePart::new(file(5), 0, 6);
        assert_eq!(all(&mut part).await, Err(Cut));
        assert_eq!(all(&mut part).await, Ok(vec![]));
    }
}
