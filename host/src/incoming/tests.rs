use std::net::SocketAddr;

use super::*;

fn given(request: http::request::Builder, script_name: &str) -> Parts {
    let (request, ()) = request.body(()).unwrap().into_parts();
    let local = Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080)));
    let id = RequestId::generate();
    head(&request, &Context { script_name, scheme: Scheme::Http, local, request_id: &id })
}

#[test]
fn an_app_is_told_of_its_own_part_of_the_path() {
    let uri = |target: &str, script_name: &str| {
        given(Request::get(target).header("host", "example.com:81"), script_name).uri.to_string()
    };
    assert_eq!(uri("/a/b?c=/d", ""), "http://example.com:81/a/b?c=/d");
    assert_eq!(uri("/a/b?c=/d", "/a"), "http://example.com:81/b?c=/d");
    assert_eq!(uri("/a", "/a"), "http://example.com:81/");
    assert_eq!(uri("/a?b", "/a"), "http://example.com:81/?b");
    assert_eq!(uri("/a/", "/a"), "http://example.com:81/");
    assert_eq!(uri("/%61%2Fx/b%20c%zz", "/a/x"), "http://example.com:81/b%20c%zz", "escapes stay as they came");
    assert_eq!(uri("/caf%C3%A9/b", "/caf\u{c3}\u{a9}"), "http://example.com:81/b");
}

#[test]
fn a_request_without_a_host_is_to_the_server_itself() {
    assert_eq!(given(Request::get("/"), "").uri.to_string(), "http://127.0.0.1:8080/");
    assert_eq!(given(Request::get("/").header("host", ""), "").uri.to_string(), "http://127.0.0.1:8080/");
}

#[test]
fn what_the_host_tells_no_client_can_forge() {
    let forged = || Request::get("/a").header("x-forwarded-prefix", "/forged").header("x-request-id", "forged");
    let head = given(forged(), "/a");
    assert_eq!(head.headers.get_all(PREFIX_HEADER).iter().collect::<Vec<_>>(), ["/a"]);
    assert_eq!(head.headers.get_all("x-request-id").iter().count(), 1);
    assert_ne!(head.headers["x-request-id"], "forged");
    assert!(!given(forged(), "").headers.contains_key(PREFIX_HEADER));
}

#[test]
fn all_else_is_as_the_client_sent_it() {
    let request = Request::post("/").header("x-a", "1").header("x-a", "2").header("x-b", &b"caf\xe9"[..]);
    let head = given(request, "");
    assert_eq!(head.method, "POST");
    assert_eq!(head.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(head.headers["x-b"].as_bytes(), b"caf\xe9");
}
