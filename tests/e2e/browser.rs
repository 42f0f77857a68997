//! A client that does what a browser does: it keeps cookies, follows redirects, and fills in forms.

use std::collections::BTreeMap;

use wasgi_harness::{Host, Request, Response};

use crate::common::encoded;

/// Redirects that one request may lead through.
const REDIRECTS_MAX: usize = 5;

/// Parts multipart bodies; no test sends it as content.
const BOUNDARY: &str = "a-boundary-of-the-tests";

/// What Django calls its token against forged forms.
const TOKEN: &str = "csrfmiddlewaretoken";

/// A client with its cookies; it may go from one host to another that has the same name.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// A file to be sent with a form: the field, its name, its content.
pub(crate) type Upload<'a> = (&'a str, &'a str, &'a [u8]);

impl Browser {
    /// The page at `path`, or where that leads.
    pub(crate) fn get(&mut self, host: &Host, path: &str) -> Response {
        self.follow(host, Request::get(path))
    }

    /// Submits a form by POST; where that leads.
    pub(crate) fn submit(&mut self, host: &Host, path: &str, fields: &[(&str, &str)]) -> Response {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Request::post(path, pairs.join("&"));
        self.follow(host, request.header("Content-Type", "application/x-www-form-urlencoded"))
    }

    /// Submits a form with a file.
    pub(crate) fn upload(
        &mut self,
        host: &Host,
        path: &str,
        (fields, file): (&[(&str, &str)], Upload<'_>),
    ) -> Response {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(part.into_bytes());
        }
        let (field, name, content) = file;
        let disposition = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"");
        body.extend(format!("--{BOUNDARY}\r\n{disposition}\r\nContent-Type: image/png\r\n\r\n").into_bytes());
        body.extend_from_slice(content);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.follow(host, Request::post(path, body).header("Content-Type", content_type))
    }

    /// The token in the form of the page at `path`, as a field to be sent back.
    pub(crate) fn token(&mut self, host: &Host, path: &str) -> (&'static str, String) {
        let page = self.get(host, path);
        let value = between(page.expect(200).text(), &format!("name=\"{TOKEN}\" value=\""), "\"");
        (TOKEN, value.to_owned())
    }

    fn follow(&mut self, host: &Host, request: Request) -> Response {
        let mut response = self.send(host, request);
        for _ in 0..REDIRECTS_MAX {
            if !matches!(response.status(), 302 | 303) {
                return response;
            }
            let to = response.header("Location").expect("a redirect names its target").to_owned();
            response = self.send(host, Request::get(&to));
        }
        panic!("more than {REDIRECTS_MAX} redirects: {response:?}");
    }

    fn send(&mut self, host: &Host, request: Request) -> Response {
        let mut request = request.header("Host", "localhost");
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", cookies.join("; "));
        }
        let response = host.request(&request);
        for cookie in response.head.all("Set-Cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }
}

/// What stands between two texts, where they first follow each other.
#[track_caller]
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("nothing between {before:?} and {after:?} in: {text}")).0
}

/// Asserts a page that has this text.
#[track_caller]
pub(crate) fn shows(response: &Response, text: &str) {
    assert!(response.expect(200).text().contains(text), "{text:?} is not in: {response:?}");
}

/// The beginning of a picture, and bytes that are no text.
pub(crate) const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\xff\xfe and so on";
