//! Why the host refused something; the same cases as in the WIT.

use std::error::Error;
use std::fmt;
use std::io;

use crate::bindings::app::wasgi::gateway::gateway as raw;

/// Why the request body cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputError {
    /// The input was taken before: there is one per request.
    Taken,
    /// The client has gone or broke off the body, or the handle is of an earlier request.
    Closed,
    /// The body, streamed without a length, has passed the host's `body-max`.
    TooLarge,
    /// The client sent nothing for longer than the host's `body-idle-max`.
    TimedOut,
}

/// Why a head was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// Called a second time without `exc_info` (PEP 3333 rule 51).
    AlreadyCalled,
    /// `exc_info` was given, but the head is with the client: stop with the error that led here (rule 53).
    HeadSent,
    /// The status is malformed; says how (rule 43).
    BadStatus(String),
    /// A header is malformed or not the application's to set; names it and says why (rules 45 to 47).
    BadHeader(String),
    /// More headers or header bytes than the host allows; says which limit.
    TooLarge(String),
    /// The client has gone, or the handle is of an earlier request.
    Closed,
}

/// Why a chunk was not sent; nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The client has gone, or the handle is of an earlier request: clean up and return (rule 65).
    Closed,
    /// The chunk would pass the Content-Length that the application set (rule 60).
    PastContentLength,
    /// A 204 or 304 response has no body.
    NoBodyAllowed,
    /// The chunk is over the host's `write-chunk-max`, in bytes. [`Writer`](crate::Writer) as
    /// `std::io::Write` cuts and tries again by itself.
    TooLarge(u64),
}

// === impl InputError ===

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "the request's input was taken before: there is one per request",
            Self::Closed => "the client has gone or broke off the request body",
            Self::TooLarge => "the request body is over the host's body-max",
            Self::TimedOut => "the client sent no more of the request body in time",
        })
    }
}

impl Error for InputError {}

impl From<raw::InputError> for InputError {
    fn from(error: raw::InputError) -> Self {
        match error {
            raw::InputError::Taken => Self::Taken,
            raw::InputError::Closed => Self::Closed,
            raw::InputError::TooLarge => Self::TooLarge,
            raw::InputError::TimedOut => Self::TimedOut,
        }
    }
}

impl From<InputError> for io::Error {
    fn from(error: InputError) -> Self {
        let kind = match error {
            InputError::Taken => io::ErrorKind::InvalidInput,
            InputError::Closed => io::ErrorKind::ConnectionReset,
            InputError::TooLarge => io::ErrorKind::FileTooLarge,
            InputError::TimedOut => io::ErrorKind::TimedOut,
        };
        Self::new(kind, error)
    }
}

// === impl StartError ===

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyCalled => f.write_str("start_response was called before; to replace the head, give exc_info"),
            Self::HeadSent => f.write_str("the head is with the client and cannot be replaced"),
            Self::BadStatus(why) => write!(f, "the status is malformed: {why}"),
            Self::BadHeader(why) => write!(f, "a header is refused: {why}"),
            Self::TooLarge(limit) => write!(f, "the head is over a limit of the host: {limit}"),
            Self::Closed => f.write_str("the client has gone"),
        }
    }
}

impl Error for StartError {}

impl From<raw::StartError> for StartError {
    fn from(error: raw::StartError) -> Self {
        match error {
            raw::StartError::AlreadyCalled => Self::AlreadyCalled,
            raw::StartError::HeadSent => Self::HeadSent,
            raw::StartError::BadStatus(why) => Self::BadStatus(why),
            raw::StartError::BadHeader(why) => Self::BadHeader(why),
            raw::StartError::TooLarge(limit) => Self::TooLarge(limit),
            raw::StartError::Closed => Self::Closed,
        }
    }
}

// === impl WriteError ===

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the client has gone"),
            Self::PastContentLength => f.write_str("the body would pass the Content-Length that was set"),
            Self::NoBodyAllowed => f.write_str("a 204 or 304 response has no body"),
            Self::TooLarge(most) => write!(f, "the chunk is over the host's write-chunk-max of {most} bytes"),
        }
    }
}

impl Error for WriteError {}

impl From<raw::WriteError> for WriteError {
    fn from(error: raw::WriteError) -> Self {
        match error {
            raw::WriteError::Closed => Self::Closed,
            raw::WriteError::PastContentLength => Self::PastContentLength,
            raw::WriteError::NoBodyAllowed => Self::NoBodyAllowed,
            raw::WriteError::TooLarge(most) => Self::TooLarge(most),
        }
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match error {
            WriteError::Closed => io::ErrorKind::BrokenPipe,
            WriteError::PastContentLength | WriteError::NoBodyAllowed => io::ErrorKind::InvalidInput,
            WriteError::TooLarge(_) => io::ErrorKind::FileTooLarge,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_left_is_a_broken_pipe_as_on_a_socket() {
        assert_eq!(io::Error::from(WriteError::Closed).kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(io::Error::from(InputError::Closed).kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn an_io_error_keeps_what_the_host_said() {
        let error = io::Error::from(WriteError::TooLarge(4096));
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<WriteError>());
        assert_eq!(inner, Some(&WriteError::TooLarge(4096)));
    }
}
