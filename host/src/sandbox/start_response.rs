//! The state machine behind `start_response` and `write`: Idle → Head → Body → Done.
//!
//! Pure: it decides, `host_calls.rs` acts. Rule numbers are those of PEP 3333.

use crate::bundle::mounts::FileRefused;
use crate::cgi::CgiError;
use crate::head::{Head, HeadError};
use crate::sandbox::http::HttpError;

/// Where the response of one request stands.
#[derive(Debug)]
pub(crate) struct StartResponse {
    state: State,
    /// The answer to HEAD is counted, never sent (rule 71).
    head_only: bool,
    /// Whether it was called at all: a second call needs exc_info even if the first failed (rule 51).
    called: bool,
    /// Why the last call was refused; told when the guest returns without a head.
    refused: Option<String>,
}

#[derive(Debug, Default)]
enum State {
    /// start_response has not been called with success.
    #[default]
    Idle,
    /// A head is set and may still be replaced.
    Head(Box<Head>),
    /// The head is committed.
    Body(Framing),
}

/// What the committed head says about the body.
#[derive(Clone, Copy, Debug)]
struct Framing {
    forbids_body: bool,
    /// Bytes still due, if the app set a Content-Length.
    left: Option<u64>,
}

/// Why a call of start_response is refused. Mirrors `start-error` of the WIT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StartRefused {
    AlreadyCalled,
    HeadSent,
    Head(HeadError),
}

impl From<WriteRefused> for Misuse {
    fn from(refused: WriteRefused) -> Self {
        match refused {
            WriteRefused::PastContentLength => Self::PastContentLength,
            WriteRefused::NoBodyAllowed => Self::NoBodyAllowed,
        }
    }
}

/// Why a write is refused. Mirrors `write-error` of the WIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteRefused {
    #[error("the body would pass the Content-Length that the application set")]
    PastContentLength,
    #[error("a 204 or 304 response has no body")]
    NoBodyAllowed,
}

/// What to do with a chunk that may be sent.
#[derive(Debug)]
pub(crate) struct Write {
    /// The head to commit first.
    pub(crate) commit: Option<Box<Head>>,
    /// False for the answer to HEAD: the chunk is dropped.
    pub(crate) send: bool,
}

/// How the response ends when the guest returns.
#[derive(Debug)]
pub(crate) enum Finish {
    /// Nothing was committed: head and whole body go out at once.
    Whole(Box<Head>),
    /// The rest follows what was written; false for the answer to HEAD.
    Rest { send: bool },
}

/// How a guest broke the protocol by the time it returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// No call of start_response, or none with success.
    #[error("the application returned without a response head{}", .0.as_ref().map(|why| format!("; start_response had refused it: {why}")).unwrap_or_default())]
    NoHead(Option<String>),
    /// A body longer than the Content-Length.
    #[error("the application returned a body past the Content-Length that it set")]
    PastContentLength,
    /// A body shorter than the Content-Length (rule 61).
    #[error("the application returned {missing} bytes less than the Content-Length that it set")]
    CutShort {
        /// How many bytes are missing.
        missing: u64,
    },
    /// A body with a 204 or 304.
    #[error("the application returned a body with a 204 or 304 response")]
    NoBodyAllowed,
    /// A returned body over `body-oneshot-max`.
    #[error(
        "the application returned a body of {size} bytes in one piece, over body-oneshot-max; write all but the last part"
    )]
    OneshotTooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// A file was returned that its bundle does not have.
    #[error(transparent)]
    File(#[from] FileRefused),
    /// What an app of `wasi:http` answered.
    #[error("the application answered with no response: {0}")]
    Http(#[from] HttpError),
    /// What a program printed.
    #[error("the output of the program is no response: {0}")]
    Cgi(#[from] CgiError),
}

impl StartResponse {
    /// The state at the start of a request.
    pub(crate) fn new(head_only: bool) -> Self {
        Self { state: State::Idle, head_only, called: false, refused: None }
    }

    /// Whether the answer has no body in any case.
    pub(crate) fn is_head_only(&self) -> bool {
        self.head_only
    }

    /// Whether the head has been committed: no status can change any more.
    #[cfg(test)]
    pub(crate) fn is_committed(&self) -> bool {
        matches!(self.state, State::Body(_))
    }

    /// One call of start_response. A refused call leaves an earlier head as it was.
    pub(crate) fn call(&mut self, head: Result<Head, HeadError>, exc_info: bool) -> Result<(), StartRefused> {
        let again = std::mem::replace(&mut self.called, true);
        let accepted = match &self.state {
            _ if again && !exc_info => Err(StartRefused::AlreadyCalled), // rule 51
            State::Body(_) => Err(StartRefused::HeadSent),               // rule 53
            State::Idle | State::Head(_) => head.map_err(StartRefused::Head), // rule 52
        };
        match accepted {
            Ok(head) => {
                self.state = State::Head(Box::new(head));
                self.refused = None;
                Ok(())
            }
            Err(refused) => {
                if let StartRefused::Head(error) = &refused {
                    self.refused = Some(error.to_string());
                }
                Err(refused)
            }
        }
    }

    /// One non-empty write of `length` bytes, which commits the head (rule 50).
    ///
    /// On an error nothing changes.
    pub(crate) fn write(&mut self, length: u64) -> Result<Write, WriteRefused> {
        let mut framing = match &self.state {
            State::Body(framing) => *framing,
            State::Head(head) => Framing::of(head),
            // A writer exists only after a call with success; kept total all the same.
            State::Idle => return Err(WriteRefused::NoBodyAllowed),
        };
        framing.take(length)?;
        let commit = match std::mem::replace(&mut self.state, State::Body(framing)) {
            State::Head(head) => Some(head),
            State::Idle | State::Body(_) => None,
        };
        Ok(Write { commit, send: !self.head_only })
    }

    /// Commits the head before there is any of the body, unless it is already; then it is to be sent, and the second
    /// part tells whether a body may follow.
    pub(crate) fn commit(&mut self) -> Option<(Box<Head>, bool)> {
        match std::mem::take(&mut self.state) {
            State::Head(head) => {
                let streams = !self.head_only && !head.forbids_body();
                self.state = State::Body(Framing::of(&head));
                Some((head, streams))
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    /// The guest has returned with `length` more bytes of body.
    pub(crate) fn finish(&mut self, length: u64) -> Result<Finish, Misuse> {
        match std::mem::take(&mut self.state) {
            State::Idle => Err(Misuse::NoHead(self.refused.take())),
            State::Head(head) => {
                Framing::of(&head).end(length, self.head_only)?;
                Ok(Finish::Whole(head))
            }
            State::Body(framing) => {
                self.state = State::Body(framing);
                framing.end(length, self.head_only)?;
                Ok(Finish::Rest { send: !self.head_only })
            }
        }
    }
}

impl Framing {
    fn of(head: &Head) -> Self {
        Self { forbids_body: head.forbids_body(), left: head.content_length }
    }

    fn take(&mut self, length: u64) -> Result<(), WriteRefused> {
        if self.forbids_body && length > 0 {
            return Err(WriteRefused::NoBodyAllowed);
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(length).ok_or(WriteRefused::PastContentLength)?; // rule 60
        }
        Ok(())
    }

    fn end(mut self, length: u64, head_only: bool) -> Result<(), Misuse> {
        self.take(length)?;
        match self.left {
            // An app may skip the body of a HEAD or 304 and still tell its length.
            Some(missing @ 1..) if !head_only && !self.forbids_body => Err(Misuse::CutShort { missing }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::AppLimits;

    fn head(status: &str, length: Option<u64>) -> Result<Head, HeadError> {
        let headers: Vec<_> = length.map(|length| ("Content-Length".into(), length.to_string())).into_iter().collect();
        Head::parse(status, &headers, &AppLimits::default())
    }

    fn started(status: &str, length: Option<u64>) -> StartResponse {
        let mut machine = StartResponse::new(false);
        machine.call(head(status, length), false).unwrap();
        machine
    }

    #[test]
    fn nothing_is_committed_by_the_call_but_by_the_first_write() {
        let mut machine = started("200 OK", None);
        assert!(!machine.is_committed());
        assert!(machine.write(1).unwrap().commit.is_some());
        assert!(machine.is_committed());
        assert!(machine.write(1).unwrap().commit.is_none());
    }

    #[test]
    fn a_second_call_needs_exc_info_and_then_replaces_the_head() {
        let mut machine = started("200 OK", None);
        assert_eq!(machine.call(head("500 Oh", None), false), Err(StartRefused::AlreadyCalled));
        machine.call(head("500 Oh", None), true).unwrap();
        let Ok(Finish::Whole(head)) = machine.finish(0) else { panic!("not committed yet") };
        assert_eq!(head.status, 500);
    }

    #[test]
    fn a_second_call_needs_exc_info_even_if_the_first_was_refused() {
        let mut machine = StartResponse::new(false);
        machine.call(head("nonsense", None), false).unwrap_err();
        assert_eq!(machine.call(head("200 OK", None), false), Err(StartRefused::AlreadyCalled));
        machine.call(head("500 Oh", None), true).unwrap();
    }

    #[test]
    fn exc_info_after_the_head_is_sent_is_refused() {
        let mut machine = started("200 OK", None);
        machine.write(1).unwrap();
        assert_eq!(machine.call(head("500 Oh", None), true), Err(StartRefused::HeadSent));
        assert_eq!(machine.call(head("500 Oh", None), false), Err(StartRefused::AlreadyCalled));
    }

    #[test]
    fn a_refused_head_leaves_the_earlier_one() {
        let mut machine = started("200 OK", None);
        assert!(matches!(machine.call(head("nonsense", None), true), Err(StartRefused::Head(_))));
        let Ok(Finish::Whole(head)) = machine.finish(0) else { panic!("not committed yet") };
        assert_eq!(head.status, 200);
    }

    #[test]
    fn returning_without_a_head_tells_what_was_refused() {
        let mut machine = StartResponse::new(false);
        assert_eq!(machine.finish(0).unwrap_err(), Misuse::NoHead(None));
        let mut machine = StartResponse::new(false);
        machine.call(head("nonsense", None), false).unwrap_err();
        assert!(matches!(machine.finish(0).unwrap_err(), Misuse::NoHead(Some(_))));
    }

    #[test]
    fn the_body_may_neither_pass_nor_miss_its_content_length() {
        let mut machine = started("200 OK", Some(3));
        machine.write(2).unwrap();
        assert_eq!(machine.write(2).unwrap_err(), WriteRefused::PastContentLength);
        machine.write(1).unwrap();
        assert!(machine.finish(0).is_ok());
        assert_eq!(started("200 OK", Some(3)).finish(4).unwrap_err(), Misuse::PastContentLength);
        assert_eq!(started("200 OK", Some(3)).finish(2).unwrap_err(), Misuse::CutShort { missing: 1 });
    }

    #[test]
    fn a_204_has_no_body_and_a_304_may_tell_a_length() {
        assert_eq!(started("204 No Content", None).write(1).unwrap_err(), WriteRefused::NoBodyAllowed);
        assert_eq!(started("304 Not Modified", None).finish(1).unwrap_err(), Misuse::NoBodyAllowed);
        assert!(started("304 Not Modified", Some(9)).finish(0).is_ok());
    }

    #[test]
    fn the_answer_to_head_is_counted_and_dropped() {
        let mut machine = StartResponse::new(true);
        machine.call(head("200 OK", Some(3)), false).unwrap();
        assert!(!machine.write(3).unwrap().send);
        assert_eq!(machine.write(1).unwrap_err(), WriteRefused::PastContentLength);
        assert!(matches!(machine.finish(0), Ok(Finish::Rest { send: false })));
        let mut machine = StartResponse::new(true);
        machine.call(head("200 OK", Some(3)), false).unwrap();
        assert!(machine.finish(0).is_ok(), "a skipped body is fine");
    }
}
