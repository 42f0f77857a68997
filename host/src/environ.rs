//! From a request to its environ: the CGI/1.1 meta-variables (RFC 3875 section 4.1), the headers as
//! `HTTP_*`, and the `wsgi.*` entries that are text (PEP 3333 rules 7 to 29). Pure.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};

use crate::authority;
use crate::native;
use crate::request_id::RequestId;
use crate::text::push_ip;

/// The variables of one request. Names are unique; names and values are native strings (rule 20).
#[derive(Clone, PartialEq, Eq)]
pub struct Environ(Vec<Variable>);

/// Name and value of a variable. Most names and many values are the same in every request and cost
/// no copy; few guests ask for all of them.
pub type Variable = (Cow<'static, str>, Cow<'static, str>);

/// What the environ tells that is not in the request itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The route's prefix: empty, or starts with `/` and does not end in it.
    pub script_name: &'a str,
    /// The rest of the decoded path.
    pub path_info: &'a str,
    /// The length of the body free of transfer coding. None if the request has no body, or if the
    /// body is streamed without a length.
    pub content_length: Option<u64>,
    /// How the client speaks to this host.
    pub scheme: Scheme,
    /// Where the connection was accepted; names the server if the request does not.
    pub local: Endpoint,
    /// Where the connection comes from.
    pub peer: Endpoint,
    /// The id of the request, for `wasgi.request_id`.
    pub request_id: &'a RequestId,
    /// The name of the app, for `wasgi.app`.
    pub app: &'a str,
    /// Whether no other instance of the app runs beside this one; then `wsgi.multiprocess` is false.
    pub single: bool,
    /// Whether the instance may serve other requests too; then `wsgi.run_once` is false.
    pub reused: bool,
    /// The app's own variables (rule 21). What the request says comes before them.
    pub env: &'a BTreeMap<String, String>,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket, which has neither.
    Unix,
}

/// The scheme of a request's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// What `SERVER_SOFTWARE` and the `Server` header say; the header leaves out the version.
pub const SERVER_SOFTWARE: &str = concat!("wasgi/", env!("CARGO_PKG_VERSION"));

/// The environ of `request`.
pub fn build(request: &Parts, context: &Context<'_>) -> Environ {
    let mut environ = Environ(Vec::with_capacity(FIXED_COUNT + request.headers.keys_len() + context.env.len()));
    environ.push_request(request, context);
    environ.push_server(request, context);
    environ.push_peer(context.peer);
    environ.push_headers(request);
    environ.push_wsgi(context);
    environ.push_deployer(context.env);
    environ
}

/// Whether a header speaks of the connection and not of the message (RFC 9110 section 7.6.1).
///
/// Such headers never reach an app (rule 67) and are never an app's to set (rule 47).
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    is_hop_by_hop_name(name.as_str())
}

/// The same of a name in lower case.
pub fn is_hop_by_hop_name(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

const HOP_BY_HOP: &[&str] = &[
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Entries that nearly every request has.
const FIXED_COUNT: usize = 28;

// === impl Environ ===

impl Environ {
    /// The value of `name`, matched exactly.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// All variables, in no promised order.
    pub fn entries(&self) -> &[Variable] {
        &self.0
    }

    /// A copy of all variables, for the guest to keep (rule 3).
    pub fn to_entries(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned())).collect()
    }

    /// All variables, for who has no further use for the environ.
    pub fn into_entries(self) -> Vec<(String, String)> {
        self.0.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    fn push(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.0.push((name.into(), value.into()));
    }

    fn push_request(&mut self, request: &Parts, context: &Context<'_>) {
        // `http` admits UTF-8 in targets, so the bytes have to be mapped.
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        // An absolute target may have a query and no path (RFC 9112 section 3.2.1).
        let mut target = native::from_bytes(target.as_bytes());
        if target.starts_with('?') {
            target.insert(0, '/');
        }
        self.push("REQUEST_METHOD", method(&request.method));
        self.push("SCRIPT_NAME", context.script_name.to_owned());
        self.push("PATH_INFO", context.path_info.to_owned());
        self.push("QUERY_STRING", native::from_bytes(request.uri.query().unwrap_or_default().as_bytes()));
        self.push("RAW_URI", target.clone());
        self.push("REQUEST_URI", target);
        self.push("SERVER_PROTOCOL", protocol(request.version));
        if let Some(length) = context.content_length {
            self.push("CONTENT_LENGTH", decimal(length));
        }
        if request.headers.contains_key(CONTENT_TYPE) {
            self.push("CONTENT_TYPE", joined(&request.headers, &CONTENT_TYPE));
        }
    }

    fn push_server(&mut self, request: &Parts, context: &Context<'_>) {
        self.push("GATEWAY_INTERFACE", "CGI/1.1");
        self.push("SERVER_SOFTWARE", SERVER_SOFTWARE);
        self.push("REQUEST_SCHEME", context.scheme.as_str());
        if context.scheme == Scheme::Https {
            self.push("HTTPS", "on");
        }
        let authority = authority::of(request);
        let (name, port) = authority.map_or(("", None), authority::split_port);
        if name.is_empty() {
            let (name, port) = context.local.server_name_and_port(context.scheme);
            self.push("SERVER_NAME", name);
            self.push("SERVER_PORT", decimal(port));
        } else {
            let port = port.and_then(|port| port.parse().ok()).unwrap_or(context.scheme.default_port());
            self.push("SERVER_NAME", name.to_owned());
            self.push("SERVER_PORT", decimal(port));
        }
        if let Some(authority) = authority {
            self.push("HTTP_HOST", authority.to_owned());
        }
    }

    fn push_peer(&mut self, peer: Endpoint) {
        let Endpoint::Tcp(address) = peer else {
            // RFC 3875 wants the variable, and any address would be a lie that an app may trust.
            self.push("REMOTE_ADDR", "");
            self.push("REMOTE_HOST", "");
            return;
        };
        // A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d, which is shown as IPv4.
        let mut ip = String::with_capacity("255.255.255.255".len());
        push_ip(&mut ip, address.ip());
        self.push("REMOTE_ADDR", ip.clone());
        self.push("REMOTE_HOST", ip);
        self.push("REMOTE_PORT", decimal(address.port()));
    }

    fn push_headers(&mut self, request: &Parts) {
        let named = named_by_connection(&request.headers);
        for name in request.headers.keys() {
            if is_for_the_app(name) && !named_in(&named, name.as_str()) {
                self.0.push((variable(name), joined(&request.headers, name).into()));
            }
        }
    }

    fn push_wsgi(&mut self, context: &Context<'_>) {
        let text = |flag: bool| if flag { "true" } else { "false" };
        self.push("wsgi.version", "1.0");
        self.push("wsgi.url_scheme", context.scheme.as_str());
        self.push("wsgi.input_terminated", text(true));
        // An instance serves one request at a time, and others may run beside it.
        self.push("wsgi.multithread", text(false));
        self.push("wsgi.multiprocess", text(!context.single));
        self.push("wsgi.run_once", text(!context.reused));
        self.push("wasgi.request_id", context.request_id.as_str().to_owned());
        self.push("wasgi.app", context.app.to_owned());
    }

    fn push_deployer(&mut self, env: &BTreeMap<String, String>) {
        for (name, value) in env {
            let name = native::from_bytes(name.as_bytes());
            if !speaks_of_the_request(&name) && self.get(&name).is_none() {
                self.0.push((name.into(), native::from_bytes(value.as_bytes()).into()));
            }
        }
    }
}

impl fmt::Debug for Environ {
    /// The names alone: values hold cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environ")?;
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The value of SERVER_PROTOCOL in the grammar of RFC 3875 section 4.1.16, which wants a minor version.
pub fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "HTTP/0.9",
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Names of the deployer that would pass for the client's if the client did not send them (rule 16).
fn speaks_of_the_request(name: &str) -> bool {
    name.starts_with("HTTP_") || matches!(name, "CONTENT_LENGTH" | "CONTENT_TYPE")
}

/// The method, which is nearly always one of a few.
fn method(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::POST => "POST".into(),
        Method::HEAD => "HEAD".into(),
        _ => method.as_str().to_owned().into(),
    }
}

fn decimal(number: impl itoa::Integer) -> String {
    itoa::Buffer::new().format(number).to_owned()
}

// === headers ===

/// Whether a header becomes an `HTTP_*` variable.
fn is_for_the_app(name: &HeaderName) -> bool {
    // They are CONTENT_LENGTH, CONTENT_TYPE and HTTP_HOST already.
    let has_its_own_place = *name == CONTENT_LENGTH || *name == CONTENT_TYPE || *name == HOST;
    // `X_Y` and `X-Y` would be one variable, so that a client could pass for a proxy.
    let is_ambiguous = name.as_str().contains('_');
    // HTTP_PROXY is the proxy setting of many HTTP clients ("httpoxy").
    let is_dangerous = name.as_str() == "proxy";
    !has_its_own_place && !is_ambiguous && !is_dangerous && !is_hop_by_hop(name)
}

/// The headers of the request that its Connection header names.
fn named_by_connection(headers: &HeaderMap) -> Vec<&str> {
    let mut named = Vec::new();
    for value in headers.get_all(http::header::CONNECTION) {
        for option in value.to_str().unwrap_or_default().split(',') {
            let option = option.trim();
            // Only what is there counts, and once: a long list must not cost time for each header.
            if headers.contains_key(option) && !named_in(&named, option) {
                named.push(option);
            }
        }
    }
    named
}

fn named_in(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// `X-Forwarded-For` as `HTTP_X_FORWARDED_FOR`.
fn variable(name: &HeaderName) -> Cow<'static, str> {
    let mut variable = String::with_capacity("HTTP_".len() + name.as_str().len());
    variable.push_str("HTTP_");
    variable.extend(name.as_str().chars().map(|char| if char == '-' { '_' } else { char.to_ascii_uppercase() }));
    variable.into()
}

/// All values of a header in one (RFC 3875 section 4.1.18).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let separator = if *name == COOKIE { "; " } else { "," };
    let mut values = headers.get_all(name).iter().map(|value| native::from_bytes(value.as_bytes()));
    let mut all = values.next().unwrap_or_default();
    for value in values {
        all.push_str(separator);
        all.push_str(&value);
    }
    all
}

// === impl Endpoint ===

impl Endpoint {
    /// SERVER_NAME and SERVER_PORT for a request that names no host.
    fn server_name_and_port(self, scheme: Scheme) -> (String, u16) {
        match self {
            Self::Tcp(SocketAddr::V6(address)) => match address.ip().to_canonical() {
                std::net::IpAddr::V6(ip) => (format!("[{ip}]"), address.port()),
                std::net::IpAddr::V4(ip) => (ip.to_string(), address.port()),
            },
            Self::Tcp(SocketAddr::V4(address)) => (address.ip().to_string(), address.port()),
            Self::Unix => ("localhost".to_owned(), scheme.default_port()),
        }
    }
}

// === impl Scheme ===

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}
