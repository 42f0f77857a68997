//! Fuzz targets: each a plain function of bytes that panics where an invariant does not hold.
//!
//! `tests/replay.rs` runs them as ordinary tests: over `corpus/TARGET/*`, and over a fixed number of inputs mutated
//! from these with a fixed seed. `cargo-fuzz/` is a package outside of the workspace that gives the same functions to
//! libFuzzer. What libFuzzer finds goes into the corpus, and is a test from then on.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a target tells what it found by panicking")]

mod bundle;
mod component;
mod config;
mod environ;
mod front;
mod head;
mod input;
mod loading;
mod smith;
mod text;
mod wire;

pub use bundle::bundle;
pub use component::component;
pub use config::config;
pub use environ::environ;
pub use front::front;
pub use head::head;
pub use smith::smith;
pub use text::text;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its corpus and of its program for libFuzzer.
    pub name: &'static str,
    /// What is run with each input.
    pub run: fn(&[u8]),
    /// How many mutated inputs the ordinary tests run: as many as take some seconds.
    pub runs: u32,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "bundle", run: bundle, runs: 20_000 },
    Target { name: "component", run: component, runs: 600 },
    Target { name: "config", run: config, runs: 50_000 },
    Target { name: "environ", run: environ, runs: 50_000 },
    Target { name: "front", run: front, runs: 6_000 },
    Target { name: "head", run: head, runs: 50_000 },
    Target { name: "smith", run: smith, runs: 600 },
    Target { name: "text", run: text, runs: 50_000 },
];
