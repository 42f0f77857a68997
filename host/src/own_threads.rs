//! Threads for what the host itself does with files.
//!
//! The file calls of guests run on tokio's blocking threads, and one in a directory that hangs (a dead mount) never
//! gives its thread back. Request bodies and code that is loaded must not wait behind such calls.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Many for a disk, few for a machine.
const THREADS_MAX: usize = 64;

/// Only its blocking threads are used; they come when they are needed, and go when they are not.
static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().thread_name("wasgi-files").max_blocking_threads(THREADS_MAX).build();
    runtime.ok()
});

/// Does `work` where it may block.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match &*THREADS {
        Some(threads) => threads.spawn_blocking(work),
        // Not refused in practice: it takes no thread and no file yet.
        None => tokio::task::spawn_blocking(work),
    }
}
