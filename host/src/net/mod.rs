//! The network: knows hyper, and nothing of the sandbox's engine.

pub mod body;
pub mod io;
pub mod listen;
pub mod progress;
pub mod reply;
pub mod server;
pub mod spool;
