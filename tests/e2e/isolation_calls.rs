//! Guests that take what they can get from the host: time, memory, calls, places; and clients that leave them at it.

use wasgi_harness::{Conn, Host, Request};

use crate::isolation::Due::{self, Cut, Fault, Served};
use crate::isolation::{Siege, TRAP};

const CPU: Due = Fault(504, "cpu-max");
const WALL: Due = Fault(504, "wall-max");
const OUT_OF_MEMORY: Due = Fault(500, "out-of-memory");
const EXIT: Due = Fault(500, "exit");
const MISUSE: Due = Fault(502, "misuse");

/// Paths of the guest `hostile`, with what the access log calls their end.
pub(crate) const PATHS: &[(&str, Due)] = &[
    ("/spin", CPU),
    ("/spin?after=write", Cut("cpu-max")),
    ("/memory", OUT_OF_MEMORY),
    ("/memory/take?mib=2000", OUT_OF_MEMORY),
    ("/memory/take?mib=40", Served),
    ("/recurse", TRAP),
    ("/recurse?stack=memory", TRAP),
    ("/trap", TRAP),
    ("/trap?at=write", Cut("trap")),
    ("/panic", TRAP),
    ("/exit", EXIT),
    ("/exit?code=1", EXIT),
    ("/no-start", MISUSE),
    ("/many-headers", MISUSE),
    ("/many-starts?count=10000", TRAP),
    ("/past-content-length", MISUSE),
    ("/short-content-length", Cut("misuse")),
    ("/huge-return", MISUSE),
    ("/huge-chunk", Served),
    ("/flood?to=stderr&kind=one-line", Served),
    ("/flood/endless?to=errors", CPU),
    ("/hostcalls?kind=environ", CPU),
    ("/hostcalls?kind=entries", CPU),
    ("/hostcalls?kind=errors", CPU),
    ("/hostcalls?kind=clock", CPU),
    ("/hostcalls?kind=random", CPU),
    ("/giant-name", TRAP),
    ("/giant-errors", TRAP),
    ("/many-pollables", TRAP),
];

/// Paths whose guests wait more than they work.
pub(crate) const WAITING: &[(&str, Due)] =
    &[("/sleep", WALL), ("/sleep?after=write", Cut("wall-max")), ("/drip", Cut("wall-max"))];

/// Limits that make for quick tests.
pub(crate) const LIMITS: &[&str] = &["--cpu-max", "300ms", "--memory-max", "64MiB"];

#[test]
fn each_attack_ends_by_the_limit_that_is_for_it() {
    let siege = Siege::of_hostile(LIMITS);
    for (path, due) in PATHS {
        siege.attack(path, *due);
    }
    let siege = Siege::of_hostile(&["--wall-max", "1s"]);
    for (path, due) in WAITING {
        siege.attack(path, *due);
    }
}

/// Begins a request whose guest will block; the client is about to leave.
struct Block {
    path: &'static str,
    /// Whether the guest has begun once `begin` returns.
    begun: bool,
    begin: fn(&mut Conn, &str),
}

const BLOCKS: &[Block] = &[
    // Asleep before the head, and after it.
    Block { path: "/hostile/sleep", begun: false, begin: get },
    Block { path: "/hostile/sleep?after=write", begun: true, begin: get_begun },
    // In a write that nobody takes: the client reads no more than the first chunk.
    Block { path: "/hostile/endless?chunk=200000", begun: true, begin: get_begun },
    Block { path: "/hostile/drip?ms=0", begun: true, begin: get_begun },
    // In a read of a body that does not go on.
    Block { path: "/hostile/giant-read", begun: false, begin: post_in_part },
];

/// Waits for nothing.
fn get(conn: &mut Conn, path: &str) {
    conn.send(Request::get(path).bytes());
}

/// Waits for the head and the first chunk.
fn get_begun(conn: &mut Conn, path: &str) {
    get(conn, path);
    assert_eq!(conn.head().status, 200);
    conn.chunk().expect("a first chunk");
}

/// Sends a part of a body that the guest waits for.
fn post_in_part(conn: &mut Conn, path: &str) {
    conn.send(Request::new("POST", path).header("Transfer-Encoding", "chunked").bytes());
    conn.send_chunk("the first piece");
}

#[test]
fn a_guest_that_blocks_in_a_host_call_while_its_client_leaves_gives_its_place_back() {
    let host = Host::dir(&["hello", "hostile"])
        .args(["--access-log-format", "json", "--request-body", "stream"])
        .args(["--concurrency-max", "2", "--queue-max", "100", "--abandon-max", "100ms"])
        .start();
    for Block { path, begun, begin } in BLOCKS {
        // More than there are places: the later ones begin when the earlier ones are given back.
        for round in 0..6 {
            let mut conn = host.connect();
            begin(&mut conn, path);
            host.get("/hello").expect_text("Hello, world!\n");
            // A reset that comes before the host has read the request takes the request with it.
            if *begun && round % 2 == 0 {
                conn.reset();
            }
        }
        let of_path = format!("\"path\":\"{}\"", path.split('?').next().expect("a first part"));
        let left = |lines: &[String]| {
            let of_path = lines.iter().filter(|line| line.contains(&of_path));
            (of_path.filter(|line| line.contains("client-left")).count() >= 6).then_some(())
        };
        host.access_log().wait_until("six clients that left", left);
        host.get("/hostile/ok").expect_text("ok");
    }
}
