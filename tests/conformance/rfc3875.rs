//! The meta-variables of RFC 3875, and what was learned since.

use serde_json::json;
use wasgi_harness::Request;

use crate::hosts::{Hosts, environ_of, environ_with};

pub(crate) fn authentication_is_left_to_the_application(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[("Authorization", "Basic dXNlcjpwYXNz")]);
    assert_eq!(environ.get("AUTH_TYPE"), None, "the server authenticates nobody");
    assert_eq!(environ.get("REMOTE_USER"), None);
    assert_eq!(environ["HTTP_AUTHORIZATION"], "Basic dXNlcjpwYXNz", "so the application gets what it needs");
}

pub(crate) fn the_gateway_is_cgi_1_1(hosts: &Hosts) {
    assert_eq!(environ_with(hosts.plain(), &[])["GATEWAY_INTERFACE"], "CGI/1.1");
}

pub(crate) fn no_path_of_the_servers_is_told(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[]);
    assert_eq!(environ.get("PATH_TRANSLATED"), None);
    assert_eq!(environ.get("DOCUMENT_ROOT"), None);
    assert_eq!(environ.get("SCRIPT_FILENAME"), None);
}

pub(crate) fn the_client_is_told_by_its_address(hosts: &Hosts) {
    let forged = [("X-Forwarded-For", "203.0.113.9"), ("Remote-Addr", "203.0.113.9")];
    let environ = environ_with(hosts.plain(), &forged);
    assert_eq!(environ["REMOTE_ADDR"], "127.0.0.1");
    assert_eq!(environ["REMOTE_HOST"], "127.0.0.1");
    assert_eq!(environ.get("REMOTE_IDENT"), None);
    assert!(environ["REMOTE_PORT"].as_str().unwrap().parse::<u16>().is_ok_and(|port| port > 0), "{environ}");
}

pub(crate) fn the_software_is_named_with_its_version(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[]);
    let software = environ["SERVER_SOFTWARE"].as_str().unwrap();
    let version = software.strip_prefix("wasgi/").unwrap_or_else(|| panic!("{software}"));
    assert!(version.starts_with(|char: char| char.is_ascii_digit()), "{software}");
}

pub(crate) fn repeated_headers_are_one_variable(hosts: &Hosts) {
    let environ = environ_with(hosts.plain(), &[("X-List", "a"), ("x-list", "b, c"), ("X-LIST", "d")]);
    assert_eq!(environ["HTTP_X_LIST"], "a,b, c,d");
    let environ = environ_with(hosts.plain(), &[("Cookie", "a=1"), ("Cookie", "b=2; c=3")]);
    assert_eq!(environ["HTTP_COOKIE"], "a=1; b=2; c=3");
}

pub(crate) fn the_target_is_told_as_it_was_sent(hosts: &Hosts) {
    let target = hosts.at("/environ?a=%2F");
    let environ = environ_of(hosts.mounted(), &Request::get(&target));
    assert_eq!(environ["REQUEST_URI"], target);
    assert_eq!(environ["RAW_URI"], target);
    let target = hosts.at("/%65nviron?").replace("conforma", "conform%61");
    let environ = environ_of(hosts.mounted(), &Request::get(&target));
    assert_eq!(environ["RAW_URI"], target);
    assert_eq!(environ["PATH_INFO"], "/environ");
    assert_eq!(environ["REQUEST_SCHEME"], "http");
}

pub(crate) fn headers_that_could_pass_for_another_are_dropped(hosts: &Hosts) {
    let forged = [("X_Forwarded_User", "root"), ("Proxy", "http://evil.example"), ("X-Real", "yes")];
    let environ = environ_with(hosts.plain(), &forged);
    assert_eq!(environ.get("HTTP_X_FORWARDED_USER"), None, "names with `_` would be those with `-`");
    assert_eq!(environ.get("HTTP_PROXY"), None, "it is a setting of many HTTP clients");
    assert_eq!(environ["HTTP_X_REAL"], "yes");
}

/// What wsgiref.validate asserts of an environ.
pub(crate) fn the_environ_is_one_that_wsgiref_validate_takes(hosts: &Hosts) {
    for (host, target) in [(hosts.plain(), "/environ"), (hosts.mounted(), hosts.at("/environ").as_str())] {
        let environ = environ_of(host, &Request::post(target, "abc"));
        let (script, path) = (environ["SCRIPT_NAME"].as_str().unwrap(), environ["PATH_INFO"].as_str().unwrap());
        assert_ne!(script, "/");
        assert!(script.is_empty() || script.starts_with('/'), "{script}");
        assert!(path.is_empty() || path.starts_with('/'), "{path}");
        assert!(environ["CONTENT_LENGTH"].as_str().unwrap().parse::<u64>().is_ok());
        assert_eq!(environ["wsgi.url_scheme"], json!("http"));
    }
}
