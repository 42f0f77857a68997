//! Takes over the names of the guests that `cargo xtask guests` has built.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let var = |name| env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let workspace = PathBuf::from(var("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir));
    let names = target.join("guests/fixtures.rs");
    println!("cargo::rerun-if-changed={}", names.display());
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    let source = fs::read_to_string(&names).unwrap_or_else(|_| {
        println!("cargo::warning=the test guests are not built, so most tests will fail: run cargo xtask test");
        "/// No guest is built.\nmacro_rules! for_each_fixture {\n    ($with:ident) => {};\n}\n".to_owned()
    });
    // It is written for the crate that includes it; tests in other crates want it too.
    let (constants, each) =
        source.split_once("macro_rules!").unwrap_or_else(|| panic!("no macro in {}", names.display()));
    let exported = format!("{constants}#[macro_export]\nmacro_rules!{each}");
    let output = PathBuf::from(var("OUT_DIR")).join("fixtures.rs");
    fs::write(&output, exported).unwrap_or_else(|error| panic!("cannot write {}: {error}", output.display()));
}
