//! Bodies of responses, whole or chunk by chunk.

use super::request::chunk;
use super::{BodyEnd, Conn, Head, find};

/// How the end of a body is known (RFC 9112 section 6.3).
enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Conn {
    /// Reads the body that follows `head`, the answer to a request of `method`.
    pub fn body(&mut self, head: &Head, method: &str) -> (Vec<u8>, BodyEnd) {
        match framing(head, method) {
            Framing::None => (Vec::new(), BodyEnd::Complete),
            Framing::Length(length) => self.sized(length),
            Framing::Chunked => {
                let mut body = Vec::new();
                loop {
                    match self.chunk() {
                        Ok(data) if data.is_empty() => return (body, BodyEnd::Complete),
                        Ok(data) => body.extend(data),
                        Err(part) => {
                            body.extend(part);
                            return (body, BodyEnd::Cut);
                        }
                    }
                }
            }
            Framing::UntilClose => {
                let (body, ending) = self.rest();
                let end = if ending == super::Ending::Closed { BodyEnd::Complete } else { BodyEnd::Cut };
                (body, end)
            }
        }
    }

    /// Reads the next chunk of a chunked body; the empty one is the last.
    ///
    /// # Errors
    /// What came of the chunk, if the connection ended before its end.
    ///
    /// # Panics
    /// If what the host sends is no chunk.
    pub fn chunk(&mut self) -> Result<Vec<u8>, Vec<u8>> {
        let line = loop {
            if let Some(end) = find(&self.received, b"\r\n") {
                break self.received.drain(..end + 2).collect::<Vec<_>>();
            }
            if self.receive().is_err() {
                return Err(Vec::new());
            }
        };
        let text = String::from_utf8_lossy(&line);
        let digits = text.split([';', '\r']).next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("not a chunk size: {text:?}"));
        let (mut data, end) = self.sized(size + 2);
        if end == BodyEnd::Cut {
            return Err(data);
        }
        assert_eq!(data.split_off(size), b"\r\n", "a chunk ends in CRLF, and no trailers are expected");
        Ok(data)
    }

    /// Reads chunks until their data, all together, is at least `text`, and returns it.
    ///
    /// # Panics
    /// If the body ends before that, or if it is another text.
    pub fn chunks_until(&mut self, text: &str) {
        let mut data = Vec::new();
        while data.len() < text.len() {
            let more = self.chunk().unwrap_or_else(|_| panic!("cut after {:?}", String::from_utf8_lossy(&data)));
            assert!(!more.is_empty(), "the body ends after {:?}", String::from_utf8_lossy(&data));
            data.extend(more);
        }
        assert_eq!(String::from_utf8_lossy(&data), text);
    }

    /// Sends `data` as one chunk of a chunked request body; empty data ends the body.
    pub fn send_chunk(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.send(chunk(data))
    }

    fn sized(&mut self, length: usize) -> (Vec<u8>, BodyEnd) {
        while self.received.len() < length {
            if self.receive().is_err() {
                return (std::mem::take(&mut self.received), BodyEnd::Cut);
            }
        }
        (self.received.drain(..length).collect(), BodyEnd::Complete)
    }
}

fn framing(head: &Head, method: &str) -> Framing {
    if method == "HEAD" || head.status < 200 || matches!(head.status, 204 | 304) {
        return Framing::None;
    }
    if let Some(coding) = head.header("Transfer-Encoding") {
        assert_eq!(coding, "chunked", "{head:?}");
        assert_eq!(head.header("Content-Length"), None, "both lengths at once: {head:?}");
        return Framing::Chunked;
    }
    match head.header("Content-Length") {
        Some(length) => Framing::Length(length.parse().unwrap_or_else(|_| panic!("not a length: {head:?}"))),
        None => Framing::UntilClose,
    }
}
