//! CGI programs: what may be one, and that they are kept apart, held to their limits and ended as all guests are.
//! What they print is the business of `tests/conformance/cgi.rs`.

use std::fs;
use std::thread;

use serde_json::json;
use wasgi_harness::{BodyEnd, Host, Request, Wasgi, eventually, guest};

use crate::common::{access_entry, encoded, memory_kib};
use crate::isolation::Due::{Cut, Fault};
use crate::isolation::{Siege, TRAP};

const DOCUMENT: &str = "Content-Type: text/plain\n\nbegun\n";

/// The path at which the program prints this, and goes on like that.
fn printing(output: &str, then: &str) -> String {
    format!("/print?out={}&then={then}", encoded(output))
}

#[test]
pub(crate) fn a_core_module_with_an_entry_point_is_served_as_a_program() {
    let host = Host::serving("program").start();
    for _ in 0..2 {
        host.get("/").expect_text("made of a module\n");
    }
    let check = Wasgi::new(["check"]).arg(guest("program")).finish();
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("a program of CGI/1.1; it would be served"), "{check:?}");
}

#[test]
pub(crate) fn a_program_that_takes_memory_as_go_does_keeps_it() {
    let host = Host::serving("go-memory").start();
    for _ in 0..3 {
        host.get("/").expect_text("whole\n");
    }
    // 65 pages are over 4 MiB: the limit holds although the memory grew at once.
    let host = Host::serving("go-memory").args(["--memory-max", "4MiB"]).start();
    let response = host.get("/");
    response.expect(500);
    host.log().wait_with(&[&response.request_id(), "kind=\"out-of-memory\""]);
}

#[test]
pub(crate) fn a_program_in_c_is_served_as_the_compiler_made_it() {
    let host = Host::serving("c-cgi").start();
    let hello = host.get("/");
    hello.expect_text("Hello, world!\n");
    assert_eq!(hello.header("Content-Length"), Some("14"));
    let large: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    assert_eq!(host.post("/", &large).expect(200).body, large);
}

#[test]
pub(crate) fn wasgi_request_runs_a_program_too() {
    let ran = Wasgi::new(["request"]).arg(guest("cgi")).arg("/ok").finish();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.ends_with("\n\nok\n"), "{ran:?}");
}

#[test]
fn what_a_program_says_on_stderr_is_in_the_log() {
    let host = Host::serving("cgi").start();
    let response = host.get(&printing(DOCUMENT, "panic"));
    host.log().wait_with(&[&response.request_id(), "stderr", "cgi: a panic with a message"]);
}

#[test]
fn whatever_a_program_does_the_next_request_is_served() {
    let apps = ["hello", "cgi"]
        .map(|name| format!("[[app]]\nname = {name:?}\ncomponent = \"$GUESTS/{name}.wasm\"\nroutes = [\"/{name}\"]\n"));
    let dir = "[[app.dir]]\nhost = \"$DIR/data\"\nguest = \"/data\"\n";
    let host = Host::config(&[&apps.concat(), dir].concat());
    fs::create_dir(host.path("data")).unwrap();
    fs::write(host.path("data/file"), "").unwrap();
    let limits = ["--cpu-max", "400ms", "--wall-max", "2s", "--memory-max", "32MiB", "--handles-max", "64"];
    let siege = Siege::started(host.args(limits), "/cgi", "/ok");
    for (then, due, begun) in [
        ("spin", Fault(504, "cpu-max"), Cut("cpu-max")),
        ("sleep", Fault(504, "wall-max"), Cut("wall-max")),
        ("panic", TRAP, Cut("trap")),
        ("memory", Fault(500, "out-of-memory"), Cut("out-of-memory")),
        ("exit", Fault(500, "exit"), Cut("exit")),
    ] {
        siege.attack(&printing("", then), due);
        siege.attack(&printing("Content-Type: text/pl", then), due);
        siege.attack(&printing(DOCUMENT, then), begun);
    }
    siege.attack(&printing("", ""), Fault(502, "misuse"));
    siege.attack(&printing("HTTP/1.0 200 OK\n\n", "spin"), Fault(502, "misuse"));
    siege.attack("/open", TRAP);
}

/// Plants secrets in some requests and looks for them in others, from two connections at once.
fn nobody_finds_a_secret(args: &[&str]) {
    let host = Host::dir(&["cgi", "hello"]).args(["--instances-max", "2", "--queue-wait-max", "1h"]).args(args).start();
    thread::scope(|scope| {
        for client in 0..2 {
            let mut conn = host.connect();
            scope.spawn(move || {
                for request in 0..60 {
                    let (plants, mib) = ((request + client) % 2 == 0, request % 5);
                    let path = if plants { "plant" } else { "search" };
                    let told = conn.send(Request::get(&format!("/cgi/secret/{path}?mib={mib}")).bytes()).response();
                    told.expect(200);
                    if !plants {
                        assert_eq!(told.json(), json!({"static": false, "found": 0, "grown": true}));
                    }
                }
            });
        }
    });
    host.stop();
}

#[test]
fn a_program_finds_nothing_of_those_before_it() {
    nobody_finds_a_secret(&["--slot-reset", "auto"]);
    nobody_finds_a_secret(&["--slot-reset", "madvise"]);
}

#[test]
fn a_program_that_was_made_in_advance_finds_nothing_of_those_before_it() {
    nobody_finds_a_secret(&["--warm-min", "1"]);
}

/// The line that the program writes in the end, piece by piece.
fn what_is_left(host: &Host) -> String {
    eventually("the end of the program", || {
        let text = fs::read_to_string(host.path("data/left")).ok()?;
        text.ends_with('\n').then_some(text)
    })
}

#[test]
fn a_program_whose_client_leaves_may_clean_up() {
    let host = Host::serving("cgi").grant("data", "/data").args(["--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send(Request::get("/leave?file=/data/left").bytes());
    let head = conn.head();
    assert_eq!(head.status, 200);
    drop(conn);
    let left = what_is_left(&host);
    assert!(left.starts_with("cleaned up after"), "{left}");
    let entry = access_entry(&host, head.header("X-Request-Id").unwrap());
    assert_eq!(entry["error"], "client-left", "{entry}");
}

#[test]
fn a_program_whose_client_leaves_holds_its_place_only_for_a_moment() {
    let host = Host::serving("cgi").args(["--concurrency-max", "1", "--abandon-max", "200ms"]).start();
    for then in ["sleep", "spin", "endless"] {
        let mut conn = host.connect();
        conn.send(Request::get(&printing(DOCUMENT, then)).bytes());
        assert_eq!(conn.head().status, 200);
        drop(conn);
        host.get("/ok").expect_text("ok");
    }
    // And one who leaves before the head, while the program waits for a body that does not come.
    let host = Host::serving("cgi").args(["--concurrency-max", "1", "--request-body", "stream"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/read").header("Content-Length", "100").bytes());
    host.get("/nowhere").status();
    drop(conn);
    host.get("/ok").expect_text("ok");
}

#[test]
fn a_program_that_prints_to_a_client_that_reads_nothing_is_held() {
    // The drop of the idle client ends the test; until then, a program that is not held prints GiBs.
    let host = Host::serving("cgi").grant("data", "/data").args(["--send-idle-max", "1s"]).start();
    let before = memory_kib(&host, "VmHWM");
    let mut conn = host.connect();
    conn.send(Request::get("/leave?file=/data/left").bytes());
    assert_eq!(conn.head().status, 200);
    let left = what_is_left(&host);
    let printed = left.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap();
    assert!(printed < 64 << 20, "{printed} bytes were printed to nobody");
    let grown = memory_kib(&host, "VmHWM") - before;
    assert!(grown < 16 * 1024, "the host took {grown} KiB");
    drop(conn);
}

#[test]
fn what_programs_leave_behind_does_not_add_up() {
    let host = Host::serving("cgi").args(["--memory-max", "32MiB"]).start();
    let round = || {
        for then in ["panic", "exit", "memory", ""] {
            let response = host.get(&printing(DOCUMENT, then));
            assert_eq!(response.end == BodyEnd::Cut, !then.is_empty(), "{response:?}");
            host.get(&printing("", then)).status();
        }
        host.post("/read", vec![b'x'; 200_000]).expect(200);
        let mut conn = host.connect();
        conn.send(Request::get(&printing(DOCUMENT, "endless")).bytes());
        assert_eq!(conn.head().status, 200);
    };
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count();
    for _ in 0..10 {
        round();
    }
    let (files, resident) = (descriptors(), memory_kib(&host, "VmRSS"));
    for _ in 0..30 {
        round();
    }
    let grown = memory_kib(&host, "VmRSS").saturating_sub(resident);
    assert!(grown < 16 * 1024, "{grown} KiB in 30 rounds");
    // Connections that have just ended may still be there.
    eventually("as many files as before", || (descriptors() <= files + 2).then_some(()));
}
