//! Responses: their framing, their pace, and how they break off.

use wasgi_harness::{BodyEnd, Conn, Ending, Host, Request};

use crate::common::memory_kib;

fn asked(host: &Host, request: &Request) -> Conn {
    let mut conn = host.connect();
    conn.send(request.bytes());
    conn
}

#[test]
fn a_guest_that_writes_to_a_client_that_reads_nothing_is_held() {
    // The drop of the idle client is the event that ends the test; until then, a guest that is not held writes GiBs.
    let host = Host::serving("hostile").args(["--send-idle-max", "1s"]).start();
    let before = memory_kib(&host, "VmHWM");
    let mut conn = asked(&host, &Request::get("/endless"));
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    let line = host.log().wait_with(&[&id, "endless: closed after"]);
    let digits = line.split("closed after ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let written: u64 = digits.parse().unwrap();
    // What the kernel buffers for both ends, and a few chunks.
    assert!(written < 64 << 20, "{written} bytes were written to nobody");
    let grown = memory_kib(&host, "VmHWM") - before;
    assert!(grown < 16 * 1024, "the host took {grown} KiB");
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let host = Host::serving("conformance").start();
    let mut conn = asked(&host, &Request::get("/binary?size=33554432"));
    let head = conn.head();
    // Another request is served to its end while nobody reads this one.
    host.get("/binary?size=1048577").expect(200);
    let (body, end) = conn.body(&head, "GET");
    assert_eq!((body.len(), end), (32 << 20, BodyEnd::Complete));
    assert!(body.iter().enumerate().all(|(at, byte)| *byte == at.to_le_bytes()[0]), "in order, and each byte once");
}

#[test]
fn a_slow_client_holds_no_instance_for_a_body_in_one_piece() {
    let host = Host::serving("hostile").args(["--concurrency-max", "1", "--queue-max", "0"]);
    let host = host.args(["--body-oneshot-max", "15MiB"]).start();
    // More than the kernel takes, so that a part of it waits in the host.
    let mut slow = asked(&host, &Request::get("/huge-return?bytes=15000000"));
    let head = slow.head();
    host.get("/ok").expect_text("ok");
    assert_eq!(slow.body(&head, "GET").0.len(), 15_000_000);
}

#[test]
fn errors_are_told_in_plain_text_without_details() {
    let host = Host::serving("hostile").start();
    for (path, status) in [("/panic", 500), ("/trap", 500), ("/no-start", 502), ("/bad-header", 502)] {
        let response = host.get(path);
        response.expect(status);
        assert_eq!(response.header("Content-Type"), Some("text/plain; charset=utf-8"));
        assert!(response.text().contains(&response.request_id()), "the id leads to the log: {response:?}");
        for detail in ["panic", "hostile", "unreachable", "stolen", "wasm", "start_response", "lost", ".rs"] {
            assert!(!response.text().contains(detail), "{detail}: {response:?}");
        }
    }
}

#[test]
fn with_dev_errors_are_told_in_full() {
    let host = Host::serving("hostile").arg("--dev").start();
    let response = host.get("/trap");
    response.expect(500);
    assert!(response.text().contains("hostile_trap_here"), "{response:?}");
    let response = host.get("/bad-header");
    response.expect(502);
    assert!(response.text().contains("control character"), "{response:?}");
}

#[test]
fn errors_in_answer_to_head_have_no_body() {
    let host = Host::serving("hostile").start();
    let mut conn = asked(&host, &Request::new("HEAD", "/trap"));
    conn.response_to("HEAD").expect(500);
    conn.send(Request::get("/ok").bytes());
    conn.response().expect_text("ok");
}

#[test]
fn a_trap_after_the_head_cuts_a_chunked_body() {
    let host = Host::serving("hostile").start();
    for path in ["/trap?at=write", "/panic?at=write"] {
        let response = asked(&host, &Request::get(path)).response();
        assert_eq!((response.status(), response.end), (200, BodyEnd::Cut), "{response:?}");
        assert_eq!(response.body, b"begun\n");
    }
}

#[test]
fn a_trap_after_the_head_resets_the_connection_where_a_close_would_be_the_end() {
    let host = Host::serving("hostile").start();
    let mut conn = asked(&host, &Request::get("/trap?at=write").http_1_0());
    assert_eq!(conn.head().status, 200);
    assert_eq!(conn.rest().1, Ending::Reset, "HTTP/1.0 takes a clean close for the end of the body");
    // A body that is whole is closed cleanly.
    let host = Host::serving("conformance").start();
    let mut conn = asked(&host, &Request::get("/write?size=5").http_1_0());
    assert_eq!(conn.head().status, 200);
    assert_eq!(conn.rest(), (b"wwwww".to_vec(), Ending::Closed));
}

#[test]
fn a_body_that_misses_its_length_is_cut_after_what_there_is() {
    let host = Host::serving("hostile").start();
    let response = asked(&host, &Request::get("/short-content-length")).response();
    assert_eq!((response.status(), response.end, response.body.len()), (200, BodyEnd::Cut, 5), "{response:?}");
    host.get("/short-content-length?via=return").expect(502);
}

#[test]
fn a_body_that_passes_its_length_is_never_sent() {
    let host = Host::serving("hostile").start();
    for via in ["write", "return"] {
        let response = host.get(&format!("/past-content-length?via={via}"));
        response.expect(502);
        assert!(!response.text().contains("too much"), "{response:?}");
    }
}

#[test]
fn no_bytes_follow_a_204() {
    let host = Host::serving("hostile").start();
    let mut conn = asked(&host, &Request::get("/body-without-room"));
    let response = conn.response();
    // The write was refused, and so is the body that is returned.
    response.expect(502);
    conn.send(Request::get("/ok").bytes());
    conn.response().expect_text("ok");
}

#[test]
fn the_request_id_is_in_every_response() {
    let host = Host::dir(&["hello", "hostile"]).start();
    let mut ids: Vec<_> =
        ["/hello", "/hello", "/nowhere", "/hostile/trap"].map(|path| host.get(path).request_id()).into();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "{ids:?}");
}
