//! Requests as bytes.

/// A request to be sent as it is: nothing is added but `Host: test`, unless a Host is given, and what
/// frames the body.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: String,
    target: String,
    version: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    names_host: bool,
    body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            version: "HTTP/1.1",
            headers: Vec::new(),
            names_host: true,
            body: Vec::new(),
        }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST request with a body and its length.
    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let request = Self { body: body.into(), ..Self::new("POST", target) };
        request.header("Content-Length", body.len().to_string())
    }

    /// A POST request with a chunked body, in these chunks.
    pub fn chunked<C: AsRef<[u8]>>(target: &str, chunks: impl IntoIterator<Item = C>) -> Self {
        let mut request = Self::new("POST", target).header("Transfer-Encoding", "chunked");
        for data in chunks {
            request.body.extend(chunk(data));
        }
        request.body.extend_from_slice(b"0\r\n\r\n");
        request
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().into()));
        self
    }

    /// Names no host.
    #[must_use]
    pub fn without_host(mut self) -> Self {
        self.names_host = false;
        self
    }

    /// Speaks HTTP/1.0.
    #[must_use]
    pub fn http_1_0(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// The bytes of the head alone.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        if self.names_host && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            bytes.extend_from_slice(b"Host: test\r\n");
        }
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// The bytes of the whole request.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// `data` as one chunk of a chunked body.
pub(crate) fn chunk(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}
