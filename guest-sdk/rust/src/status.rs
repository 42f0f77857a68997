//! Status lines.

use std::borrow::Cow;

/// A status as start_response wants it: code, space, reason.
///
/// Made from a code, whose reason is looked up, or from the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status(Cow<'static, str>);

impl Status {
    /// The text, such as `404 Not Found`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u16> for Status {
    fn from(code: u16) -> Self {
        match usual(code) {
            Some(status) => Self(Cow::Borrowed(status)),
            // The phrase is free text and no client reads it, but PEP 3333 wants one (rule 43).
            None => Self(Cow::Owned(format!("{code} Unknown"))),
        }
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// The phrases of RFC 9110 section 15, and of those later RFCs whose codes applications use.
fn usual(code: u16) -> Option<&'static str> {
    Some(match code {
        200 => "200 OK",
        201 => "201 Created",
        202 => "202 Accepted",
        203 => "203 Non-Authoritative Information",
        204 => "204 No Content",
        205 => "205 Reset Content",
        206 => "206 Partial Content",
        207 => "207 Multi-Status",
        300 => "300 Multiple Choices",
        301 => "301 Moved Permanently",
        302 => "302 Found",
        303 => "303 See Other",
        304 => "304 Not Modified",
        307 => "307 Temporary Redirect",
        308 => "308 Permanent Redirect",
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        402 => "402 Payment Required",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Method Not Allowed",
        406 => "406 Not Acceptable",
        408 => "408 Request Timeout",
        409 => "409 Conflict",
        410 => "410 Gone",
        411 => "411 Length Required",
        412 => "412 Precondition Failed",
        413 => "413 Content Too Large",
        414 => "414 URI Too Long",
        415 => "415 Unsupported Media Type",
        416 => "416 Range Not Satisfiable",
        417 => "417 Expectation Failed",
        418 => "418 I'm a teapot",
        421 => "421 Misdirected Request",
        422 => "422 Unprocessable Content",
        423 => "423 Locked",
        424 => "424 Failed Dependency",
        426 => "426 Upgrade Required",
        428 => "428 Precondition Required",
        429 => "429 Too Many Requests",
        431 => "431 Request Header Fields Too Large",
        451 => "451 Unavailable For Legal Reasons",
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Unavailable",
        504 => "504 Gateway Timeout",
        505 => "505 HTTP Version Not Supported",
        507 => "507 Insufficient Storage",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_gets_its_reason() {
        assert_eq!(Status::from(404).as_str(), "404 Not Found");
    }

    #[test]
    fn a_code_without_a_name_still_has_a_reason() {
        assert_eq!(Status::from(299).as_str(), "299 Unknown");
    }

    #[test]
    fn text_stays_as_it_is() {
        assert_eq!(Status::from("200 Fine").as_str(), "200 Fine");
    }
}
