//! Tests against the real binary: it starts `wasgi`, follows what it prints, and speaks to it byte by byte.
//!
//! - [`Host`] is a running `wasgi serve`; [`Wasgi`] is any command of it, run to its end.
//! - [`Conn`] is a raw HTTP/1.1 client that sends exactly the bytes it is given; [`Http2`] speaks HTTP/2, and
//!   [`frames`] are its bytes.
//! - [`Lines`] waits for a line of the log or of the access log; [`files`] waits for a file.
//! - [`guest`] names a test guest, and [`for_each_fixture!`] names them all.
//!
//! Nothing here sleeps. A test waits for an event (a line, a byte, a closed connection, an exit); [`PATIENCE`] is
//! only there so that a test whose event never comes fails rather than hangs.
//!
//! # A guest without a test does not compile
//! `cargo xtask guests` builds every guest into `target/guests` and writes their names beside them, which the build
//! script of this crate takes over as [`for_each_fixture!`]. `tests/e2e/fixtures.rs` asks for an item of each name,
//! so a guest that no test uses is a compile error there. Without built guests everything compiles, with a warning,
//! and each test that needs a guest says which one is missing.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a harness fails the test that uses it by panicking")]

mod client;
mod command;
pub mod files;
pub mod fixtures;
pub mod frames;
mod host;
mod http2;
mod lines;
mod place;
mod process;

pub use client::{BodyEnd, Conn, Ending, Head, Request, Response, Stream};
pub use command::{Outcome, Wasgi};
pub use fixtures::{guest, guests_dir};
pub use host::{Host, HostBuilder, Stopped};
pub use http2::{Http2, Http2Response, Http2Stream};
pub use lines::Lines;
pub use place::{Address, binary, cache_dir, go_tools, javascript_tools, python_tools, workspace};
pub use process::{children, eventually, is_gone};

/// How long a test waits for an event that should come at once, before it gives up.
///
/// Long enough for a debug build on a busy machine with two cores; no test takes this long unless it fails.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
