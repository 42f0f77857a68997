//! Connections of HTTP/1: how long they live, and in which order they are answered.

use wasgi_harness::{Ending, Host, Request};

fn get(target: &str) -> Vec<u8> {
    Request::get(target).bytes()
}

#[test]
fn a_connection_serves_many_requests() {
    let host = Host::serving("conformance").start();
    let mut conn = host.connect();
    for _ in 0..20 {
        conn.send(get("/hello"));
        conn.response().expect_text("hello");
        conn.send(Request::post("/input/all", "body").bytes());
        conn.response().expect_text("body");
    }
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let host = Host::serving("conformance").start();
    let mut conn = host.connect();
    let requests: Vec<u8> = (0..20)
        .flat_map(|number| match number % 3 {
            0 => Request::post("/input/all", number.to_string()).bytes(),
            1 => Request::chunked("/input/all", [number.to_string()]).bytes(),
            _ => get(&format!("/return?size={number}")),
        })
        .collect();
    conn.send(requests);
    for number in 0..20 {
        let response = conn.response();
        match number % 3 {
            0 | 1 => response.expect_text(&number.to_string()),
            _ => assert_eq!(response.expect(200).body.len(), number),
        }
    }
}

#[test]
fn an_error_of_the_app_does_not_end_the_connection() {
    let host = Host::serving("hostile").start();
    let mut conn = host.connect();
    for (path, status) in [("/trap", 500), ("/no-start", 502), ("/ok", 200), ("/nowhere", 404), ("/ok", 200)] {
        conn.send(get(path));
        conn.response().expect(status);
    }
}

#[test]
fn a_client_that_asks_for_a_close_gets_it() {
    let host = Host::serving("hello").start();
    let mut conn = host.connect();
    conn.send(Request::get("/").header("Connection", "close").bytes());
    let response = conn.response();
    response.expect(200);
    assert_eq!(response.header("Connection"), Some("close"));
    assert_eq!(conn.ended(), Ending::Closed);
}

#[test]
fn http_1_0_closes_unless_it_is_asked_to_stay() {
    let host = Host::serving("hello").start();
    let mut conn = host.connect();
    conn.send(Request::get("/").http_1_0().bytes());
    conn.response().expect(200);
    assert_eq!(conn.ended(), Ending::Closed);

    let mut conn = host.connect();
    for _ in 0..2 {
        conn.send(Request::get("/").http_1_0().header("Connection", "keep-alive").bytes());
        let response = conn.response();
        response.expect(200);
        assert_eq!(response.header("Connection").map(str::to_lowercase).as_deref(), Some("keep-alive"));
    }
}

#[test]
pub(crate) fn a_connection_over_the_limit_waits_until_another_ends() {
    let host = Host::serving("hello").args(["--connections-max", "2"]).start();
    let (mut first, mut second, mut third) = (host.connect(), host.connect(), host.connect());
    first.send(get("/"));
    first.response().expect(200);
    second.send(get("/"));
    second.response().expect(200);
    third.send(get("/"));
    // Both places are taken by connections that were served, so the third cannot be.
    first.send(get("/"));
    first.response().expect(200);
    assert!(!third.has_bytes());
    drop(first);
    third.response().expect(200);
}

#[test]
fn a_client_that_connects_and_leaves_costs_nothing() {
    let host = Host::serving("hello").args(["--connections-max", "1"]).start();
    for _ in 0..50 {
        drop(host.connect());
        let mut conn = host.connect();
        conn.send("GET / HT");
        conn.reset();
    }
    host.get("/").expect_text("Hello, world!\n");
    let access = host.stop().access;
    assert_eq!(access.len(), 1, "only what was a request is told: {access:#?}");
}

#[test]
fn what_a_guest_left_unread_is_not_taken_for_the_next_request() {
    for mode in ["buffer", "stream"] {
        let host = Host::serving("conformance").args(["--request-body", mode]).start();
        let mut conn = host.connect();
        let hidden = get("/errors?text=smuggled");
        conn.send([Request::post("/input/ignored", &hidden).bytes(), get("/hello")].concat());
        conn.response().expect_text("ignored");
        // The host may close instead of reading on; but it never reads a body as a request.
        if let Ok(head) = conn.try_head() {
            assert_eq!(conn.body(&head, "GET").0, b"hello", "{mode}");
        }
        let log = host.stop().log;
        assert!(!log.iter().any(|line| line.contains("smuggled")), "{mode}: {log:#?}");
    }
}

#[test]
fn a_large_body_that_nobody_reads_hangs_nobody() {
    let host = Host::serving("conformance").args(["--request-body", "stream"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/input/ignored").header("Content-Length", (64 << 20).to_string()).bytes());
    for _ in 0..64 {
        // The host may close once it has answered.
        if conn.try_send(vec![b'x'; 1 << 20]).is_err() {
            break;
        }
    }
    conn.rest();
    host.get("/hello").expect_text("hello");
}

#[test]
fn many_clients_at_once_are_each_answered_with_their_own() {
    let host = Host::serving("conformance").start();
    std::thread::scope(|scope| {
        for client in 0..16 {
            let host = &host;
            scope.spawn(move || {
                let mut conn = host.connect();
                for number in 0..25 {
                    let body = format!("{client}-{number}");
                    conn.send(Request::post("/input/all", &body).bytes());
                    conn.response().expect_text(&body);
                }
            });
        }
    });
    assert_eq!(host.stop().access.len(), 16 * 25);
}

#[test]
fn a_host_out_of_file_descriptors_serves_again_when_there_are_some() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let host = Host::serving("hello").start();
    host.get("/").expect(200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count() as u64;
    let limit = Rlimit { current: Some(open + 5), maximum: Some(open + 5) };
    let pid = Pid::from_raw(i32::try_from(host.pid()).unwrap());
    prlimit(pid, Resource::Nofile, limit).unwrap();
    let conns: Vec<_> = (0..20).map(|_| host.connect()).collect();
    host.log().wait_with(&["cannot accept a connection", "open files"]);
    drop(conns);
    host.get("/").expect_text("Hello, world!\n");
}
