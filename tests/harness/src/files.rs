//! Files that a guest or the host writes while a test waits.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, inotify, mkfifoat};
use rustix::io::retry_on_intr;

use crate::PATIENCE;

/// What `find` makes of the text of `path`, as soon as it makes something; a missing file is an empty text.
///
/// # Panics
/// After [`PATIENCE`], naming `what` was waited for; or if the file's folder is not there.
pub fn wait_until<T>(path: &Path, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
    let folder = path.parent().expect("a file lies in a folder");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).expect("inotify");
    let events = inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::CREATE
        | inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&watch, folder, events).expect("the folder can be watched");
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Read after the watch was set, so that no change falls in between.
        let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        if let Some(found) = find(&text) {
            return found;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited for {what} in {}; there is:\n{text}", path.display());
        let timeout = Timespec::try_from(left.min(Duration::from_secs(3600))).expect("an hour fits");
        let mut watched = [PollFd::new(&watch, PollFlags::IN)];
        retry_on_intr(|| poll(&mut watched, Some(&timeout))).expect("polling inotify");
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        while reader.next().is_ok() {}
    }
}

/// Makes a pipe with a name: whoever opens it to read waits until somebody writes.
pub fn make_fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("a new file in a folder of ours");
}

/// Waits until `path` has `line` as one of its lines. Panics as [`wait_until`] does.
pub fn wait_for_line(path: &Path, line: &str) {
    wait_until(path, &format!("the line {line:?}"), |text| text.lines().any(|other| other == line).then_some(()));
}
