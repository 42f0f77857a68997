//! wasgi, the WebAssembly Server Gateway Interface: serves untrusted web applications from `.wasm`
//! components, each request in an instance of its own.
//!
//! The modules in reading order: [`gateway`] tells the story of one request. Its leaves are pure:
//! [`request_check`], [`router`], [`environ`], [`incoming`], [`head`], [`cgi`], [`error`]. What passes between them:
//! [`input`], [`reply`], [`client`], [`visit`]; [`requests`] counts them. What an app
//! brings along besides its code is read by [`bundle`]. On one side is [`net`],
//! which knows hyper; on the other [`sandbox`], which knows wasmtime. [`host`] puts them together from
//! a [`config`]. Apart from all that, [`build`] makes apps of their sources.
//!
//! # Embedding
//!
//! ```no_run
#![doc = include_str!("../../examples/embed/src/main.rs")]
//! ```

pub mod access_log;
pub mod authority;
pub mod build;
pub mod bundle;
pub mod cgi;
pub mod cli;
pub mod client;
pub mod config;
pub mod environ;
pub mod error;
pub mod gateway;
pub mod head;
pub mod host;
pub mod incoming;
pub mod input;
pub mod limits;
pub mod native;
pub mod net;
mod own_threads;
pub mod reply;
pub mod request_check;
pub mod request_id;
pub mod requests;
pub mod router;
pub mod sandbox;
pub mod shutdown;
pub mod telemetry;
pub mod text;
pub mod visit;
