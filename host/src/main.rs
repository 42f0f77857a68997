//! The `wasgi` command. All of it is in the library, so that embedders and tests share it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Reads the environment variable FAILPOINTS in builds with the `failpoints` feature; else nothing.
    let _failpoints = fail::FailScenario::setup();
    wasgi::cli::run()
}
