use std::collections::BTreeSet;

use http::{HeaderValue, Method, Request, Version};
use proptest::prelude::*;

use super::*;

/// A request for `target` with these headers, as HTTP/1.1.
fn request(target: &str, headers: &[(&str, &[u8])]) -> Parts {
    let mut parts = Request::builder().uri(target).body(()).unwrap().into_parts().0;
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        parts.headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    parts
}

/// The environ of `request`, in a context that `change` has changed.
fn built(request: &Parts, change: impl FnOnce(&mut Context<'_>)) -> Environ {
    let (request_id, env) = (RequestId::generate(), BTreeMap::new());
    let mut context = Context {
        script_name: "/app",
        path_info: "/x",
        content_length: None,
        scheme: Scheme::Http,
        local: Endpoint::Tcp("127.0.0.1:8080".parse().unwrap()),
        peer: Endpoint::Tcp("192.0.2.7:55555".parse().unwrap()),
        request_id: &request_id,
        app: "shop",
        single: false,
        reused: false,
        env: &env,
    };
    change(&mut context);
    build(request, &context)
}

/// The environ of a GET with these headers.
fn with_headers(headers: &[(&str, &[u8])]) -> Environ {
    built(&request("/app/x", headers), |_| {})
}

#[track_caller]
fn assert_has(environ: &Environ, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(environ.get(name), Some(*value), "{name}");
    }
}

#[track_caller]
fn assert_lacks(environ: &Environ, names: &[&str]) {
    for name in names {
        assert_eq!(environ.get(name), None, "{name}");
    }
}

#[test]
fn an_absolute_target_without_a_path_still_has_a_slash() {
    let environ = built(&request("http://a.example?q=1", &[]), |context| context.path_info = "/");
    assert_eq!(environ.get("REQUEST_URI"), Some("/?q=1"));
}

#[test]
fn a_plain_get_has_the_variables_of_rfc_3875_and_wsgi() {
    let environ = built(&request("/app/x?a=%20b&c", &[("Host", b"example.org:81"), ("Accept", b"*/*")]), |_| {});
    let mut entries: Vec<(&str, &str)> = environ.entries().iter().map(|(name, value)| (&**name, &**value)).collect();
    entries.sort_unstable();
    let request_id = environ.get("wasgi.request_id").unwrap();
    let expected = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_ACCEPT", "*/*"),
        ("HTTP_HOST", "example.org:81"),
        ("PATH_INFO", "/x"),
        ("QUERY_STRING", "a=%20b&c"),
        ("RAW_URI", "/app/x?a=%20b&c"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_HOST", "192.0.2.7"),
        ("REMOTE_PORT", "55555"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", "/app/x?a=%20b&c"),
        ("SCRIPT_NAME", "/app"),
        ("SERVER_NAME", "example.org"),
        ("SERVER_PORT", "81"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", SERVER_SOFTWARE),
        ("wasgi.app", "shop"),
        ("wasgi.request_id", request_id),
        ("wsgi.input_terminated", "true"),
        ("wsgi.multiprocess", "true"),
        ("wsgi.multithread", "false"),
        ("wsgi.run_once", "true"),
        ("wsgi.url_scheme", "http"),
        ("wsgi.version", "1.0"),
    ];
    assert_eq!(entries, expected);
    assert!(!request_id.is_empty());
}

#[test]
fn query_string_is_set_even_without_a_query() {
    assert_has(&with_headers(&[]), &[("QUERY_STRING", "")]);
    assert_has(&built(&request("/app?", &[]), |_| {}), &[("QUERY_STRING", ""), ("REQUEST_URI", "/app?")]);
}

#[test]
fn content_length_is_that_of_the_body_and_not_of_the_header() {
    let claims: &[(&str, &[u8])] = &[("Content-Length", b"999"), ("Content-Type", b"text/plain")];
    let environ = built(&request("/", claims), |context| context.content_length = Some(3));
    assert_has(&environ, &[("CONTENT_LENGTH", "3"), ("CONTENT_TYPE", "text/plain")]);
    assert_lacks(&environ, &["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"]);
    assert_lacks(&built(&request("/", claims), |_| {}), &["CONTENT_LENGTH"]);
    let empty = built(&request("/", &[]), |context| context.content_length = Some(0));
    assert_has(&empty, &[("CONTENT_LENGTH", "0")]);
    assert_lacks(&empty, &["CONTENT_TYPE"]);
}

#[test]
fn repeated_headers_are_joined_cookies_with_semicolons() {
    let environ =
        with_headers(&[("X-List", b"a"), ("Cookie", b"k=1"), ("x-list", b"b, c"), ("cookie", b"l=2"), ("X-List", b"")]);
    assert_has(&environ, &[("HTTP_X_LIST", "a,b, c,"), ("HTTP_COOKIE", "k=1; l=2")]);
}

#[test]
fn names_with_an_underscore_and_proxy_are_dropped() {
    let environ = with_headers(&[
        ("X-Forwarded-For", b"real"),
        ("X_Forwarded_For", b"forged"),
        ("Content_Length", b"5"),
        ("Content_Type", b"a/b"),
        ("Proxy", b"http://evil.example"),
        ("A_", b"1"),
    ]);
    assert_has(&environ, &[("HTTP_X_FORWARDED_FOR", "real")]);
    assert_lacks(&environ, &["HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_A_"]);
}

#[test]
fn hop_by_hop_headers_and_those_named_by_connection_are_dropped() {
    for name in HOP_BY_HOP {
        let variable = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
        assert_lacks(&with_headers(&[(name, b"x")]), &[&variable]);
    }
    let environ = with_headers(&[
        ("Connection", b"keep-alive , X-Hop"),
        ("Connection", b"x-other,,absent"),
        ("X-Hop", b"1"),
        ("X-Other", b"2"),
        ("X-Stays", b"3"),
    ]);
    assert_has(&environ, &[("HTTP_X_STAYS", "3")]);
    assert_lacks(&environ, &["HTTP_X_HOP", "HTTP_X_OTHER", "HTTP_CONNECTION"]);
}

#[test]
fn connection_cannot_name_the_host_or_the_type_of_the_body_away() {
    let environ =
        with_headers(&[("Connection", b"host, content-type"), ("Host", b"example.org"), ("Content-Type", b"a/b")]);
    assert_has(&environ, &[("HTTP_HOST", "example.org"), ("CONTENT_TYPE", "a/b")]);
}

#[test]
fn bytes_that_are_not_text_survive_as_latin_1() {
    let environ = built(&request("/app/é?q=é", &[("X-Odd", b"caf\xc3\xa9 \x80\xff\t.")]), |_| {});
    let utf_8 = "\u{c3}\u{a9}";
    assert_has(
        &environ,
        &[
            ("HTTP_X_ODD", &format!("caf{utf_8} \u{80}\u{ff}\t.")),
            ("QUERY_STRING", &format!("q={utf_8}")),
            ("REQUEST_URI", &format!("/app/{utf_8}?q={utf_8}")),
        ],
    );
}

#[test]
fn the_server_is_named_by_the_request_else_by_the_listener() {
    let named = |target: &str, host: Option<&[u8]>, scheme: Scheme| {
        let headers: Vec<(&str, &[u8])> = host.map(|host| ("Host", host)).into_iter().collect();
        let environ = built(&request(target, &headers), |context| context.scheme = scheme);
        (environ.get("SERVER_NAME").unwrap().to_owned(), environ.get("SERVER_PORT").unwrap().to_owned())
    };
    let pair = |name: &str, port: &str| (name.to_owned(), port.to_owned());
    assert_eq!(named("/", Some(b"a.example:81"), Scheme::Http), pair("a.example", "81"));
    assert_eq!(named("/", Some(b"a.example"), Scheme::Http), pair("a.example", "80"));
    assert_eq!(named("/", Some(b"a.example"), Scheme::Https), pair("a.example", "443"));
    assert_eq!(named("/", Some(b"a.example:"), Scheme::Http), pair("a.example", "80"));
    assert_eq!(named("/", Some(b"[::1]:81"), Scheme::Http), pair("[::1]", "81"));
    assert_eq!(named("http://b.example:82/", Some(b"a.example"), Scheme::Http), pair("b.example", "82"));
    assert_eq!(named("/", None, Scheme::Http), pair("127.0.0.1", "8080"));
    assert_eq!(named("/", Some(b""), Scheme::Http), pair("127.0.0.1", "8080"));
    assert_eq!(named("/", Some(b":81"), Scheme::Http), pair("127.0.0.1", "8080"));
}

#[test]
fn a_listener_names_the_server_in_every_form_it_may_have() {
    let named = |local: Endpoint, scheme: Scheme| {
        let environ = built(&request("/", &[]), |context| (context.local, context.scheme) = (local, scheme));
        format!("{} {}", environ.get("SERVER_NAME").unwrap(), environ.get("SERVER_PORT").unwrap())
    };
    let tcp = |address: &str| Endpoint::Tcp(address.parse().unwrap());
    assert_eq!(named(tcp("[::1]:8080"), Scheme::Http), "[::1] 8080");
    assert_eq!(named(tcp("[::ffff:10.0.0.1]:8080"), Scheme::Http), "10.0.0.1 8080");
    assert_eq!(named(Endpoint::Unix, Scheme::Http), "localhost 80");
    assert_eq!(named(Endpoint::Unix, Scheme::Https), "localhost 443");
}

#[test]
fn the_authority_of_http_2_is_the_host() {
    let mut parts = request("https://example.org/app/x?q", &[]);
    parts.version = Version::HTTP_2;
    let environ = built(&parts, |context| context.scheme = Scheme::Https);
    assert_has(
        &environ,
        &[
            ("HTTP_HOST", "example.org"),
            ("SERVER_PROTOCOL", "HTTP/2.0"),
            ("SERVER_PORT", "443"),
            ("HTTPS", "on"),
            ("wsgi.url_scheme", "https"),
            ("REQUEST_SCHEME", "https"),
            ("REQUEST_URI", "/app/x?q"),
        ],
    );
}

#[test]
fn the_protocol_is_that_of_the_request() {
    let mut parts = request("/", &[]);
    for (version, protocol) in [(Version::HTTP_10, "HTTP/1.0"), (Version::HTTP_11, "HTTP/1.1")] {
        parts.version = version;
        assert_has(&built(&parts, |_| {}), &[("SERVER_PROTOCOL", protocol)]);
    }
}

#[test]
fn methods_keep_their_case() {
    let mut parts = request("/", &[]);
    parts.method = Method::from_bytes(b"m-SEARCH").unwrap();
    assert_has(&built(&parts, |_| {}), &[("REQUEST_METHOD", "m-SEARCH")]);
}

#[test]
fn peers_are_told_without_brackets_and_without_a_lie() {
    let remote = |peer: Endpoint| built(&request("/", &[]), |context| context.peer = peer);
    let tcp = |address: &str| Endpoint::Tcp(address.parse().unwrap());
    assert_has(&remote(tcp("[2001:db8::1]:9")), &[("REMOTE_ADDR", "2001:db8::1"), ("REMOTE_PORT", "9")]);
    assert_has(&remote(tcp("[::ffff:192.0.2.1]:9")), &[("REMOTE_ADDR", "192.0.2.1"), ("REMOTE_HOST", "192.0.2.1")]);
    let unix = remote(Endpoint::Unix);
    assert_has(&unix, &[("REMOTE_ADDR", ""), ("REMOTE_HOST", "")]);
    assert_lacks(&unix, &["REMOTE_PORT"]);
}

#[test]
fn an_instance_that_serves_more_requests_does_not_run_once() {
    assert_has(&built(&request("/", &[]), |context| context.reused = true), &[("wsgi.run_once", "false")]);
    assert_has(&built(&request("/", &[]), |context| context.single = true), &[("wsgi.multiprocess", "false")]);
}

#[test]
fn the_deployers_variables_are_there_but_never_pass_for_the_requests() {
    let env: BTreeMap<String, String> = [
        ("COLOUR", "blé"),
        ("HTTPS", "on"),
        ("REQUEST_METHOD", "DELETE"),
        ("HTTP_X_USER", "admin"),
        ("CONTENT_LENGTH", "7"),
        ("CONTENT_TYPE", "a/b"),
        ("wsgi.version", "9"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let (parts, request_id) = (request("/", &[]), RequestId::generate());
    let context = Context {
        script_name: "",
        path_info: "/",
        content_length: None,
        scheme: Scheme::Http,
        local: Endpoint::Unix,
        peer: Endpoint::Unix,
        request_id: &request_id,
        app: "shop",
        single: false,
        reused: false,
        env: &env,
    };
    let environ = build(&parts, &context);
    assert_has(
        &environ,
        &[("COLOUR", "bl\u{c3}\u{a9}"), ("HTTPS", "on"), ("REQUEST_METHOD", "GET"), ("wsgi.version", "1.0")],
    );
    assert_lacks(&environ, &["HTTP_X_USER", "CONTENT_LENGTH", "CONTENT_TYPE"]);
}

#[test]
fn the_guest_gets_a_copy_of_every_variable() {
    let environ = with_headers(&[("X-Odd", b"\xff")]);
    let copy = environ.to_entries();
    assert_eq!(copy.len(), environ.entries().len());
    assert!(copy.iter().all(|(name, value)| environ.get(name) == Some(value)));
    assert_eq!(environ.into_entries(), copy);
}

#[test]
fn the_debug_form_hides_the_values() {
    let shown = format!("{:?}", with_headers(&[("Cookie", b"secret")]));
    assert!(shown.contains("HTTP_COOKIE") && !shown.contains("secret"), "{shown}");
}

/// Headers as a client may send them, odd ones among them.
fn any_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        "[A-Za-z][A-Za-z0-9_-]{0,8}",
        "[!#$%&'*+.^`|~0-9a-z_-]{1,6}",
        prop::sample::select(vec![
            "Host",
            "Cookie",
            "Connection",
            "Content-Length",
            "Content-Type",
            "Proxy",
            "TE",
            "X-A",
            "X_A",
            "Upgrade",
        ])
        .prop_map(str::to_owned),
    ];
    let value = prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff, Just(b'\t'), Just(b',')], 0..12);
    prop::collection::vec((name, value), 0..12)
}

proptest! {
    #[test]
    fn whatever_the_client_sends_the_environ_keeps_the_rules(headers in any_headers()) {
        let borrowed: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
        let parts = request("/app/x", &borrowed);
        let environ = built(&parts, |_| {});
        let names: BTreeSet<&str> = environ.entries().iter().map(|(name, _)| &**name).collect();
        prop_assert_eq!(names.len(), environ.entries().len(), "names are unique");
        for (name, value) in environ.entries() {
            prop_assert!(name.is_ascii() && value.chars().all(|char| u32::from(char) <= 0xff), "{name} is native");
        }
        for name in ["REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
            prop_assert!(environ.get(name).is_some_and(|value| !value.is_empty()), "{name} is never empty");
        }
        for name in ["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_PROXY", "HTTP_TE", "HTTP_UPGRADE", "CONTENT_LENGTH"] {
            prop_assert!(environ.get(name).is_none(), "{name} is never there");
        }
        for (name, _) in environ.entries().iter().filter(|(name, _)| name.starts_with("HTTP_")) {
            let header = name["HTTP_".len()..].to_ascii_lowercase().replace('_', "-");
            prop_assert!(parts.headers.contains_key(header.as_str()), "{name} mirrors a header");
        }
    }

    #[test]
    fn every_byte_of_a_header_reaches_the_app(value in prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..40)) {
        let environ = with_headers(&[("X-Odd", &value)]);
        let received = native::to_bytes(environ.get("HTTP_X_ODD").unwrap()).unwrap().into_owned();
        prop_assert_eq!(received, value);
    }
}
