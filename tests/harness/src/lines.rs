//! What a process prints, line by line, and waiting for a line.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::PATIENCE;

/// The lines that a process has printed so far to one of its outputs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What it is, for messages.
    name: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Collects the lines of `source` on a thread of its own, until it ends.
    pub(crate) fn follow(name: &'static str, source: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::new(Shared { name, state: Mutex::default(), changed: Condvar::new() }));
        let shared = Arc::clone(&lines.0);
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
                shared.lock().lines.push(text);
                shared.changed.notify_all();
                line.clear();
            }
            shared.lock().ended = true;
            shared.changed.notify_all();
        });
        lines
    }

    /// The first line with `text` in it, once it is there.
    ///
    /// # Panics
    /// If the process ends without it, or after [`PATIENCE`].
    pub fn wait(&self, text: &str) -> String {
        self.wait_with(&[text])
    }

    /// The first line with all of `texts` in it, once it is there. Panics as [`Lines::wait`] does.
    pub fn wait_with(&self, texts: &[&str]) -> String {
        self.wait_count(1, texts).remove(0)
    }

    /// The first `count` lines with all of `texts` in them, once they are there. Panics as [`Lines::wait`] does.
    pub fn wait_count(&self, count: usize, texts: &[&str]) -> Vec<String> {
        self.wait_until(&format!("{count} line(s) with {texts:?}"), |lines| {
            let matching = lines.iter().filter(|line| texts.iter().all(|text| line.contains(text)));
            let found: Vec<_> = matching.take(count).cloned().collect();
            (found.len() == count).then_some(found)
        })
    }

    /// What `find` makes of the lines so far, as soon as it makes something. Panics as [`Lines::wait`] does, naming
    /// `what` was waited for.
    pub fn wait_until<T>(&self, what: &str, mut find: impl FnMut(&[String]) -> Option<T>) -> T {
        let mut found = None;
        let mut waiting = |state: &mut State| {
            found = find(&state.lines);
            found.is_none() && !state.ended
        };
        let changed = self.0.changed.wait_timeout_while(self.0.lock(), PATIENCE, &mut waiting);
        let (state, timeout) = changed.unwrap_or_else(PoisonError::into_inner);
        let why = if timeout.timed_out() { "it did not come" } else { "the process has ended" };
        found.unwrap_or_else(|| {
            panic!("waited for {what} in the {}, but {why}; there is:\n{}", self.0.name, last(&state.lines))
        })
    }

    /// The lines so far.
    pub fn so_far(&self) -> Vec<String> {
        self.0.lock().lines.clone()
    }

    /// All lines, once the process has ended. Panics after [`PATIENCE`].
    pub fn all(&self) -> Vec<String> {
        let ended = self.0.changed.wait_timeout_while(self.0.lock(), PATIENCE, |state| !state.ended);
        let (state, _) = ended.unwrap_or_else(PoisonError::into_inner);
        assert!(state.ended, "the {} does not end:\n{}", self.0.name, last(&state.lines));
        state.lines.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while waiting has changed nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last lines, enough for a failed test.
pub(crate) fn last(lines: &[String]) -> String {
    const SHOWN_MAX: usize = 40;
    lines[lines.len().saturating_sub(SHOWN_MAX)..].join("\n")
}
