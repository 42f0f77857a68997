//! What an application returns.

use std::fmt::Display;

/// The rest of the response body, after all writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// These bytes, of any size: what is over 256 KiB goes out in chunks.
    Bytes(Vec<u8>),
    /// A part of a file of the application's own bundle, sent by the host.
    File {
        /// Path of a regular file under `/app`, without `..`.
        path: String,
        /// First byte.
        offset: u64,
        /// Number of bytes; to the end of the file if `None`.
        length: Option<u64>,
    },
}

impl Body {
    /// No more bytes.
    pub const fn empty() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

/// What a function under `#[wasgi_guest::application]` may return.
///
/// An error is answered with 500 and its text goes to the log; if the head is with the client already,
/// the application traps with it, so that the client sees the answer cut off (rule 53).
pub trait Answer {
    /// The body, or the text of the error.
    ///
    /// # Errors
    /// The text of what the application returned as its error.
    fn into_body(self) -> Result<Body, String>;
}

macro_rules! answers {
    ($($type:ty),*) => {
        $(impl Answer for $type {
            fn into_body(self) -> Result<Body, String> {
                Ok(self.into())
            }
        })*
    };
}

answers!(Body, Vec<u8>, &[u8], String, &str, ());

impl<A: Answer, E: Display> Answer for Result<A, E> {
    fn into_body(self) -> Result<Body, String> {
        self.map_err(|error| error.to_string())?.into_body()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_its_text() {
        let answer: Result<&str, std::num::ParseIntError> = "x".parse::<u8>().map(|_| "unreachable");
        assert_eq!(answer.into_body(), Err("invalid digit found in string".to_owned()));
    }

    #[test]
    fn nothing_is_an_empty_body() {
        assert_eq!(().into_body(), Ok(Body::empty()));
    }
}
