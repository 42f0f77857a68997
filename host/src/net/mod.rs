//! The network: knows hyper, never wasmtime.

pub mod body;
pub mod io;
pub mod listen;
pub mod reply;
pub mod server;
pub mod spool;
