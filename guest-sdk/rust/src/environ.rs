//! The request: `environ` of PEP 3333.

use crate::bindings::app as raw;
use crate::{Input, InputError, native, url};

/// The request as the application sees it: CGI variables, headers as `HTTP_*`, `wsgi.*`, and the body.
///
/// [`get`](Self::get) and [`entries`](Self::entries) give native strings (see [`native`]). The methods
/// with names of their own give text: they decode UTF-8 where the bytes came from a URL.
#[derive(Debug)]
pub struct Environ {
    raw: raw::Environ,
}

impl Environ {
    pub(crate) fn new(raw: raw::Environ) -> Self {
        Self { raw }
    }

    /// One variable, or `None` if it is absent (rule 19). Names are matched exactly, case and all.
    pub fn get(&self, name: &str) -> Option<String> {
        self.raw.get(name)
    }

    /// Every variable: a copy, yours to change (rule 3).
    pub fn entries(&self) -> Vec<(String, String)> {
        self.raw.entries()
    }

    /// `wsgi.input`: the request body. It can be taken once.
    ///
    /// # Errors
    /// [`InputError::Taken`] the second time, [`InputError::Closed`] if the client has gone.
    pub fn input(&self) -> Result<Input, InputError> {
        self.raw.input().map(Input::new).map_err(InputError::from)
    }

    /// REQUEST_METHOD, such as `GET` (rule 7).
    pub fn method(&self) -> String {
        self.get("REQUEST_METHOD").unwrap_or_default()
    }

    /// PATH_INFO as text: the path below the application's mount point (rule 12).
    pub fn path(&self) -> String {
        native::to_text(&self.get("PATH_INFO").unwrap_or_default())
    }

    /// SCRIPT_NAME as text: the application's mount point, empty at the root (rule 11).
    pub fn script_name(&self) -> String {
        native::to_text(&self.get("SCRIPT_NAME").unwrap_or_default())
    }

    /// QUERY_STRING, still encoded (rule 13).
    pub fn query_string(&self) -> String {
        self.get("QUERY_STRING").unwrap_or_default()
    }

    /// The query as pairs of decoded text, in order, as a browser's form sends it.
    pub fn query(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query_string().as_bytes()).into_owned().collect()
    }

    /// The first value of `name` in the query.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// CONTENT_TYPE, if the client sent one (rule 14).
    pub fn content_type(&self) -> Option<String> {
        self.get("CONTENT_TYPE").filter(|value| !value.is_empty())
    }

    /// CONTENT_LENGTH in bytes, if it is known before the body is read (rule 15).
    pub fn content_length(&self) -> Option<u64> {
        self.get("CONTENT_LENGTH")?.parse().ok()
    }

    /// A request header by its name in HTTP, whatever its case: `header("accept")`.
    pub fn header(&self, name: &str) -> Option<String> {
        self.get(&variable(name))
    }

    /// The URL of the request, put together by the algorithm of PEP 3333 (rule 75).
    pub fn url(&self) -> String {
        url::reconstruct(|name| self.get(name))
    }
}

/// The variable that holds a header (RFC 3875 section 4.1.18).
fn variable(header: &str) -> String {
    let name = header.to_ascii_uppercase().replace('-', "_");
    if name == "CONTENT_TYPE" || name == "CONTENT_LENGTH" { name } else { format!("HTTP_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_under_their_cgi_names() {
        assert_eq!(variable("Accept-Language"), "HTTP_ACCEPT_LANGUAGE");
        assert_eq!(variable("content-type"), "CONTENT_TYPE");
    }
}
