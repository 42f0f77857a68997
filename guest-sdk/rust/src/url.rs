//! The URL of a request, put together again (PEP 3333 rule 75).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::native;

/// Chars of a path that stay as they are: the unreserved ones of RFC 3986 and the slash, as in
/// Python's `quote`, which PEP 3333 names.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Follows the algorithm of PEP 3333 over the variables that `get` gives.
pub(crate) fn reconstruct(get: impl Fn(&str) -> Option<String>) -> String {
    let text = |name: &str| get(name).unwrap_or_default();
    let scheme = text("wsgi.url_scheme");
    let mut url = format!("{scheme}://");
    match get("HTTP_HOST").filter(|host| !host.is_empty()) {
        Some(host) => url.push_str(&host),
        None => {
            url.push_str(&text("SERVER_NAME"));
            let port = text("SERVER_PORT");
            let default = if scheme == "https" { "443" } else { "80" };
            if !port.is_empty() && port != default {
                url.push(':');
                url.push_str(&port);
            }
        }
    }
    url.push_str(&quote(&text("SCRIPT_NAME")));
    url.push_str(&quote(&text("PATH_INFO")));
    let query = text("QUERY_STRING");
    if !query.is_empty() {
        url.push('?');
        url.push_str(&query);
    }
    url
}

/// Percent-encodes the bytes of a native string for use as a path.
pub(crate) fn quote(path: &str) -> String {
    let bytes = native::to_bytes(path).unwrap_or_else(|| path.as_bytes().to_vec());
    percent_encode(&bytes, KEEP).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(variables: &[(&str, &str)]) -> String {
        reconstruct(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_host_header_goes_before_the_server_name() {
        let variables = [
            ("wsgi.url_scheme", "http"),
            ("HTTP_HOST", "shop.example.org:8080"),
            ("SERVER_NAME", "10.0.0.1"),
            ("SERVER_PORT", "80"),
            ("SCRIPT_NAME", "/shop"),
            ("PATH_INFO", "/a b"),
            ("QUERY_STRING", "x=%20"),
        ];
        assert_eq!(url(&variables), "http://shop.example.org:8080/shop/a%20b?x=%20");
    }

    #[test]
    fn a_default_port_is_left_out() {
        let https = [("wsgi.url_scheme", "https"), ("SERVER_NAME", "h"), ("SERVER_PORT", "443")];
        assert_eq!(url(&https), "https://h");
        let odd = [("wsgi.url_scheme", "https"), ("SERVER_NAME", "h"), ("SERVER_PORT", "80")];
        assert_eq!(url(&odd), "https://h:80");
    }

    #[test]
    fn bytes_of_a_path_are_quoted_one_by_one() {
        assert_eq!(quote(&native::from_bytes("/é".as_bytes())), "/%C3%A9");
    }
}
