//! A fresh instance has nothing of those before it: guests leave secrets wherever they can, and others look for them,
//! in the same slots, by the thousand.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};
use wasgi_harness::{Conn, Host, HostBuilder, Request};

use crate::raw::Raw;

/// A guest with several memories, tables and globals, in two modules, to plant in (`/1`) and to search (`/2`).
/// The number is pages to grow each memory by, and for `/1` 10,000 times a stride in pages of 4 KiB.
fn raw() -> Raw {
    let mut raw = Raw::new();
    raw.component = format!(
        "(core module $other {} {}
            (func (export \"plant\") (param $pages i32) (param $stride i32)
                (call $plant1 (local.get $pages) (local.get $stride)) (call $plant2 (local.get $pages) (local.get $stride)))
            (func (export \"search\") (param $pages i32) (result i32)
                (i32.or (call $search1 (local.get $pages)) (call $search2 (local.get $pages)))))
        (core instance $other (instantiate $other))\n",
        state(1),
        state(2),
    );
    raw.with = "(with \"other\" (instance $other))\n".into();
    raw.main = format!(
        "(import \"other\" \"plant\" (func $plant-others (param i32 i32)))
        (import \"other\" \"search\" (func $search-others (param i32) (result i32)))
        {}
        {}",
        state(3),
        SWEEP.replace("$mem@", "$memory").replace('@', "0"),
    );
    raw.function(
        "(local $stride i32) (local $pages i32)
        (local.set $stride (i32.mul (i32.div_u (local.get $number) (i32.const 10000)) (i32.const 4096)))
        (local.set $pages (i32.rem_u (local.get $number) (i32.const 10000)))
        (call $plant-others (local.get $pages) (local.get $stride))
        (call $plant3 (local.get $pages) (local.get $stride))
        (drop (memory.grow $memory (local.get $pages)))
        ;; Behind what the host has placed for this request.
        (call $fill0 (i32.const 20480) (i32.mul (memory.size $memory) (i32.const 65536)) (local.get $stride))
        (call $ok (local.get $start))",
    );
    raw.function(
        "(local $found i32)
        (local.set $found (i32.or (call $search-others (local.get $number)) (call $search3 (local.get $number))))
        (local.set $found (i32.or (local.get $found) (i32.shl
            (i32.ne (memory.size $memory) (i32.const 2)) (i32.const 20))))
        (drop (memory.grow $memory (local.get $number)))
        (local.set $found (i32.or (local.get $found) (i32.shl (i32.eqz (call $zero0
            (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16))
            (i32.mul (memory.size $memory) (i32.const 65536)))) (i32.const 21))))
        ;; `.` if nothing was found, else the letter of the first find.
        (drop (call $start (local.get $start)))
        (i32.store8 (i32.const 160) (select
            (i32.add (i32.const 65) (i32.ctz (local.get $found))) (i32.const 46) (local.get $found)))
        (call $bytes (i32.const 160) (i32.const 1))",
    );
    raw
}

/// Memory, globals, tables and segments with the number `n`, to plant in and to search.
fn state(n: u32) -> String {
    [SWEEP, STATE].concat().replace('@', &n.to_string())
}

/// Fills some pages of a memory, and tells whether a part of it is all zeros.
const SWEEP: &str = "
(func $fill@ (param $from i32) (param $to i32) (param $stride i32)
    (loop $more
        (memory.fill $mem@ (local.get $from) (i32.const 0xa5) (i32.const 4096))
        (br_if $more (i32.lt_u
            (local.tee $from (i32.add (local.get $from) (local.get $stride))) (local.get $to)))))
(func $zero@ (param $from i32) (param $to i32) (result i32)
    (loop $more
        (if (i32.ge_u (local.get $from) (local.get $to)) (then (return (i32.const 1))))
        (if (i64.ne (i64.load $mem@ (local.get $from)) (i64.const 0)) (then (return (i32.const 0))))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br $more))
    unreachable)
";

const STATE: &str = r#"
(memory $mem@ 2 1024)
;; Across the end of a page.
(data (memory $mem@) (i32.const 65530) "ABCDEFGHIJKLMNOP")
(data $data@ "QRSTUVWX")
(global $int@ (mut i32) (i32.const 7))
(global $long@ (mut i64) (i64.const 7))
(global $float@ (mut f64) (f64.const 1.5))
(global $vector@ (mut v128) (v128.const i64x2 7 7))
(global $func@ (mut funcref) (ref.null func))
(table $table@ 100 8000 funcref)
(elem (table $table@) (i32.const 50) func $seven@)
(elem $elem@ func $seven@)
(elem declare func $secret@)
(func $seven@ (result i32) (i32.const 7))
(func $secret@ (result i32) (i32.const 13))
(func $plant@ (param $pages i32) (param $stride i32)
    (drop (memory.grow $mem@ (local.get $pages)))
    (call $fill@ (i32.const 0) (i32.mul (memory.size $mem@) (i32.const 65536)) (local.get $stride))
    (global.set $int@ (i32.const 13))
    (global.set $long@ (i64.const 13))
    (global.set $float@ (f64.const 13))
    (global.set $vector@ (v128.const i64x2 13 13))
    (global.set $func@ (ref.func $secret@))
    (drop (table.grow $table@ (ref.func $secret@) (i32.const 1000)))
    (table.fill $table@ (i32.const 0) (ref.func $secret@) (table.size $table@))
    (data.drop $data@)
    (elem.drop $elem@))
(func $null@ (param $from i32) (param $to i32) (result i32)
    (loop $more
        (if (i32.ge_u (local.get $from) (local.get $to)) (then (return (i32.const 1))))
        (if (i32.eqz (ref.is_null (table.get $table@ (local.get $from)))) (then (return (i32.const 0))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $more))
    unreachable)
;; One bit for each check that fails.
(func $search@ (param $pages i32) (result i32)
    (local $found i32)
    (local.set $found (i32.or (local.get $found) (i32.shl (i32.ne (memory.size $mem@) (i32.const 2)) (i32.const 0))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i64.ne (i64.load $mem@ (i32.const 65530)) (i64.const 0x4847464544434241)) (i32.const 1))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i64.ne (i64.load $mem@ (i32.const 65538)) (i64.const 0x504f4e4d4c4b4a49)) (i32.const 2))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.eqz (call $zero@ (i32.const 0) (i32.const 65528))) (i32.const 3))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.eqz (call $zero@ (i32.const 65552) (i32.const 131072))) (i32.const 4))))
    (local.set $found (i32.or (local.get $found) (i32.shl (i32.ne (global.get $int@) (i32.const 7)) (i32.const 5))))
    (local.set $found (i32.or (local.get $found) (i32.shl (i64.ne (global.get $long@) (i64.const 7)) (i32.const 6))))
    (local.set $found (i32.or (local.get $found) (i32.shl (f64.ne (global.get $float@) (f64.const 1.5)) (i32.const 7))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (v128.any_true (v128.xor (global.get $vector@) (v128.const i64x2 7 7))) (i32.const 8))))
    (local.set $found (i32.or (local.get $found) (i32.shl (i32.eqz (ref.is_null (global.get $func@))) (i32.const 9))))
    (local.set $found (i32.or (local.get $found) (i32.shl (i32.ne (table.size $table@) (i32.const 100)) (i32.const 10))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.eqz (call $null@ (i32.const 0) (i32.const 50))) (i32.const 11))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.ne (call_indirect $table@ (result i32) (i32.const 50)) (i32.const 7)) (i32.const 12))))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.eqz (call $null@ (i32.const 51) (i32.const 100))) (i32.const 13))))
    ;; Both trap if an earlier instance has dropped them for all.
    (memory.init $mem@ $data@ (i32.const 8) (i32.const 0) (i32.const 8))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i64.ne (i64.load $mem@ (i32.const 8)) (i64.const 0x5857565554535251)) (i32.const 14))))
    (table.init $table@ $elem@ (i32.const 1) (i32.const 0) (i32.const 1))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.ne (call_indirect $table@ (result i32) (i32.const 1)) (i32.const 7)) (i32.const 15))))
    ;; What others had grown into.
    (drop (memory.grow $mem@ (local.get $pages)))
    (local.set $found (i32.or (local.get $found) (i32.shl (i32.eqz (call $zero@
        (i32.const 131072) (i32.mul (memory.size $mem@) (i32.const 65536)))) (i32.const 16))))
    (drop (table.grow $table@ (ref.null func) (i32.const 2000)))
    (local.set $found (i32.or (local.get $found) (i32.shl
        (i32.eqz (call $null@ (i32.const 100) (table.size $table@))) (i32.const 17))))
    (local.get $found))
"#;

/// Two tenants with the same guest, one whose guest is a snapshot, and one with the guest made by hand.
fn four_tenants(args: &[&str]) -> HostBuilder {
    let apps = [("a", "hostile"), ("b", "hostile"), ("snap", "init-prints")].map(|(name, guest)| {
        format!(
            "[[app]]\nname = {name:?}\ncomponent = \"$GUESTS/{guest}.wasm\"\nroutes = [\"/{name}\"]\n\
             [[app.dir]]\nhost = \"$DIR/data\"\nguest = \"/data\"\n"
        )
    });
    let raw_app = "[[app]]\nname = \"raw\"\ncomponent = \"$DIR/raw.wasm\"\nroutes = [\"/raw\"]\n";
    let builder = Host::config(&[&apps.concat(), raw_app].concat()).args(args);
    raw().write(&builder);
    std::fs::create_dir(builder.path("data")).unwrap();
    std::fs::write(builder.path("data/secret"), "Secret! for your eyes only").unwrap();
    builder
}

/// A few numbers of no order, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll<const N: usize>(&mut self, sides: [u32; N]) -> u32 {
        // Knuth's linear congruential generator; its upper bits are good enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sides[usize::try_from(self.0 >> 33).unwrap() % N]
    }
}

/// One client: plants and searches in turn in no order, and gives back the random numbers it was told.
fn plant_and_search(mut conn: Conn, mut dice: Dice, requests: u32) -> Vec<String> {
    let mut ask = |path: String| {
        let response = conn.send(Request::get(&path).bytes()).response();
        assert_eq!(response.status(), 200, "{path}: {response:?}");
        response
    };
    let mut random = Vec::new();
    for _ in 0..requests {
        let app = ["a", "b", "snap", "raw"][dice.roll([0, 1, 2, 3]) as usize];
        let (mib, stride) = (dice.roll([0, 1, 3, 12]), dice.roll([1, 2, 16]));
        match (app, dice.roll([0, 1])) {
            ("raw", 0) => ask(format!("/raw/1?{}", stride * 10_000 + mib * 8)).expect_text("ok"),
            ("raw", _) => ask(format!("/raw/2?{}", mib * 8)).expect_text("."),
            (app, 0) => {
                let planted = ask(format!("/{app}/secret/plant?mib={mib}&stride={stride}")).json();
                assert_eq!(planted["file"], true, "{planted}");
                random.push((app, planted["random"].clone()));
            }
            (app, _) => {
                let mut found = ask(format!("/{app}/secret/search?mib={mib}")).json();
                random.push((app, found["random"].take()));
                let nothing =
                    json!({"random": null, "statics": false, "files": 0, "start": 0, "all": 0, "grown": true});
                assert_eq!(found, nothing, "by {app}");
            }
        }
    }
    // The last is a hash, whose seed is a part of the snapshot.
    let unique = |(app, numbers): &(&str, Value)| {
        let numbers = numbers.as_array().unwrap();
        let count = if *app == "snap" { numbers.len() - 1 } else { numbers.len() };
        numbers[..count].iter().map(Value::to_string).collect::<Vec<_>>()
    };
    random.iter().flat_map(unique).collect()
}

/// A machine that stands still for a while is no fault.
const PATIENT: &[&str] = &["--log-max", "0B", "--wall-max", "1h", "--idle-max", "1h", "--queue-wait-max", "1h"];

/// Four clients at once. With as many slots, each goes from one tenant to the next.
fn nobody_finds_a_secret(requests: u32, args: &[&str]) {
    const CLIENTS: u32 = 4;
    let host = four_tenants(PATIENT).args(args).start();
    let random = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (random, conn) = (&random, host.connect());
            scope.spawn(move || {
                let told = plant_and_search(conn, Dice(client.into()), requests / CLIENTS);
                random.lock().unwrap().extend(told);
            });
        }
    });
    let random = random.into_inner().unwrap();
    let different: HashSet<_> = random.iter().collect();
    assert_eq!(different.len(), random.len(), "random numbers of one instance came up in another");
    host.stop();
}

#[test]
fn a_search_in_the_very_instance_finds_what_was_planted() {
    let host = four_tenants(&["--reuse", "1000", "--concurrency-max", "1"]).start();
    for app in ["a", "snap"] {
        assert_eq!(host.get(&format!("/{app}/secret/plant?mib=1")).json()["file"], true);
        let found = host.get(&format!("/{app}/secret/search?mib=1")).expect(200).json();
        assert_eq!((&found["statics"], &found["files"]), (&json!(true), &json!(1)), "{found}");
        assert!(found["all"].as_u64().unwrap() >= 128 * 1024, "{found}");
    }
    host.get("/raw/1?10002").expect_text("ok");
    let found = host.get("/raw/2?2");
    assert!(found.status() == 500 || found.text() != ".", "{found:?}");
}

#[test]
fn a_fresh_instance_finds_nothing_of_those_before_it() {
    nobody_finds_a_secret(1000, &["--instances-max", "4", "--slot-reset", "auto"]);
}

#[test]
fn a_fresh_instance_finds_nothing_of_those_before_it_without_the_scan() {
    nobody_finds_a_secret(800, &["--instances-max", "4", "--slot-reset", "madvise"]);
}

#[test]
#[ignore = "takes minutes: 100,000 requests"]
fn a_fresh_instance_finds_nothing_of_a_hundred_thousand_before_it() {
    nobody_finds_a_secret(100_000, &["--instances-max", "4", "--slot-reset", "auto"]);
}

#[test]
#[ignore = "takes minutes: 100,000 requests"]
fn a_fresh_instance_finds_nothing_of_a_hundred_thousand_before_it_without_the_scan() {
    nobody_finds_a_secret(100_000, &["--instances-max", "4", "--slot-reset", "madvise"]);
}

#[test]
fn a_warm_instance_finds_nothing_of_those_before_it() {
    nobody_finds_a_secret(400, &["--warm-min", "1", "--instances-max", "8"]);
}
