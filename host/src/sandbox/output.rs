//! What a guest prints: stdout, stderr and `wsgi.errors`, line by line into the log, under the
//! app's name and the request's id, bounded for each request.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::limits::AppLimits;
use crate::sandbox::fault::Fault;
use crate::text::printable;

/// Longest line shown; `log-line-max` has cut it before, escapes can make it longer again.
const LINE_CUT: usize = 64 * 1024;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// WASI standard output.
    Stdout,
    /// WASI standard error.
    Stderr,
    /// `wsgi.errors`.
    Errors,
}

/// The log of one app, under the id of one request.
pub trait GuestLog: Send + Sync {
    /// One line without its end, free of control characters.
    fn line(&self, channel: Channel, line: &str);
    /// Told once per request that passed its limit: how many bytes were dropped.
    fn dropped(&self, bytes: u64);
    /// Why the request got no proper answer.
    fn fault(&self, fault: &Fault);
}

/// The output of one instance during one request. Clones share the same budget and lines.
#[derive(Clone)]
pub(crate) struct Output {
    shared: Arc<Mutex<Lines>>,
    /// Streams that the guest holds; `initialize` must not leave other handles than these.
    open_streams: Arc<AtomicUsize>,
}

struct Lines {
    sink: Arc<dyn GuestLog>,
    line_max: usize,
    left: u64,
    dropped: u64,
    /// Unfinished lines, by channel.
    partial: [Vec<u8>; 3],
}

impl Channel {
    /// As it stands in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Errors => "wsgi.errors",
        }
    }
}

impl Output {
    /// Output of a new instance; call [`Output::begin`] before its first request.
    pub(crate) fn new(limits: &AppLimits, sink: Arc<dyn GuestLog>) -> Self {
        let lines = Lines {
            sink,
            line_max: usize::try_from(limits.log_line_max.bytes()).unwrap_or(usize::MAX),
            left: limits.log_max.bytes(),
            dropped: 0,
            partial: Default::default(),
        };
        Self { shared: Arc::new(Mutex::new(lines)), open_streams: Arc::default() }
    }

    /// Points the output at the next request of a reused instance, with a new budget.
    pub(crate) fn begin(&self, limits: &AppLimits, sink: Arc<dyn GuestLog>) {
        let mut lines = self.lines();
        lines.flush();
        lines.left = limits.log_max.bytes();
        lines.sink = sink;
    }

    /// Writes what is unfinished and tells what was dropped: the request is over.
    pub(crate) fn end(&self) {
        self.lines().flush();
    }

    /// Takes bytes of one channel.
    pub(crate) fn write(&self, channel: Channel, bytes: &[u8]) {
        self.lines().write(channel, bytes);
    }

    /// The WASI stream of a channel.
    pub(crate) fn stream(&self, channel: Channel) -> Stdio {
        Stdio { output: self.clone(), channel }
    }

    /// How many WASI streams the guest holds.
    pub(crate) fn open_streams(&self) -> usize {
        self.open_streams.load(Ordering::Relaxed)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // A panic while logging leaves at worst a half-finished line.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn write(&mut self, channel: Channel, bytes: &[u8]) {
        let kept = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left -= kept as u64;
        self.dropped += (bytes.len() - kept) as u64;
        let mut rest = &bytes[..kept];
        while !rest.is_empty() {
            let partial = &mut self.partial[channel as usize];
            let room = self.line_max.max(1) - partial.len();
            let end = rest.iter().take(room).position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(room.min(rest.len()));
            partial.extend_from_slice(&rest[..taken]);
            rest = &rest[taken + usize::from(end.is_some())..];
            if end.is_some() || partial.len() >= self.line_max {
                self.emit(channel);
            }
        }
    }

    fn emit(&mut self, channel: Channel) {
        let bytes = std::mem::take(&mut self.partial[channel as usize]);
        let text = printable(String::from_utf8_lossy(&bytes).trim_end_matches('\r'), LINE_CUT);
        self.sink.line(channel, &text);
    }

    fn flush(&mut self) {
        for channel in [Channel::Stdout, Channel::Stderr, Channel::Errors] {
            if !self.partial[channel as usize].is_empty() {
                self.emit(channel);
            }
        }
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.sink.dropped(dropped);
        }
    }
}

/// A guest that is stopped is dropped in the middle of a line, and what it said last matters most.
impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

/// One WASI stream on a channel of the output. Never blocks the guest.
pub(crate) struct Stdio {
    output: Output,
    channel: Channel,
}

/// Most bytes a guest may write to stdout or stderr in one call.
const WRITE_PERMIT: usize = 64 * 1024;

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.opened())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.opened())
    }
}

impl Stdio {
    fn opened(&self) -> OpenStdio {
        self.output.open_streams.fetch_add(1, Ordering::Relaxed);
        OpenStdio { output: self.output.clone(), channel: self.channel }
    }
}

/// A stream handle that the guest holds; counted while it lives.
struct OpenStdio {
    output: Output,
    channel: Channel,
}

impl Drop for OpenStdio {
    fn drop(&mut self) {
        self.output.open_streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for OpenStdio {
    async fn ready(&mut self) {}
}

impl OutputStream for OpenStdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.output.write(self.channel, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for OpenStdio {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.output.write(self.channel, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<(Vec<String>, u64)>);

    impl GuestLog for Kept {
        fn line(&self, channel: Channel, line: &str) {
            self.0.lock().unwrap().0.push(format!("{}: {line}", channel.name()));
        }

        fn dropped(&self, bytes: u64) {
            self.0.lock().unwrap().1 += bytes;
        }

        fn fault(&self, _fault: &Fault) {}
    }

    fn output(log_max: &str, log_line_max: &str) -> (Output, Arc<Kept>) {
        let limits = AppLimits {
            log_max: log_max.parse().unwrap(),
            log_line_max: log_line_max.parse().unwrap(),
            ..AppLimits::default()
        };
        let kept = Arc::new(Kept::default());
        (Output::new(&limits, Arc::clone(&kept) as Arc<dyn GuestLog>), kept)
    }

    fn lines(kept: &Kept) -> Vec<String> {
        kept.0.lock().unwrap().0.clone()
    }

    #[test]
    fn channels_do_not_mix_and_unfinished_lines_come_at_the_end() {
        let (output, kept) = output("1KiB", "100");
        output.write(Channel::Stdout, b"one\ntw");
        output.write(Channel::Stderr, b"err\r\n");
        output.write(Channel::Stdout, b"o");
        assert_eq!(lines(&kept), ["stdout: one", "stderr: err"]);
        output.end();
        assert_eq!(lines(&kept), ["stdout: one", "stderr: err", "stdout: two"]);
    }

    #[test]
    fn the_last_words_of_a_guest_that_is_stopped_are_kept() {
        let (output, kept) = output("1KiB", "100");
        output.write(Channel::Stderr, b"about to loo");
        drop(output);
        assert_eq!(lines(&kept), ["stderr: about to loo"]);
    }

    #[test]
    fn a_line_is_cut_at_its_limit_and_an_empty_line_is_a_line() {
        let (output, kept) = output("1KiB", "4");
        output.write(Channel::Errors, b"abcdef\n\n");
        assert_eq!(lines(&kept), ["wsgi.errors: abcd", "wsgi.errors: ef", "wsgi.errors: "]);
    }

    #[test]
    fn what_passes_the_limit_is_dropped_and_counted() {
        let (output, kept) = output("4", "100");
        output.write(Channel::Stdout, b"abcd");
        output.write(Channel::Stdout, b"ef\n");
        output.end();
        assert_eq!(lines(&kept), ["stdout: abcd"]);
        assert_eq!(kept.0.lock().unwrap().1, 3);
    }

    #[test]
    fn control_characters_cannot_forge_lines() {
        let (output, kept) = output("1KiB", "100");
        output.write(Channel::Stdout, b"a\x1b[2Jb\rc\n");
        assert_eq!(lines(&kept), [r"stdout: a\u{1b}[2Jb\rc"]);
    }
}
