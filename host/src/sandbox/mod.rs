//! The sandbox: knows wasmtime, and nothing of connections.
//!
//! Three lifetimes, each in its rooms. The *engine* (`engine`, `epoch`, `reset`, `room`, `swap`) lives as long as the
//! process; an *app* ([`app`], [`apps`], `deploy`, `code`, `exports`, `shelf`, [`pool`], [`prepare`]) as long as its version is deployed; an
//! *instance* (`store`, [`instance`], `wear`) as long as the requests it serves.

pub mod app;
pub mod apps;
mod bindings;
mod code;
mod deploy;
pub(crate) mod engine;
pub(crate) mod epoch;
pub mod exports;
pub mod fault;
mod files;
pub mod gate;
pub mod host_calls;
pub mod http;
pub mod instance;
mod limiter;
pub mod meter;
mod outgoing;
pub mod output;
pub mod pool;
pub mod prepare;
mod program;
pub(crate) mod reset;
mod room;
mod shelf;
pub mod start_response;
mod store;
mod swap;
mod warm_up;
mod wasi;
mod wear;
