//! `wasgi-bench`: what `cargo xtask bench` runs once everything is built.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasgi_bench::run(std::env::args().skip(1))
}
