//! From a signal to a quiet end.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wasgi_harness::{Address, BodyEnd, Conn, Ending, Host, HostBuilder, Request, children, eventually, files, is_gone};

/// A host with a request that runs until the file `gate/open` is there.
fn busy(args: &[&str]) -> (Host, Conn) {
    started_busy(Host::serving("conformance").args(args))
}

fn started_busy(builder: HostBuilder) -> (Host, Conn) {
    let host = builder.grant("gate", "/gate").start();
    let mut conn = host.connect();
    conn.send(Request::get("/gate/file?path=/gate/open").bytes());
    assert_eq!(conn.head().status, 200);
    conn.chunks_until("first\n");
    (host, conn)
}

fn open(host: &Host) {
    fs::write(host.path("gate/open"), "").unwrap();
}

#[test]
fn an_idle_host_ends_at_once_with_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let host = Host::serving("hello").hears_hangups().start();
        let since = Instant::now();
        host.signal(signal);
        assert_eq!(host.wait().status.code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(10), "after {:?}", since.elapsed());
    }
}

#[test]
fn a_connection_at_rest_does_not_hold_the_host() {
    let host = Host::serving("hello").start();
    let mut rests = host.connect();
    rests.send(Request::get("/").bytes());
    rests.response().expect(200);
    let mut silent = host.connect();
    let mut two = host.http2();
    assert_eq!(two.get("/").status, 200);
    let since = Instant::now();
    host.stop();
    assert!(since.elapsed() < Duration::from_secs(10), "after {:?}", since.elapsed());
    assert_eq!(rests.ended(), Ending::Closed);
    silent.ended();
    let _ = two.ended();
}

#[test]
fn a_response_that_is_under_way_is_completed() {
    // The last is what a terminal sends that is closed.
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (host, mut conn) = started_busy(Host::serving("conformance").hears_hangups());
        host.signal(signal);
        host.log().wait("draining");
        open(&host);
        conn.chunks_until("last\n");
        assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
        assert_eq!(conn.ended(), Ending::Closed);
        assert_eq!(host.wait().status.code(), Some(0));
    }
}

#[test]
fn under_nohup_a_host_outlives_its_terminal() {
    let (host, mut conn) = started_busy(Host::serving("conformance").through("nohup", &[]));
    host.signal(Signal::HUP);
    // Were the first one heard, this would be the second, which waits for nobody.
    host.terminate();
    host.log().wait("draining");
    open(&host);
    conn.chunks_until("last\n");
    assert_eq!(conn.chunk(), Ok(Vec::new()), "the proper end");
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn a_file_that_never_answers_does_not_hold_the_host() {
    // A pipe that nobody writes to blocks the thread that opens it, for good. Guests are kept from that, unless somebody
    // puts the pipe there in the moment after the look.
    let unseen = |builder: HostBuilder| builder.grant("data", "/data:ro").failing("open_unseen=return").start();
    let host = unseen(Host::serving("hostile").args(["--wall-max", "500ms"]));
    files::make_fifo(&host.path("data/fifo"));
    for _ in 0..3 {
        host.get("/dir/read?path=/data/fifo").expect(504);
    }
    host.get("/ok").expect_text("ok");
    host.stop();
    // The same while a request still waits for it.
    let host = unseen(Host::serving("hostile").args(["--grace", "1s"]));
    files::make_fifo(&host.path("data/fifo"));
    let mut conn = host.connect();
    let request = Request::post("/dir/read?path=/data/fifo", "x").header("Expect", "100-continue");
    conn.send(request.head_bytes());
    assert_eq!(conn.head().status, 100, "it was let in");
    conn.send("x");
    host.terminate();
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0));
    assert!(stopped.log.iter().any(|line| line.contains("grace")), "{:#?}", stopped.log);
}

#[test]
fn a_request_whose_body_is_under_way_is_served() {
    let host = Host::serving("conformance").start();
    let mut conn = host.connect();
    conn.send(
        Request::new("POST", "/input/all").header("Content-Length", "10").header("Expect", "100-continue").bytes(),
    );
    assert_eq!(conn.head().status, 100, "it was let in");
    conn.send("half ");
    host.terminate();
    host.log().wait("draining");
    conn.send("a day");
    let response = conn.response();
    response.expect_text("half a day");
    assert_eq!(response.header("Connection"), Some("close"));
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn nothing_new_is_accepted_while_the_host_drains() {
    let (host, mut conn) = busy(&[]);
    let address = host.addresses()[0].clone();
    host.terminate();
    host.log().wait("draining");
    // Until the listener is closed a connection may still come in, and is then served.
    let refused = |address: &Address| match Conn::try_open(address) {
        Err(_) => true,
        Ok(mut conn) => {
            let _ = conn.try_send(Request::get("/hello").header("Connection", "close").bytes());
            conn.try_head().is_err()
        }
    };
    while !refused(&address) {}
    open(&host);
    conn.chunks_until("last\n");
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn a_request_that_takes_longer_than_the_grace_is_cut() {
    let (host, mut conn) = busy(&["--grace", "500ms"]);
    let since = Instant::now();
    host.terminate();
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0));
    assert!(since.elapsed() >= Duration::from_millis(500), "after {:?}", since.elapsed());
    assert!(stopped.log.iter().any(|line| line.contains("grace")), "{:#?}", stopped.log);
    assert!(conn.chunk().is_err(), "cut, not ended");
}

#[test]
fn a_second_signal_ends_the_host_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let (host, mut conn) = busy(&["--grace", "10m"]);
        host.terminate();
        host.log().wait("draining");
        host.signal(second);
        let stopped = host.wait();
        assert_eq!(stopped.status.code(), Some(0), "{:#?}", stopped.log);
        assert!(conn.chunk().is_err(), "cut, not ended");
    }
}

#[test]
fn http_2_streams_under_way_are_completed() {
    let host = Host::serving("conformance").grant("gate", "/gate").start();
    let mut conn = host.http2();
    let request = http::Request::get("http://test/gate/file?path=/gate/open").body(()).unwrap();
    let mut stream = conn.start(request, true);
    assert_eq!(stream.head().unwrap().status, 200);
    host.terminate();
    host.log().wait("draining");
    open(&host);
    assert_eq!(stream.rest().unwrap(), b"first\nlast\n");
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn nothing_that_was_accepted_is_lost() {
    for _ in 0..3 {
        no_request_is_lost_when_the_signal_comes();
    }
}

/// Clients in a loop, each on connections of its own: a request is answered whole, or its connection was refused.
fn no_request_is_lost_when_the_signal_comes() {
    const CLIENTS: usize = 8;
    let host = Host::serving("conformance").start();
    let address = host.addresses()[0].clone();
    let running = Barrier::new(CLIENTS + 1);
    let answered: usize = std::thread::scope(|scope| {
        let client = || {
            let mut answered = 0;
            while let Ok(mut conn) = Conn::try_open(&address) {
                let sent = conn.try_send(Request::post("/input/all", "body").header("Connection", "close").bytes());
                // A connection that the host never accepted is reset by the kernel when the listener closes.
                let Ok(head) = conn.try_head() else { break };
                sent.unwrap();
                let (body, end) = conn.body(&head, "POST");
                assert_eq!((head.status, body.as_slice(), end), (200, &b"body"[..], BodyEnd::Complete));
                answered += 1;
                if answered == 5 {
                    running.wait();
                }
            }
            answered
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        running.wait();
        host.terminate();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0));
    assert_eq!(stopped.access.len(), answered, "whoever was let in was answered");
}

#[test]
fn clients_that_keep_their_connections_lose_nothing_either() {
    const CLIENTS: usize = 8;
    let host = Host::serving("conformance").start();
    let address = host.addresses()[0].clone();
    let running = Barrier::new(CLIENTS + 1);
    std::thread::scope(|scope| {
        let client = || {
            let mut conn = Conn::open(&address);
            for count in 1.. {
                if conn.try_send(Request::post("/input/all", "body").bytes()).is_err() {
                    return;
                }
                // A connection at rest may be closed at any time; but a response that has begun is whole.
                let Ok(head) = conn.try_head() else { return };
                let (body, end) = conn.body(&head, "POST");
                assert_eq!((head.status, body.as_slice(), end), (200, &b"body"[..], BodyEnd::Complete));
                if head.header("Connection") == Some("close") {
                    return;
                }
                if count == 5 {
                    running.wait();
                }
            }
        };
        for _ in 0..CLIENTS {
            scope.spawn(client);
        }
        running.wait();
        host.terminate();
    });
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn a_guest_that_runs_on_after_its_response_is_waited_for() {
    let host = Host::serving("hostile").grant("data", "/data").start();
    let mut conn = host.connect();
    conn.send(Request::get("/leave/write?file=/data/log").bytes());
    assert_eq!(conn.head().status, 200);
    drop(conn);
    host.terminate();
    let stopped = host.wait();
    assert_eq!(stopped.status.code(), Some(0));
    let log = fs::read_to_string(stopped.dir.path().join("data/log")).unwrap();
    assert!(log.ends_with("cleaned up\n"), "it could clean up: {log:?}");
}

#[test]
fn a_signal_before_the_host_listens_ends_it_with_0() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (host, child) = preparing(&cache);
    host.terminate();
    assert_eq!(host.wait().status.code(), Some(0));
    eventually("the end of the compile child", || is_gone(child).then_some(()));
}

#[test]
fn a_host_that_is_killed_leaves_no_process_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (host, child) = preparing(&dir.path().join("cache"));
    host.signal(Signal::KILL);
    assert_eq!(host.wait().status.code(), None);
    eventually("the end of the compile child", || is_gone(child).then_some(()));
}

/// A host whose app is being prepared, and the child that does it: `initialize` never returns.
fn preparing(cache: &Path) -> (Host, u32) {
    let host = Host::serving("init-spins").args(["--cpu-max", "60s", "--wall-max", "60s"]).cache(cache);
    let host = host.start_without_waiting();
    let child = eventually("the compile child", || children(host.pid()).first().copied());
    assert!(!is_gone(child));
    (host, child)
}
