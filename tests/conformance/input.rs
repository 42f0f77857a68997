//! `wsgi.input`.

use serde_json::json;
use wasgi_harness::{Host, Request};

use crate::hosts::Hosts;

/// Both ways in which an application gets its body: rules of the input hold for each.
fn both(hosts: &Hosts) -> [&Host; 2] {
    [hosts.plain(), hosts.streaming()]
}

pub(crate) fn the_body_can_be_read_whole(hosts: &Hosts) {
    for host in both(hosts) {
        let response = host.post("/input/all", "the whole body");
        response.expect_text("the whole body");
        assert_eq!(response.header("Content-Type"), Some("application/octet-stream"));
        host.post("/input/all", "").expect_text("");
        host.get("/input/all").expect_text("");
    }
}

pub(crate) fn there_is_one_input_for_each_request(hosts: &Hosts) {
    for host in both(hosts) {
        assert_eq!(host.post("/input/twice", "abc").json(), json!({"first": "ok", "second": "taken"}));
    }
}

pub(crate) fn a_read_returns_at_most_what_it_asks_for(hosts: &Hosts) {
    let body = vec![b'x'; 100_000];
    for host in both(hosts) {
        for max in [1_000, 70_000, 1_000_000] {
            let read = host.post(&format!("/input/read?max={max}"), &body).json();
            assert_eq!(read["total"], 100_000, "{read}");
            assert!(read["largest"].as_u64().unwrap() <= max, "{read}");
            assert!(read["reads"].as_u64().unwrap() >= 100_000_u64.div_ceil(max), "{read}");
        }
    }
}

pub(crate) fn a_read_of_zero_bytes_reads_nothing(hosts: &Hosts) {
    for host in both(hosts) {
        assert_eq!(host.post("/input/zero", "abcde").json(), json!({"zero": 0, "total": 5}));
    }
}

pub(crate) fn the_input_ends_at_the_content_length(hosts: &Hosts) {
    for host in both(hosts) {
        // The next request stands right behind the body: nothing of it may be read as such.
        let mut conn = host.connect();
        let mut bytes = Request::post("/input/all", "first").bytes();
        bytes.extend(Request::post("/input/all", "second").bytes());
        conn.send(bytes);
        conn.response().expect_text("first");
        conn.response().expect_text("second");
    }
}

pub(crate) fn past_the_end_there_is_nothing_however_often_one_reads(hosts: &Hosts) {
    for host in both(hosts) {
        let ends = json!({"total": 3, "after": [0, 0, 0]});
        assert_eq!(host.post("/input/after-end", "abc").json(), ends);
        assert_eq!(host.request(&Request::chunked("/input/after-end", ["a", "bc"])).json(), ends);
    }
}

pub(crate) fn the_body_can_be_read_line_by_line(hosts: &Hosts) {
    for host in both(hosts) {
        let lines = host.post("/input/lines", "one\ntwo\r\n\nlast").json();
        assert_eq!(lines, json!({"lines": [4, 5, 1, 4]}));
    }
}

pub(crate) fn an_application_need_not_read_its_input(hosts: &Hosts) {
    for host in both(hosts) {
        let mut conn = host.connect();
        conn.send(Request::post("/input/ignored", vec![b'x'; 1000]).bytes());
        conn.response().expect_text("ignored");
        conn.send(Request::post("/input/partial?bytes=3", "abcdef").bytes());
        conn.response().expect_text("abc");
        // What was left unread is not taken for the next request.
        conn.send(Request::get("/hello").bytes());
        conn.response().expect_text("hello");
    }
}

pub(crate) fn a_large_body_is_read_back_unchanged(hosts: &Hosts) {
    // Over what is kept in memory, so that it goes through the spool.
    let body: Vec<u8> = (0..=255).cycle().take(3 * 1024 * 1024 + 7).collect();
    for host in both(hosts) {
        let response = host.post("/input/all", &body);
        response.expect(200);
        assert!(response.body == body, "{} bytes came back, not the same", response.body.len());
    }
}

pub(crate) fn transfer_coding_is_taken_off_before_the_application_sees_the_body(hosts: &Hosts) {
    for host in both(hosts) {
        let request = Request::chunked("/input/all", ["one ", "body ", "in chunks"]);
        host.request(&request).expect_text("one body in chunks");
    }
}
