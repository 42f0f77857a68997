//! The guests that `cargo xtask guests` has built.

use std::path::PathBuf;

use crate::place::target;

// `for_each_fixture!`, as the build script has taken it over.
include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

/// The folder of the built guests.
pub fn guests_dir() -> PathBuf {
    target().join("guests")
}

/// The file of the guest `name`.
///
/// # Panics
/// If it is not built.
pub fn guest(name: &str) -> PathBuf {
    let path = guests_dir().join(name).with_added_extension("wasm");
    assert!(path.is_file(), "{} is missing: run cargo xtask test", path.display());
    path
}
