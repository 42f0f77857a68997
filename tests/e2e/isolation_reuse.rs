//! Instances that are reused: never by another tenant, and with nothing of an earlier request but what is the guest's own.

use std::thread;

use serde_json::json;
use wasgi_harness::{Host, Request};

use crate::raw::Raw;

/// Two tenants with the same guest, and a third with another.
fn three_tenants(args: &[&str]) -> Host {
    let app = |name: &str, component: &str| {
        format!("[[app]]\nname = {name:?}\ncomponent = {component:?}\nroutes = [\"/{name}\"]\n")
    };
    let hostile = "$GUESTS/hostile.wasm";
    let builder = Host::config(&[app("a", hostile), app("b", hostile), app("raw", "$DIR/raw.wasm")].concat());
    diary().write(&builder);
    builder.args(args).start()
}

/// A guest that keeps the number it was last given (`/1`), and tells the one before.
fn diary() -> Raw {
    let mut raw = Raw::new();
    raw.main = "(global $last (mut i32) (i32.const 0))".into();
    raw.function(
        "(drop (call $start (local.get $start)))
        ;; Nothing is left behind but the number.
        (call $drop-environ (local.get $environ))
        (call $drop-writer (i32.load (i32.const 68)))
        (call $drop-start-response (local.get $start))
        (global.set $next (i32.const 16384))
        (i32.store (i32.const 160) (global.get $last))
        (global.set $last (local.get $number))
        (call $bytes (i32.const 160) (i32.const 4))",
    );
    raw
}

/// Each tenant marks its instances and finds no mark but its own, with all of them at work at the same time.
fn no_instance_changes_hands(requests: u32) {
    let host = three_tenants(&["--reuse", "50", "--instances-max", "3"]);
    thread::scope(|scope| {
        for app in ["a", "b"] {
            for client in 0..2 {
                let mut conn = host.connect();
                scope.spawn(move || {
                    let mut again = 0;
                    for number in 0..requests {
                        let body = format!("{app} {client} {number}");
                        conn.send(Request::post(&format!("/{app}/keep"), &body).bytes()).response().expect_text("kept");
                        let used = conn.send(Request::post(&format!("/{app}/use-kept"), &body).bytes()).response();
                        let used = used.expect(200).json();
                        if used == json!({"kept": false}) {
                            continue;
                        }
                        again += 1;
                        let stale = json!({
                            "environ": 0, "get": null, "take": "closed", "read": "closed", "start": "closed",
                            "write": "closed",
                        });
                        assert_eq!(used, stale, "{app} {client} {number}");
                    }
                    assert!(again > requests / 4, "{again} of {requests} came to an instance with a past");
                });
            }
        }
        for client in 1..3 {
            let mut conn = host.connect();
            scope.spawn(move || {
                for number in 0..requests {
                    let mark = client * 1_000_000 + number;
                    let told = conn.send(Request::get(&format!("/raw/1?{mark}")).bytes()).response();
                    let last = u32::from_le_bytes(told.expect(200).body.as_slice().try_into().expect("four bytes"));
                    // The mark of one of its own clients, or of nobody.
                    assert!(last == 0 || (1..3).contains(&(last / 1_000_000)), "{last}");
                }
            });
        }
    });
    host.stop();
}

#[test]
fn no_instance_goes_from_one_tenant_to_another() {
    no_instance_changes_hands(100);
}

#[test]
#[ignore = "takes minutes: 50,000 requests"]
fn no_instance_goes_from_one_tenant_to_another_in_fifty_thousand_requests() {
    no_instance_changes_hands(5000);
}

#[test]
fn an_instance_knows_its_own_tenant_alone() {
    // One slot: each request of one tenant would find the instance of the other, if it could.
    let host = three_tenants(&["--reuse", "1000", "--instances-max", "1"]);
    let calls = |app: &str| host.get(&format!("/{app}/calls")).expect(200).json()["calls"].as_u64().unwrap();
    for _ in 0..20 {
        assert_eq!(calls("a"), 1);
        assert_eq!(calls("a"), 2, "its own instance is reused");
        assert_eq!(calls("b"), 1);
        let told = host.get("/raw/1?7").expect(200).body.clone();
        assert_eq!(told, [0; 4]);
        let told = host.get("/raw/1?8").expect(200).body.clone();
        assert_eq!(told, [7, 0, 0, 0]);
    }
}
