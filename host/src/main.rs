//! The `wasgi` command. All of it is in the library, so that embedders and tests share it.

use std::process::ExitCode;

/// Every request allocates a store and frees it on whichever thread ran last: mimalloc is made for
/// that, and an eighth of a small request's time went into libc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Reads the environment variable FAILPOINTS in builds with the `failpoints` feature; else nothing.
    let _failpoints = fail::FailScenario::setup();
    wasgi::cli::run()
}
