//! From a request to its environ and to its line in the access log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use wasgi::access_log::{Entry, Format};
use wasgi::environ::{self, Context, Endpoint, Environ, Scheme};
use wasgi::limits::HostLimits;
use wasgi::request_check;
use wasgi::request_id::{self, RequestId};
use wasgi::router::{Match, Router};

use crate::input::{fields, pairs};

/// A request: `METHOD`, `TARGET`, then `NAME`, `VALUE`, and so on, with 0xff between.
///
/// What no request can be is passed over. Whatever `request_check` lets pass, or not, its environ has unique names of
/// native strings, nothing about the connection, and all that PEP 3333 and RFC 3875 require; its line in the access
/// log is one line.
///
/// # Panics
/// If that is not so.
pub fn environ(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let checked = request_check::check(&request, &HostLimits::default());
    let id = request.headers.get(request_id::HEADER).and_then(RequestId::from_header);
    let id = id.unwrap_or_else(RequestId::generate);
    let host = wasgi::authority::of(&request);
    let Some(route) = ROUTER.route(host, request.uri.path()) else {
        assert!(!request.uri.path().starts_with('/'), "{:?} has no route", request.uri);
        return;
    };
    for endpoint in [Endpoint::Unix, Endpoint::Tcp(([127, 0, 0, 1], 80).into()), Endpoint::Tcp(([1; 16], 443).into())] {
        let context = Context {
            script_name: &route.script_name,
            path_info: &route.path_info,
            content_length: request_check::content_length(&request.headers).ok().flatten(),
            scheme: if endpoint == Endpoint::Unix { Scheme::Https } else { Scheme::Http },
            local: endpoint,
            peer: endpoint,
            request_id: &id,
            app: "app",
            single: false,
            reused: false,
            env: &ENV,
        };
        let environ = environ::build(&request, &context);
        assert_keeps_the_rules(&environ, &request, &route);
        if checked.is_ok() {
            assert!(!environ.get("SERVER_NAME").unwrap().is_empty(), "{request:?}");
            assert!(environ.get("SERVER_PORT").unwrap().parse::<u16>().is_ok(), "{request:?}");
        }
        assert_logs_one_line(&request, &environ, &id, endpoint);
    }
}

fn request(data: &[u8]) -> Option<Parts> {
    let mut fields = fields(data);
    let (mut request, ()) = Request::new(()).into_parts();
    // The version is told by the case of the method, which has none in HTTP that we serve.
    let method = fields.next()?;
    request.version = match method.first() {
        Some(b'A'..=b'Z') => Version::HTTP_11,
        Some(b'a'..=b'z') => Version::HTTP_2,
        _ => Version::HTTP_10,
    };
    request.method = Method::from_bytes(method).ok()?;
    request.uri = Uri::from_maybe_shared(bytes::Bytes::copy_from_slice(fields.next()?)).ok()?;
    // A `HeaderMap` takes no more than 24,576 names, and the front lets through far fewer.
    for (name, value) in pairs(fields).into_iter().take(1000) {
        let (name, value) = (HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
        request.headers.append(name, value);
    }
    Some(request)
}

static ROUTER: LazyLock<Router<()>> = LazyLock::new(|| {
    let routes = ["/", "/app", "/app/v2", "/%E9/x", "example.org/", "example.org/shop", "[::1]/six"];
    Router::new(routes.map(|route| (route.parse().unwrap(), ())))
});

/// What the deployer gives, some of which would pass for the client's.
static ENV: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let env =
        [("HTTP_X_FORGED", "no"), ("CONTENT_LENGTH", "7"), ("REQUEST_METHOD", "no"), ("NAME", "value"), ("NAMÉ", "€")];
    env.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
});

fn assert_keeps_the_rules(environ: &Environ, request: &Parts, route: &Match<'_, ()>) {
    let names: BTreeSet<_> = environ.entries().iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), environ.entries().len(), "a name twice: {names:?}");
    for (name, value) in environ.entries() {
        assert!(name.chars().chain(value.chars()).all(|char| u32::from(char) < 0x100), "{name}: {value:?}");
        // Only `%00` in a path is one.
        assert!(!value.contains('\0') || matches!(&**name, "SCRIPT_NAME" | "PATH_INFO"), "{name}: {value:?}");
    }
    for required in [
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "wsgi.version",
        "wsgi.url_scheme",
        "wsgi.run_once",
    ] {
        assert!(environ.get(required).is_some(), "{required} is missing: {request:?}");
    }
    assert_eq!(environ.get("REQUEST_METHOD"), Some(request.method.as_str()));
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(request.uri.path()).collect();
    assert_eq!(format!("{}{}", route.script_name, route.path_info), wasgi::native::from_bytes(&decoded));
    assert!(route.script_name.is_empty() || route.script_name.starts_with('/') && !route.script_name.ends_with('/'));
    assert!(route.path_info.is_empty() || route.path_info.starts_with('/'), "{:?}", route.path_info);
    if !request.headers.contains_key("x-forged") {
        assert_eq!(environ.get("HTTP_X_FORGED"), None);
    }
    assert_headers_are_the_clients(environ, request);
}

/// Each `HTTP_*` variable is a header that is not about the connection, under a name no other header shares.
fn assert_headers_are_the_clients(environ: &Environ, request: &Parts) {
    let connection: Vec<String> = request
        .headers
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|option| option.trim().to_ascii_lowercase())
        .collect();
    for (variable, value) in environ.entries() {
        let Some(name) = variable.strip_prefix("HTTP_") else { continue };
        let name = name.replace('_', "-").to_ascii_lowercase();
        if name == "host" {
            continue;
        }
        let header = HeaderName::from_bytes(name.as_bytes()).unwrap();
        assert!(request.headers.contains_key(&header), "{variable} is no header: {request:?}");
        assert!(!environ::is_hop_by_hop(&header) && name != "proxy", "{variable}: {request:?}");
        assert!(!connection.contains(&name), "{variable} is named by Connection: {request:?}");
        let longest = request.headers.get_all(&header).iter().map(HeaderValue::len).max();
        assert!(value.chars().count() >= longest.unwrap_or(0), "{variable} is cut: {request:?}");
    }
}

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let all = "%(h)s %(u)s %(t)s %(r)s %(m)s %(U)s %(q)s %(f)s %(a)s %({cookie}i)s %({x-request-id}i)s \
               %({QUERY_STRING}e)s %({HTTP_COOKIE}e)s %({date}o)s %(id)s %(p)s";
    vec![Format::default(), Format::parse(all).unwrap(), Format::parse("json").unwrap()]
});

fn assert_logs_one_line(request: &Parts, environ: &Environ, id: &RequestId, peer: Endpoint) {
    let entry = Entry {
        peer,
        request: Some(request),
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::from_millis(1),
        status: StatusCode::OK,
        body_bytes: 0,
        cpu_time: Some(Duration::from_micros(1)),
        response_headers: Some(&request.headers),
        environ: environ.entries(),
        app: Some("app"),
        request_id: id,
        error: None,
    };
    let mut lines = FORMATS.iter().map(|format| {
        let mut line = String::new();
        format.write(&entry, &mut line);
        assert!(line.chars().all(|char| (' '..='~').contains(&char)), "not plain ASCII: {line:?}");
        line
    });
    let json = lines.next_back().unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok_and(|value| value.is_object()), "{json}");
    let combined = lines.next().unwrap();
    // Those around the request, the referer and the user agent; those of a client are escaped.
    let quotes = combined.replace(r"\\", "").replace(r#"\""#, "").matches('"').count();
    assert_eq!(quotes, 6, "a field has ended early: {combined:?}");
}
