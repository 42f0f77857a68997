//! Lines on their way to a file or pipe, written by a thread of their own.
//!
//! A thread that is woken for each line costs more than the line (`tracing-appender` took an eighth
//! of all processor time of a small app), so lines gather for a moment and go out in one write.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that wait for a slow reader before further lines are dropped.
const QUEUE_MAX: usize = 4 << 20;

/// How long lines gather. Short enough for somebody who watches.
const GATHER: Duration = Duration::from_millis(20);

/// How long the end of the process waits for the last lines to be read.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Takes lines; never blocks on the reader. Clones write to the same place.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Lines that found the queue full.
    dropped: u64,
    closed: bool,
    finished: bool,
}

/// Writes out what is queued when dropped, unless the reader stalls.
#[derive(Debug)]
pub struct Flush {
    lines: Lines,
}

impl Lines {
    /// Starts the thread that writes to `target`.
    ///
    /// # Errors
    /// When the operating system refuses the thread.
    pub(super) fn start(target: impl Write + Send + 'static) -> io::Result<(Self, Flush)> {
        let lines = Self(Arc::default());
        let shared = Arc::clone(&lines.0);
        std::thread::Builder::new().name("log-writer".into()).spawn(move || shared.write_to(target))?;
        Ok((lines.clone(), Flush { lines }))
    }

    /// Queues one line, with its end.
    pub(super) fn push(&self, line: &[u8]) {
        let mut queue = self.0.queue();
        if queue.bytes.len() + line.len() > QUEUE_MAX {
            queue.dropped += 1;
            return;
        }
        let was_empty = queue.bytes.is_empty();
        queue.bytes.extend_from_slice(line);
        drop(queue);
        if was_empty {
            self.0.changed.notify_one();
        }
    }
}

/// For `tracing`, which hands over an event at a time.
impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Appending and swapping leave nothing half-done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut target: impl Write) {
        let mut batch = Vec::new();
        loop {
            let waiting = |queue: &mut Queue| queue.bytes.is_empty() && !queue.closed;
            let queue = self.changed.wait_while(self.queue(), waiting).unwrap_or_else(PoisonError::into_inner);
            let gathering = |queue: &mut Queue| !queue.closed;
            let (mut queue, _) =
                self.changed.wait_timeout_while(queue, GATHER, gathering).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut queue.bytes, &mut batch);
            let dropped = std::mem::take(&mut queue.dropped);
            let closed = queue.closed;
            drop(queue);
            // A reader that is gone takes no lines; the host serves on.
            let _ = target.write_all(&batch);
            if dropped > 0 {
                let _ = writeln!(target, "({dropped} lines dropped: the reader of this log is too slow)");
            }
            let _ = target.flush();
            batch.clear();
            if closed {
                self.queue().finished = true;
                self.changed.notify_all();
                return;
            }
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let shared = &self.lines.0;
        shared.queue().closed = true;
        shared.changed.notify_all();
        // Not a join: a reader that never reads again must not keep the host from ending.
        let unfinished = |queue: &mut Queue| !queue.finished;
        drop(shared.changed.wait_timeout_while(shared.queue(), FLUSH_MAX, unfinished));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes each write when the test lets it.
    struct Gated(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_queued_is_written_by_the_end() {
        let (gate, gated) = mpsc::channel();
        drop(gate);
        let written = Arc::default();
        let (lines, flush) = Lines::start(Gated(gated, Arc::clone(&written))).unwrap();
        for number in 0..100 {
            lines.push(format!("line {number}\n").as_bytes());
        }
        drop(flush);
        assert_eq!(written.lock().unwrap().iter().filter(|byte| **byte == b'\n').count(), 100);
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_is_told_so() {
        let (gate, gated) = mpsc::channel();
        let written = Arc::default();
        let (lines, flush) = Lines::start(Gated(gated, Arc::clone(&written))).unwrap();
        let line = vec![b'x'; QUEUE_MAX / 4];
        // At most four wait and four are being written.
        for _ in 0..10 {
            lines.push(&line);
        }
        drop(gate);
        drop(flush);
        let written = written.lock().unwrap();
        assert!(written.len() <= 8 * line.len() + 100);
        assert!(String::from_utf8_lossy(&written).contains("lines dropped"));
    }
}
