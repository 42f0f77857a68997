//! Responses as they were on the wire.

use std::fmt;

/// Status line and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `HTTP/1.1`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// The reason phrase, as bytes of Latin-1.
    pub reason: String,
    /// The headers in their order, names as sent, values as bytes of Latin-1.
    pub headers: Vec<(String, String)>,
}

/// One response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Its head.
    pub head: Head,
    /// Its body, free of transfer coding; what came of it, if it was cut.
    pub body: Vec<u8>,
    /// Whether the body is all there.
    pub end: BodyEnd,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// As the head said it would, or there is none.
    Complete,
    /// The connection ended before the last byte or chunk.
    Cut,
}

impl Head {
    /// Reads a head that ends in its last CRLF.
    ///
    /// # Panics
    /// If it is none.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split_terminator("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (version, rest) = status_line.split_once(' ').unwrap_or_else(|| panic!("no status line: {text:?}"));
        assert!(version.starts_with("HTTP/1."), "no status line: {text:?}");
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
            assert!(!line.contains(['\r', '\n']), "a line break in a header: {line:?}");
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        });
        Self {
            version: version.into(),
            status: status.parse().unwrap_or_else(|_| panic!("no status: {status_line:?}")),
            reason: reason.into(),
            headers: headers.collect(),
        }
    }

    /// The value of a header, if it is there.
    ///
    /// # Panics
    /// If it is there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name).into_iter();
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there more than once: {self:?}");
        value
    }

    /// The values of a header in their order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }
}

impl Response {
    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of a header, if it is there; panics if it is there more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The id of the request.
    ///
    /// # Panics
    /// If the response has none.
    pub fn request_id(&self) -> String {
        self.header("X-Request-Id").unwrap_or_else(|| panic!("no X-Request-Id: {self:?}")).to_owned()
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it was cut or is not UTF-8.
    pub fn text(&self) -> &str {
        assert_eq!(self.end, BodyEnd::Complete, "the body was cut: {self:?}");
        std::str::from_utf8(&self.body).unwrap_or_else(|_| panic!("not UTF-8: {self:?}"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it was cut or is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Asserts the status, showing all of the response if it is another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status(), status, "{self:?}");
        self
    }

    /// Asserts a 200 with this text.
    #[track_caller]
    pub fn expect_text(&self, text: &str) {
        self.expect(200);
        assert_eq!(self.text(), text);
    }
}

impl fmt::Debug for Response {
    /// Readable in a failed test: a long body is cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 400;
        writeln!(f, "{} {} {}", self.head.version, self.head.status, self.head.reason)?;
        for (name, value) in &self.head.headers {
            writeln!(f, "{name}: {value}")?;
        }
        let shown = &self.body[..self.body.len().min(SHOWN_MAX)];
        write!(f, "\n{} ({} bytes, {:?})", String::from_utf8_lossy(shown), self.body.len(), self.end)
    }
}
