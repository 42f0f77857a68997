//! Whether this machine swaps, and when it begins to.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;

/// Where the swap areas in use are listed: a heading, then a line for each.
#[derive(Clone, Debug)]
pub(crate) struct Swaps {
    path: PathBuf,
    /// How often to look although the kernel has not told of a change.
    again: Duration,
}

impl Swaps {
    /// Those of this machine.
    pub(crate) fn of_this_machine() -> Self {
        // A file of a test tells of no change.
        fail::fail_point!("swaps", |path| Self {
            path: path.unwrap_or_default().into(),
            again: Duration::from_millis(10),
        });
        Self { path: "/proc/swaps".into(), again: Duration::from_secs(10) }
    }

    /// Those of a list that a test writes.
    #[cfg(test)]
    pub(crate) fn listed_in(path: &std::path::Path) -> Self {
        Self { path: path.into(), again: Duration::from_millis(1) }
    }

    /// Whether there are any now.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub(crate) fn any(&self) -> io::Result<bool> {
        any_listed(&mut File::open(&self.path)?)
    }

    /// Resolves when there are some, or soon after `is_over` says that nobody needs to know. The kernel reports a
    /// change of its list as priority data, which takes a thread to wait for: the file cannot be registered with
    /// tokio without `unsafe`.
    ///
    /// # Errors
    /// When the list cannot be read, or a thread not be had.
    pub(crate) async fn appear(&self, is_over: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
        let (sender, appeared) = oneshot::channel();
        let swaps = self.clone();
        std::thread::Builder::new().name("swap-watch".into()).spawn(move || {
            let outcome = swaps.wait(|| sender.is_closed() || is_over());
            // Nobody may wait for it any more.
            let _ = sender.send(outcome);
        })?;
        appeared.await.map_err(io::Error::other)?
    }

    /// Waits until there are some, or `is_over`.
    fn wait(&self, is_over: impl Fn() -> bool) -> io::Result<()> {
        let mut list = File::open(&self.path)?;
        let timeout = Timespec::try_from(self.again).map_err(io::Error::other)?;
        while !any_listed(&mut list)? && !is_over() {
            match poll(&mut [PollFd::new(&list, PollFlags::PRI)], Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn any_listed(list: &mut File) -> io::Result<bool> {
    let mut text = String::new();
    list.rewind()?;
    list.read_to_string(&mut text)?;
    Ok(any_swap(&text))
}

/// Whether the text of a list names an area.
fn any_swap(list: &str) -> bool {
    list.lines().skip(1).any(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    const AREA: &str = "/dev/sda2                               partition\t1048572\t\t0\t\t-2\n";

    #[test]
    fn a_heading_alone_is_no_swap() {
        assert!(!any_swap(HEADING));
        assert!(!any_swap(""));
        assert!(any_swap(&format!("{HEADING}{AREA}")));
    }

    #[tokio::test]
    async fn swap_that_appears_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("swaps");
        std::fs::write(&path, HEADING).unwrap();
        let swaps = Swaps::listed_in(&path);
        assert!(!swaps.any().unwrap());
        let mut appear = Box::pin(swaps.appear(|| false));
        assert!(futures_util::poll!(&mut appear).is_pending());
        std::fs::write(&path, format!("{HEADING}{AREA}")).unwrap();
        appear.await.unwrap();
        assert!(swaps.any().unwrap());
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_is_told() {
        let swaps = Swaps { path: "/nowhere/swaps".into(), again: Duration::from_secs(1) };
        swaps.any().unwrap_err();
        swaps.appear(|| false).await.unwrap_err();
    }

    #[test]
    fn nobody_is_waited_for_in_vain() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("swaps");
        std::fs::write(&path, HEADING).unwrap();
        Swaps::listed_in(&path).wait(|| true).unwrap();
    }
}
