//! How the application is called.

use serde_json::json;
use wasgi_harness::Request;

use crate::hosts::Hosts;

pub(crate) fn each_request_calls_the_application_exactly_once(hosts: &Hosts) {
    for _ in 0..3 {
        let fresh = hosts.plain().get("/calls").json();
        assert_eq!(fresh, json!({"calls": 1}), "a fresh instance, called once");
    }
}

pub(crate) fn an_instance_that_is_reused_is_called_again_and_again(hosts: &Hosts) {
    // A host of its own: requests of other tests would come in between.
    let host = hosts.serving().args(["--reuse", "1000"]).start();
    let calls: Vec<_> = (0..5).map(|_| host.get("/calls").json()["calls"].clone()).collect();
    assert_eq!(calls, [1, 2, 3, 4, 5]);
    // The shared one shows that it stays so for whoever comes later.
    assert!(hosts.reusing().get("/calls").json()["calls"].as_u64() >= Some(1));
}

pub(crate) fn what_the_application_does_to_its_environ_stays_with_it(hosts: &Hosts) {
    assert_eq!(hosts.plain().get("/environ/copy").json(), json!({"same": true}));
}

pub(crate) fn start_response_returns_the_write_callable(hosts: &Hosts) {
    let response = hosts.plain().get("/write?size=12&chunk=5");
    response.expect_text("wwwwwwwwwwww");
}

pub(crate) fn what_is_returned_follows_what_was_written(hosts: &Hosts) {
    hosts.plain().get("/write-then-return").expect_text("written,returned");
}

pub(crate) fn writers_of_several_calls_are_one_stream(hosts: &Hosts) {
    hosts.plain().get("/writers").expect_text("abcd");
}

pub(crate) fn an_application_without_start_response_is_answered_with_502(hosts: &Hosts) {
    let host = hosts.plain();
    let response = host.get("/no-start");
    response.expect(502);
    assert!(!response.text().contains("lost"), "the guest's bytes are not sent: {response:?}");
    host.log().wait_with(&[&response.request_id(), "without a response head"]);
}

pub(crate) fn the_url_can_be_rebuilt(hosts: &Hosts) {
    let host = hosts.plain();
    for (target, authority, url) in [
        ("/url", "example.org", "http://example.org/url"),
        ("/url?a=b&c=%20", "example.org:8080", "http://example.org:8080/url?a=b&c=%20"),
        ("/url?", "example.org:80", "http://example.org:80/url"),
        ("/url", "[::1]:81", "http://[::1]:81/url"),
    ] {
        host.request(&Request::get(target).header("Host", authority)).expect_text(url);
    }
    let without_host = host.request(&Request::get("/url").http_1_0().without_host());
    without_host.expect_text(&format!("http://127.0.0.1:{}/url", host.port()));
}

pub(crate) fn the_url_of_a_mounted_application_has_its_mount_point(hosts: &Hosts) {
    let target = hosts.at("/url?x");
    let response = hosts.mounted().request(&Request::get(&target).header("Host", "example.org"));
    response.expect_text(&format!("http://example.org{target}"));
}
