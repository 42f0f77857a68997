//! Why a benchmark could not run.

use std::fmt::Display;

/// What failed and why, in one line: there is nobody but the reader to handle it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

/// What nearly everything here returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Puts what was tried before an error's own text.
pub(crate) trait Explain<T> {
    /// `what` is such as "cannot start nginx".
    fn explain(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Display> Explain<T> for std::result::Result<T, E> {
    fn explain(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure(format!("{}: {error}", what())))
    }
}
