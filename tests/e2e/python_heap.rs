//! Objects of a Python snapshot, which `wasgi build` makes immortal: an application that uses them and lets them go must
//! not be able to tell, but by the memory that it does not get back.

use serde_json::{Value, json};
use wasgi_harness::Host;

/// What CPython sets itself where pointers have 32 bits, and the least that is immortal.
const IMMORTAL: i64 = 5 << 28;
const IMMORTAL_MIN: i64 = 1 << 30;

/// One instance, for as many requests as a test likes.
fn one_instance() -> Host {
    Host::serving("conformance-python").args(["--reuse", "1000000", "--concurrency-max", "1"]).start()
}

fn number(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// It goes on as if nothing had been.
fn answers(host: &Host) {
    host.get("/hello").expect_text("hello");
    host.get("/types").expect(200);
    host.get("/late-import").expect_text("xml.dom.minidom");
}

#[test]
fn nearly_all_objects_of_the_snapshot_are_immortal() {
    let counts = Host::serving("conformance-python").start().get("/heap/counts").json();
    // Some have zeros around their counts, so that the snapshot has them in two parts.
    assert!(number(&counts, "listed") > 50_000, "{counts}");
    assert!(number(&counts, "immortal") * 100 > number(&counts, "listed") * 99, "{counts}");
}

#[test]
fn what_tells_that_it_is_gone_tells_it_as_ever() {
    let host = one_instance();
    let told = json!({
        "gone": ["callback", "finaliser", "generator"], "reference": true, "by_name": 0, "buffer": "buffer grows"
    });
    assert_eq!(host.get("/heap/let-go").json(), told);
    answers(&host);
}

#[test]
fn a_large_table_of_the_build_is_emptied_and_filled_anew() {
    let host = one_instance();
    // Odd numbers below 20,000, twice; numbers below 1,000.
    assert_eq!(host.get("/heap/table").json(), json!({"left": 200_000_000, "now": 499_500}));
    answers(&host);
}

#[test]
fn the_garbage_collector_finds_garbage_and_takes_nothing_of_the_snapshot_for_it() {
    for path in ["/heap/circles", "/heap/circles?unfreeze=1"] {
        let host = one_instance();
        for _ in 0..3 {
            let found = host.get(path).json();
            assert!(number(&found, "first") >= 100, "{found}");
            assert_eq!((number(&found, "second"), number(&found, "uncollectable")), (0, 0), "{found}");
            answers(&host);
        }
        host.get("/heap/let-go").expect(200);
        host.get("/heap/table").expect(200);
        answers(&host);
    }
}

#[test]
fn over_2000_requests_an_instance_does_not_grow_and_nothing_immortal_becomes_mortal() {
    const REQUESTS: i64 = 2000;
    let memory = ["--memory-max", "96MiB", "--reuse-memory-max", "96MiB"];
    let host = Host::serving("conformance-python").args(["--reuse", "1000000", "--concurrency-max", "1"]);
    let host = host.args(memory).start();
    let at_first = host.get("/heap/counts").json();
    let rooms: Vec<Value> = (0..8)
        .map(|_| {
            (0..REQUESTS / 8).for_each(|_| drop(host.get("/heap/work")));
            host.get("/heap/room").json()
        })
        .collect();
    let (early, late) = (&rooms[1], &rooms[7]);
    assert!(number(late, "objects") <= number(early, "objects") + 10, "{rooms:?}");
    // The smallest object, if it were left behind in each of the 200 turns of a request, would be 290 pieces by now.
    assert!(number(late, "pieces") > 1000 && number(late, "pieces") >= number(early, "pieces") - 64, "{rooms:?}");
    let at_last = host.get("/heap/counts").json();
    assert_eq!(at_first["immortal"], at_last["immortal"], "{at_last}");
    // CPython counts on where its code was specialised for what was mortal. It may do so a million times as often.
    let (least, most) = (number(&at_last, "least"), number(&at_last, "most"));
    assert!(IMMORTAL - least < (IMMORTAL - IMMORTAL_MIN) / 100, "{at_first} {at_last}");
    assert!(most - IMMORTAL < (i64::from(i32::MAX) - IMMORTAL) / 100, "{at_first} {at_last}");
    assert_eq!(host.get("/calls").json()["calls"], REQUESTS + 11, "all were served by one instance");
}
