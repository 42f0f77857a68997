//! Opening what lies in a folder, and nothing that a link leads to.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};

/// Opens the file at a path of plain segments beneath `folder`, for reading. No segment is followed if it is a link,
/// and a FIFO does not block.
///
/// # Errors
/// What the operating system says; a link is `ELOOP` or `ENOTDIR`.
pub(super) fn open_file(folder: &File, path: &str) -> io::Result<File> {
    open(folder, path, OFlags::RDONLY | OFlags::NONBLOCK)
}

/// Opens the folder at such a path; the empty one is `folder` itself.
///
/// # Errors
/// What the operating system says.
pub(super) fn open_folder(folder: &File, path: &str) -> io::Result<File> {
    let path = if path.is_empty() { "." } else { path };
    open(folder, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

fn open(folder: &File, path: &str, flags: OFlags) -> io::Result<File> {
    let always = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut at: Option<OwnedFd> = None;
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        // Names that lead anywhere else were refused long before.
        if matches!(segment, "" | "..") {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let within = at.as_ref().map_or(folder.as_fd(), AsFd::as_fd);
        let flags = if segments.peek().is_some() { OFlags::PATH | OFlags::DIRECTORY } else { flags };
        at = Some(openat(within, segment, flags | always, Mode::empty())?);
    }
    at.map(File::from).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
