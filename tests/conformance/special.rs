//! How the proofs of a rule in one language differ from those in Rust, which the table has.

use crate::table::{Coverage, Test};

/// What a language has of its own for a rule.
pub(crate) enum Special {
    /// More tests, with those of Rust if it has any.
    Besides(Vec<Test>),
    /// These, or a reason, and none of Rust's.
    Instead(Coverage),
}

/// The coverage of a rule in a language with this of its own, where that of Rust is `rust`.
pub(crate) fn coverage(rust: &Coverage, special: Option<Special>) -> Coverage {
    match (rust, special) {
        (_, Some(Special::Instead(tests))) => tests,
        (Coverage::Tests(tests), Some(Special::Besides(more))) => Coverage::Tests([tests.as_slice(), &more].concat()),
        (_, Some(Special::Besides(tests))) => Coverage::Tests(tests),
        (same, None) => same.clone(),
    }
}

/// More tests, by `tests!`.
pub(crate) fn besides(coverage: Coverage) -> Special {
    let Coverage::Tests(tests) = coverage else { unreachable!("made by tests!") };
    Special::Besides(tests)
}
