//! The fuzz targets as ordinary tests: over their corpora, then over inputs mutated from these, the same each time.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use wasgi_fuzz::TARGETS;
use wasgi_harness::guest;

use mutate::Mutator;

#[test]
fn bundles_and_asks_of_any_bytes_are_refused_or_lead_nowhere() {
    replay("bundle");
}

#[test]
fn components_of_any_bytes_are_refused_or_served() {
    replay("component");
}

#[test]
fn host_toml_of_any_text_is_sound_or_refused_in_one_line() {
    replay("config");
}

#[test]
fn any_request_has_an_environ_that_keeps_the_rules() {
    replay("environ");
}

#[test]
fn any_bytes_on_a_connection_are_answered_or_the_connection_ends() {
    replay("front");
}

#[test]
fn heads_are_taken_when_they_are_valid_and_only_then() {
    replay("head");
}

#[test]
fn generated_guests_cannot_harm_the_host() {
    replay("smith");
}

#[test]
fn small_texts_are_refused_in_one_line_or_come_back_the_same() {
    replay("text");
}

#[test]
fn each_target_has_a_corpus_and_a_program() {
    for target in TARGETS {
        let inputs = files(&folder("corpus").join(target.name));
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        let program = folder("cargo-fuzz/fuzz_targets").join(target.name).with_added_extension("rs");
        assert!(program.is_file(), "{} is missing", program.display());
    }
    let size: u64 = TARGETS
        .iter()
        .flat_map(|target| files(&folder("corpus").join(target.name)))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(size < 1 << 20, "the corpora have {size} bytes; minimise them with cargo fuzz cmin");
}

/// Runs the target over its corpus, then over what is mutated from it.
fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for file in files(&folder("corpus").join(name)).into_iter().chain(guests(name)) {
        let seed = std::fs::read(&file).unwrap();
        run(target.run, &seed, || file.clone());
        seeds.push(seed);
    }
    let dictionary = std::fs::read_to_string(folder("dict").join(name).with_added_extension("dict"));
    let mut mutator = Mutator::new(name, seeds, &dictionary.unwrap_or_default());
    for number in 0..target.runs {
        let input = mutator.next();
        run(target.run, &input, || {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{number}"));
            std::fs::write(&file, &input).unwrap();
            file
        });
    }
}

/// Runs one input; a failure tells where the input can be found.
fn run(target: fn(&[u8]), input: &[u8], file: impl FnOnce() -> PathBuf) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("{} breaks an invariant, which is told above", file().display());
    }
}

/// Real components among the seeds of those that have to be components: too large to be in a corpus.
fn guests(target: &str) -> Vec<PathBuf> {
    if target == "component" { ["nested", "init-nested", "hello"].map(guest).into() } else { Vec::new() }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
