//! start_response twice, with `exc_info` and without.

use serde_json::json;

use crate::hosts::Hosts;

pub(crate) fn a_second_call_without_exc_info_is_refused(hosts: &Hosts) {
    let response = hosts.plain().get("/start-twice");
    assert_eq!(response.expect(200).json(), json!({"second": "already-called"}));
    assert_eq!(response.header("X-Call"), Some("first"));
}

pub(crate) fn a_refused_call_counts_as_the_first(hosts: &Hosts) {
    let report = hosts.plain().get("/start-twice/first-refused").expect(200).json();
    assert_eq!(report, json!({"first": "bad-status", "second": "already-called"}));
}

pub(crate) fn the_head_is_not_sent_before_the_body_so_exc_info_replaces_it(hosts: &Hosts) {
    for via in ["return", "first", "second"] {
        let response = hosts.plain().get(&format!("/start-exc-info?via={via}"));
        response.expect(500);
        assert_eq!(response.head.reason, "Replaced");
        assert_eq!(response.header("X-Call"), Some("second"), "nothing of the first head is left: {response:?}");
        assert_eq!(response.text(), "replaced", "through the writer of either call");
    }
}

pub(crate) fn exc_info_is_in_the_log(hosts: &Hosts) {
    let host = hosts.plain();
    let id = host.get("/start-exc-info").request_id();
    host.log().wait_with(&[&id, "the first head was wrong"]);
}

pub(crate) fn exc_info_may_come_with_the_only_call(hosts: &Hosts) {
    hosts.plain().get("/start-exc-info/first").expect_text("started");
}

pub(crate) fn an_empty_write_does_not_send_the_head(hosts: &Hosts) {
    let response = hosts.plain().get("/start-exc-info/after-empty");
    response.expect(503);
    assert_eq!(response.text(), "replaced");
}

pub(crate) fn exc_info_after_the_head_is_sent_tells_the_application_so(hosts: &Hosts) {
    hosts.plain().get("/start-exc-info/late").expect_text("begun\nlate: head-sent\n");
}

pub(crate) fn a_refused_replacement_leaves_the_first_head(hosts: &Hosts) {
    let response = hosts.plain().get("/start-exc-info/refused");
    assert_eq!(response.expect(200).json(), json!({"second": "bad-header"}));
    assert_eq!(response.header("X-Call"), Some("first"));
}
