//! The environ: CGI keys and `wsgi.*` keys.

use serde_json::{Value, json};
use wasgi_harness::{Host, Request};

use crate::hosts::{Hosts, encoded, environ_of, environ_with};

pub(crate) fn the_method_is_told_as_it_was_sent(hosts: &Hosts) {
    // Methods are case-sensitive, so `get` is another one.
    for method in ["GET", "POST", "DELETE", "OPTIONS", "PURGE", "get", "M-SEARCH"] {
        let environ = environ_of(hosts.plain(), &Request::new(method, "/environ"));
        assert_eq!(environ["REQUEST_METHOD"], method);
    }
}

pub(crate) fn the_server_is_named_as_the_client_named_it(hosts: &Hosts) {
    for (host, name, port) in [
        ("example.org", "example.org", "80"),
        ("example.org:8080", "example.org", "8080"),
        ("[2001:db8::1]:81", "[2001:db8::1]", "81"),
        ("example.org:", "example.org", "80"),
    ] {
        let environ = environ_with(hosts.plain(), &[("Host", host)]);
        assert_eq!(environ["SERVER_NAME"], name, "{host}");
        assert_eq!(environ["SERVER_PORT"], port, "{host}");
    }
}

pub(crate) fn the_server_has_a_name_and_port_even_if_the_client_gives_none(hosts: &Hosts) {
    let host = hosts.plain();
    let environ = environ_of(host, &Request::get("/environ").http_1_0().without_host());
    assert_eq!(environ["SERVER_NAME"], "127.0.0.1");
    assert_eq!(environ["SERVER_PORT"], host.port().to_string());
    assert_eq!(environ.get("HTTP_HOST"), None);
}

pub(crate) fn the_protocol_is_that_of_the_request(hosts: &Hosts) {
    let host = hosts.plain();
    assert_eq!(environ_of(host, &Request::get("/environ"))["SERVER_PROTOCOL"], "HTTP/1.1");
    assert_eq!(environ_of(host, &Request::get("/environ").http_1_0())["SERVER_PROTOCOL"], "HTTP/1.0");
    let response = host.http2().get("/environ");
    let environ: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(environ["SERVER_PROTOCOL"], "HTTP/2.0");
}

pub(crate) fn the_mount_point_is_the_script_name(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[]);
    assert_eq!((&environ["SCRIPT_NAME"], &environ["PATH_INFO"]), (&json!(""), &json!("/environ")));
    let environ = environ_of(hosts.mounted(), &Request::get(&hosts.at("/environ")));
    assert_eq!((&environ["SCRIPT_NAME"], &environ["PATH_INFO"]), (&json!(hosts.at("")), &json!("/environ")));
}

pub(crate) fn the_path_info_is_the_decoded_rest_of_the_path(_: &Hosts) {
    // The example answers every path, and the conformance guest only its own.
    let host = Host::dir(&["environ"]).start();
    for (path, path_info) in [
        ("/environ", ""),
        ("/environ/", "/"),
        ("/environ/a/b", "/a/b"),
        ("/environ/a%20b", "/a b"),
        ("/environ/a%2Fb", "/a/b"),
        ("/environ//a", "//a"),
        ("/environ/a/../b", "/a/../b"),
        ("/environ/a;p=1", "/a;p=1"),
        ("/environ/a+b", "/a+b"),
        ("/environ/%zz%4", "/%zz%4"),
        ("/environ/%C3%A9%ff", "/\u{c3}\u{a9}\u{ff}"),
        ("/e%6Eviron/x", "/x"),
    ] {
        let got = environ_of(&host, &Request::get(path).header("Accept", "application/json"));
        let environ = &got["environ"];
        assert_eq!(environ["SCRIPT_NAME"], "/environ", "{path}");
        assert_eq!(environ["PATH_INFO"], path_info, "{path}");
    }
}

/// The same with a guest that answers its environ at every path below one.
pub(crate) fn the_path_info_is_what_the_route_leaves(hosts: &Hosts) {
    for (path, path_info) in [
        ("/environ/a/b", "/environ/a/b"),
        ("/environ/a%20b", "/environ/a b"),
        ("/environ/a%2Fb", "/environ/a/b"),
        ("/environ//a;p=1", "/environ//a;p=1"),
        ("/environ/%C3%A9%ff", "/environ/\u{c3}\u{a9}\u{ff}"),
    ] {
        let environ = environ_of(hosts.mounted(), &Request::get(&hosts.at(path)));
        assert_eq!(environ["SCRIPT_NAME"], hosts.at(""), "{path}");
        assert_eq!(environ["PATH_INFO"], path_info, "{path}");
    }
}

pub(crate) fn the_query_is_told_undecoded(hosts: &Hosts) {
    for (target, query) in
        [("/environ", ""), ("/environ?", ""), ("/environ?a=%20&b=c+d", "a=%20&b=c+d"), ("/environ?a?b=/", "a?b=/")]
    {
        assert_eq!(environ_of(hosts.plain(), &Request::get(target))["QUERY_STRING"], query, "{target}");
    }
}

pub(crate) fn type_and_length_of_the_body_are_told_if_there_is_one(hosts: &Hosts) {
    let environ = environ_of(hosts.plain(), &Request::post("/environ", "abc").header("Content-Type", "text/x; a=b"));
    assert_eq!(environ["CONTENT_TYPE"], "text/x; a=b");
    assert_eq!(environ["CONTENT_LENGTH"], "3");
    let environ = environ_of(hosts.plain(), &Request::get("/environ"));
    assert_eq!(environ.get("CONTENT_TYPE"), None);
    assert_eq!(environ.get("CONTENT_LENGTH"), None);
}

pub(crate) fn the_length_of_a_chunked_body_is_told_since_it_is_buffered(hosts: &Hosts) {
    let request = Request::chunked("/environ", ["abc", "de"]);
    let environ = environ_of(hosts.plain(), &request);
    assert_eq!(environ["CONTENT_LENGTH"], "5");
    let environ = environ_of(hosts.streaming(), &request);
    assert_eq!(environ.get("CONTENT_LENGTH"), None, "a streamed body has no known length");
    assert_eq!(environ["wsgi.input_terminated"], "true", "so the application must read to the end");
}

pub(crate) fn headers_become_variables_just_when_they_are_sent(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[("X-Test", "1"), ("accept", "a/b"), ("X-EMPTY", "")]);
    assert_eq!(environ["HTTP_X_TEST"], "1");
    assert_eq!(environ["HTTP_ACCEPT"], "a/b");
    assert_eq!(environ["HTTP_X_EMPTY"], "");
    let environ = environ_with(hosts.plain(), &[]);
    let headers: Vec<_> = keys(&environ).into_iter().filter(|key| key.starts_with("HTTP_")).collect();
    assert_eq!(headers, ["HTTP_HOST"]);
}

pub(crate) fn type_and_length_are_no_header_variables(hosts: &Hosts) {
    let environ = environ_of(hosts.plain(), &Request::post("/environ", "abc").header("Content-Type", "text/plain"));
    assert_eq!(environ.get("HTTP_CONTENT_TYPE"), None);
    assert_eq!(environ.get("HTTP_CONTENT_LENGTH"), None);
}

pub(crate) fn over_plain_http_nothing_speaks_of_tls(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[("HTTPS", "on"), ("X-Forwarded-Proto", "https")]);
    assert!(keys(&environ).iter().all(|key| *key != "HTTPS" && !key.starts_with("SSL_")), "{environ}");
    assert_eq!(environ["wsgi.url_scheme"], "http");
    assert_eq!(environ["REQUEST_SCHEME"], "http");
}

/// The list that README and documentation give.
pub(crate) fn the_variables_are_those_that_are_documented(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[]);
    let documented = [
        "GATEWAY_INTERFACE",
        "HTTP_HOST",
        "PATH_INFO",
        "QUERY_STRING",
        "RAW_URI",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_PORT",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
        "wasgi.app",
        "wasgi.request_id",
        "wsgi.input_terminated",
        "wsgi.multiprocess",
        "wsgi.multithread",
        "wsgi.run_once",
        "wsgi.url_scheme",
        "wsgi.version",
    ];
    assert_eq!(keys(&environ), documented);
}

pub(crate) fn what_is_absent_is_absent_and_not_empty(hosts: &Hosts) {
    let host = hosts.plain();
    for name in ["CONTENT_TYPE", "HTTP_COOKIE", "REMOTE_USER", "request_method", "NO SUCH"] {
        let response = host.get(&format!("/environ/get?name={}", encoded(name)));
        assert_eq!(response.json(), json!({"present": false, "value": null}), "{name}");
    }
    let response = host.get("/environ/get?name=REQUEST_METHOD");
    assert_eq!(response.json(), json!({"present": true, "value": "GET"}));
}

pub(crate) fn values_are_native_strings_one_char_a_byte(hosts: &Hosts) {
    let bytes: Vec<u8> = (0x80..=0xff).collect();
    let request = Request::get("/environ?\u{2603}").header("X-Bytes", &bytes);
    let environ = environ_of(hosts.plain(), &request);
    let expected: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    assert_eq!(environ["HTTP_X_BYTES"], expected);
    assert_eq!(environ["QUERY_STRING"], "\u{e2}\u{98}\u{83}");
    let values = environ.as_object().unwrap().values().map(|value| value.as_str().unwrap());
    assert!(values.flat_map(str::chars).all(|char| char <= '\u{ff}'), "{environ}");
}

pub(crate) fn the_deployer_can_set_variables(hosts: &Hosts) {
    let host = hosts
        .serving()
        .args(["--env", "SHOP_NAME=Blumen & Co", "--env", "REQUEST_METHOD=FORGED", "--env", "HTTP_X_USER=root"])
        .start();
    let environ = environ_with(&host, &[]);
    assert_eq!(environ["SHOP_NAME"], "Blumen & Co");
    assert_eq!(environ["REQUEST_METHOD"], "GET", "what the request says comes first");
    assert_eq!(environ.get("HTTP_X_USER"), None, "or applications would take it for the client's");
}

pub(crate) fn nothing_of_the_hosts_own_environment_is_there(hosts: &Hosts) {
    let host = hosts.serving().env("WASGI_TEST_SECRET", "hunter2").start();
    let environ = environ_with(&host, &[]).to_string();
    assert!(!environ.contains("WASGI_TEST_SECRET") && !environ.contains("hunter2"), "{environ}");
}

pub(crate) fn keys_of_the_server_are_lower_case_with_a_prefix(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[]);
    for key in keys(&environ).into_iter().filter(|key| key.contains(char::is_lowercase)) {
        assert_eq!(key, key.to_lowercase());
        assert!(key.starts_with("wsgi.") || key.starts_with("wasgi."), "{key}");
    }
    assert_eq!(environ["wasgi.app"], hosts.guest());
    assert_ne!(environ["wasgi.request_id"], "");
}

pub(crate) fn version_and_scheme_of_wsgi_are_told(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[]);
    assert_eq!(environ["wsgi.version"], "1.0");
    assert_eq!(environ["wsgi.url_scheme"], "http");
}

pub(crate) fn one_instance_serves_one_request_at_a_time(hosts: &Hosts) {
    for host in [hosts.plain(), hosts.reusing()] {
        let environ = environ_with(host, &[]);
        assert_eq!(environ["wsgi.multithread"], "false");
        assert_eq!(environ["wsgi.multiprocess"], "true");
    }
}

pub(crate) fn an_instance_runs_once_unless_it_is_reused(hosts: &Hosts) {
    assert_eq!(environ_with(hosts.plain(), &[])["wsgi.run_once"], "true");
    assert_eq!(environ_with(hosts.reusing(), &[])["wsgi.run_once"], "false");
}

fn keys(environ: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = environ.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
