//! What a guest can do wrong, told apart from what the host did wrong.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::input::InputError;
use crate::sandbox::meter::Overrun;
use crate::sandbox::start_response::Misuse;
use crate::text::printable;

/// Why a request got no proper answer from its guest.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The guest stopped abnormally. The text is for the log: it holds the guest's function names.
    #[error("the guest trapped: {0}")]
    Trap(String),
    /// The guest trapped after it was refused memory.
    #[error("the guest ran out of memory (memory-max): {0}")]
    OutOfMemory(String),
    /// The guest called WASI `exit`, which ends an instance without an answer.
    #[error("the guest called exit({0}); an application returns instead")]
    Exit(i32),
    /// A program ended, and said that it had failed.
    #[error("the program ended with exit code {0}; 0 means success")]
    Failed(i32),
    /// The guest was stopped over one of its budgets.
    #[error("{overrun}{}", backtrace.as_ref().map(|at| format!("; it was at: {at}")).unwrap_or_default())]
    Overrun {
        /// Which budget.
        overrun: Overrun,
        /// Where it was, when it was computing.
        backtrace: Option<String>,
    },
    /// The guest broke the rules of the gateway interface.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The client left, and the guest gave up: nobody is there to be answered.
    #[error("the client left before its response was whole")]
    ClientLeft,
    /// The host could not read back the request body that it had spooled.
    #[error("the spooled request body cannot be read back, so the guest was stopped: {0}; check the disk of spool-dir")]
    Spool(String),
    /// The host could not read the bundled file that the app returned.
    #[error("{0}")]
    Bundle(String),
    /// The host could not make an instance.
    #[error("cannot instantiate the component: {0}")]
    Instantiate(String),
}

/// Longest trap text kept: function names come from the guest.
const TEXT_MAX: usize = 4 * 1024;

impl Fault {
    /// Reads what made a call of the guest fail. `out_of_memory` tells whether the store's limiter
    /// had refused memory, which wasmtime itself reports as an ordinary trap.
    pub(crate) fn from_call(error: &wasmtime::Error, out_of_memory: bool) -> Self {
        if let Some(overrun) = error.downcast_ref::<Overrun>() {
            return Self::Overrun { overrun: *overrun, backtrace: backtrace(error) };
        }
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return Self::Exit(exit.0);
        }
        if let Some(InputError::Spool(why)) = error.downcast_ref() {
            return Self::Spool(why.clone());
        }
        if let Some(misuse) = error.downcast_ref::<Misuse>() {
            return Self::Misuse(misuse.clone());
        }
        let text = describe(error);
        if out_of_memory { Self::OutOfMemory(text) } else { Self::Trap(text) }
    }

    /// The kind of fault in logs and metrics: one of a closed set.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::OutOfMemory(_) => "out-of-memory",
            Self::Exit(_) | Self::Failed(_) => "exit",
            Self::Overrun { overrun: Overrun::Cpu, .. } => "cpu-max",
            Self::Overrun { overrun: Overrun::Wall, .. } => "wall-max",
            Self::Overrun { overrun: Overrun::Abandoned, .. } => "abandoned",
            Self::Misuse(_) => "misuse",
            Self::ClientLeft => "client-left",
            Self::Spool(_) => "spool-failed",
            Self::Bundle(_) => "bundle-failed",
            Self::Instantiate(_) => "instantiate",
        }
    }

    /// Reads what made an instantiation fail.
    pub(crate) fn from_instantiation(error: &wasmtime::Error, out_of_memory: bool) -> Self {
        // A start function is the guest's own doing: with a backtrace it was at work, whatever ended it.
        // A segment outside of its memory or table is a trap without one.
        if out_of_memory || error.is::<WasmBacktrace>() || error.is::<Overrun>() || error.is::<Trap>() {
            return Self::from_call(error, out_of_memory);
        }
        Self::Instantiate(describe(error))
    }
}

/// wasmtime's words for a limit, and our name of it, which wasmtime does not know.
const LIMITS_BY_WORDS: &[(&str, &str)] = &[
    ("hostcalls has been exhausted", "hostcall-max"),
    ("store handle limit exceeded", "handles-max"),
    ("resource table has no free keys", "handles-max"),
];

/// The cause and the guest's stack on one line, for the log.
fn describe(error: &wasmtime::Error) -> String {
    let cause = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let limit = LIMITS_BY_WORDS.iter().find(|(words, _)| cause.contains(words));
    let cause = limit.map(|(_, name)| format!("{cause} ({name})")).unwrap_or(cause);
    match backtrace(error) {
        Some(stack) => printable(&format!("{cause}; at: {stack}"), TEXT_MAX),
        None => printable(&cause, TEXT_MAX),
    }
}

/// The guest's function names, innermost first.
fn backtrace(error: &wasmtime::Error) -> Option<String> {
    let stack = error.downcast_ref::<WasmBacktrace>()?;
    let names: Vec<_> = stack
        .frames()
        .iter()
        .map(|frame| match frame.func_name() {
            // The alternate form leaves the compiler's hashes out.
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        })
        .collect();
    (!names.is_empty()).then(|| printable(&names.join(" < "), TEXT_MAX))
}
