//! environ → `http::Request`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, Request, Uri, Version};
use percent_encoding::percent_decode_str;

use super::RequestBody;
use crate::{Environ, native, url};

/// Every variable of environ, in the extensions of a request: `request.extensions().get::<Variables>()`.
#[derive(Clone, Debug)]
pub struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    /// One variable, such as `SCRIPT_NAME`, the mount point; a native string.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every variable with its name, sorted by it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// The request, its body still with the host. The error is for the log.
pub(super) fn from_environ(environ: &Environ) -> Result<Request<RequestBody>, String> {
    let variables = Variables(Arc::new(environ.entries().into_iter().collect()));
    let mut request = Request::new(RequestBody::new(environ));
    let method = variables.text("REQUEST_METHOD");
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|error| format!("method `{method}`: {error}"))?;
    *request.uri_mut() = uri(&variables)?;
    *request.version_mut() = version(variables.text("SERVER_PROTOCOL"));
    *request.headers_mut() = headers(&variables);
    request.extensions_mut().insert(variables);
    Ok(request)
}

/// The path below the mount point, as the client wrote it if that can be told, and the query.
fn uri(variables: &Variables) -> Result<Uri, String> {
    let mut uri = path(variables);
    let query = variables.text("QUERY_STRING");
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(query);
    }
    uri.parse().map_err(|error| format!("URI `{uri}`: {error}"))
}

/// PATH_INFO is decoded, so that `%2F` cannot be told from a slash; REQUEST_URI is not, but begins with the mount point.
fn path(variables: &Variables) -> String {
    let info = variables.text("PATH_INFO");
    let sent = variables.text("REQUEST_URI").split('?').next().unwrap_or_default();
    if let Some(below) = sent.strip_prefix(variables.text("SCRIPT_NAME"))
        && below.starts_with('/')
        && native::from_bytes(&percent_decode_str(below).collect::<Vec<u8>>()) == info
    {
        return below.to_owned();
    }
    if info.is_empty() { "/".to_owned() } else { url::quote(info) }
}

fn version(protocol: &str) -> Version {
    match protocol {
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/2.0" | "HTTP/2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    }
}

/// The headers that the client sent. What the host lets through is valid, so nothing is lost here.
fn headers(variables: &Variables) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in variables.iter() {
        let name = match name {
            "CONTENT_TYPE" => CONTENT_TYPE,
            "CONTENT_LENGTH" => CONTENT_LENGTH,
            _ => match name.strip_prefix("HTTP_").map(|name| HeaderName::try_from(name.replace('_', "-"))) {
                Some(Ok(name)) => name,
                _ => continue,
            },
        };
        let value = native::to_bytes(value).map(HeaderValue::try_from);
        if let Some(Ok(value)) = value {
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(entries: &[(&str, &str)]) -> Variables {
        Variables(Arc::new(entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
    }

    #[test]
    fn an_encoded_slash_stays_encoded() {
        let variables = variables(&[
            ("SCRIPT_NAME", "/shop"),
            ("PATH_INFO", "/a/b"),
            ("REQUEST_URI", "/shop/a%2Fb?x=1"),
            ("QUERY_STRING", "x=1"),
        ]);
        assert_eq!(uri(&variables).unwrap(), "/a%2Fb?x=1");
    }

    #[test]
    fn without_the_sent_path_the_decoded_one_is_encoded_again() {
        let variables = variables(&[("SCRIPT_NAME", "/shop"), ("PATH_INFO", "/a b"), ("REQUEST_URI", "/%73hop/a%20b")]);
        assert_eq!(uri(&variables).unwrap(), "/a%20b");
    }

    #[test]
    fn the_mount_point_itself_is_the_root() {
        assert_eq!(
            uri(&variables(&[("SCRIPT_NAME", "/shop"), ("PATH_INFO", ""), ("REQUEST_URI", "/shop")])).unwrap(),
            "/"
        );
    }

    #[test]
    fn headers_get_their_names_and_bytes_back() {
        let headers = headers(&variables(&[
            ("HTTP_X_NAME", "caf\u{e9}"),
            ("CONTENT_TYPE", "text/plain"),
            ("wsgi.version", "1.0"),
            ("SERVER_NAME", "h"),
        ]));
        assert_eq!(headers["x-name"].as_bytes(), b"caf\xe9");
        assert_eq!(headers["content-type"], "text/plain");
        assert_eq!(headers.len(), 2);
    }
}
