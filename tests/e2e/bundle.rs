//! Bundles: the files that an app brings along, and what it can do with them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use wasgi::bundle::asks::{Asks, MountAsk};
use wasgi::bundle::pack::pack_contents;
use wasgi::bundle::{Bundle, append};
use wasgi_harness::{Host, HostBuilder, Wasgi, guest};

use crate::common::{encoded, refused};

/// A guest with these files and asks, as a file of its own.
pub(crate) struct App {
    pub(crate) dir: TempDir,
}

impl App {
    pub(crate) fn new(name: &str, files: &[(&str, &[u8])], asks: Option<&Asks>) -> Self {
        let app = Self { dir: tempfile::tempdir().unwrap() };
        app.write(name, &pack_contents(files.iter().copied()).unwrap(), asks);
        app
    }

    /// Makes it anew.
    pub(crate) fn write(&self, name: &str, bundle: &Bundle, asks: Option<&Asks>) {
        let component = fs::read(guest(name)).unwrap();
        fs::write(self.path(), append(&component, Some(bundle), asks).unwrap()).unwrap();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("app.wasm")
    }

    pub(crate) fn serving(&self) -> HostBuilder {
        Host::serving_file(&self.path())
    }
}

/// Files of several kinds.
pub(crate) const FILES: &[(&str, &[u8])] =
    &[("templates/index.html", b"<p>hello</p>"), ("empty", b""), ("data/digits", b"0123456789")];

/// Asks for its files at `/0` too.
pub(crate) fn mounted_at_0() -> Asks {
    Asks { mounts: vec![MountAsk { guest: "/0".into(), folder: String::new() }], ..Asks::default() }
}

pub(crate) fn ask(host: &Host, what: &str, path: &str) -> Value {
    host.get(&format!("/dir/{what}?path={}&text=x", encoded(path))).expect(200).json()
}

/// The folders of unpacked bundles in a cache.
fn unpacked(cache: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(cache.join("bundles")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn count_log(host: Host, text: &str) -> usize {
    host.stop().log.iter().filter(|line| line.contains(text)).count()
}

#[test]
fn its_files_are_there_to_be_read() {
    let host = App::new("hostile", FILES, Some(&mounted_at_0())).serving().start();
    for place in ["/app", "/0"] {
        assert_eq!(ask(&host, "list", place)["names"], json!(["data", "empty", "templates"]), "{place}");
        assert_eq!(ask(&host, "read", &format!("{place}/templates/index.html"))["text"], "<p>hello</p>");
        assert_eq!(ask(&host, "read", &format!("{place}/empty"))["text"], "");
    }
}

#[test]
fn its_files_cannot_be_changed_and_lead_nowhere() {
    let host = App::new("hostile", FILES, Some(&mounted_at_0())).serving().start();
    for path in ["/app/new", "/app/empty", "/app/data/digits", "/app/../new", "/0/new", "/0/data/digits"] {
        assert_ne!(ask(&host, "write", path)["error"], Value::Null, "{path}");
    }
    for path in ["/app/../listing.json", "/app/data/../../listing.json", "/0/../listing.json", "/1/empty"] {
        assert_ne!(ask(&host, "read", path)["error"], Value::Null, "{path}");
    }
    assert_eq!(ask(&host, "list", "/app")["names"], json!(["data", "empty", "templates"]));
    assert_eq!(ask(&host, "read", "/app/data/digits")["text"], "0123456789");
}

#[test]
fn a_directory_granted_in_it_is_there_by_each_of_its_names() {
    let app = App::new("hostile", FILES, Some(&mounted_at_0()));
    let builder = app.serving().grant("data", "/app/data/live");
    fs::write(builder.path("data/word"), "blue").unwrap();
    let host = builder.start();
    for place in ["/app", "/0"] {
        assert_eq!(ask(&host, "read", &format!("{place}/data/live/word"))["text"], "blue", "{place}");
        assert_eq!(ask(&host, "write", &format!("{place}/data/live/new"))["error"], Value::Null, "{place}");
        assert_ne!(ask(&host, "write", &format!("{place}/data/new"))["error"], Value::Null, "{place}");
        assert_eq!(ask(&host, "read", &format!("{place}/data/digits"))["text"], "0123456789", "{place}");
    }
}

#[test]
fn initialize_has_them_and_its_snapshot_follows_them() {
    let cache = tempfile::tempdir().unwrap();
    let app = App::new("init-prints", &[("init.txt", b"one")], None);
    let seen = || {
        let host = app.serving().cache(cache.path()).start();
        let answer = host.get("/").expect(200).json();
        assert_eq!(answer["init"]["bundle"], answer["request"]["bundle"], "{answer}");
        answer["init"]["bundle"].as_str().unwrap().to_owned()
    };
    assert_eq!(seen(), "one");
    app.write("init-prints", &pack_contents([("init.txt", &b"two"[..])]).unwrap(), None);
    assert_eq!(seen(), "two");
}

#[test]
fn a_changed_file_compiles_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let app = App::new("hostile", &[("a", b"one")], None);
    let start = || app.serving().cache(cache.path()).log_filter("debug").start();
    let host = start();
    assert_eq!(ask(&host, "read", "/app/a")["text"], "one");
    assert_eq!(count_log(host, "found in the compile cache"), 0);
    app.write("hostile", &pack_contents([("a", &b"two"[..])]).unwrap(), Some(&mounted_at_0()));
    let host = start();
    assert_eq!(ask(&host, "read", "/app/a")["text"], "two");
    assert_eq!(count_log(host, "found in the compile cache"), 1);
    assert_eq!(unpacked(cache.path()).len(), 2);
}

#[test]
fn what_was_done_to_unpacked_files_does_not_reach_the_app() {
    let cache = tempfile::tempdir().unwrap();
    let app = App::new("hostile", FILES, None);
    app.serving().cache(cache.path()).start().stop();
    let [folder] = &unpacked(cache.path())[..] else { panic!("one bundle") };
    let file = folder.join("files/data/digits");
    fs::remove_file(&file).unwrap();
    fs::write(&file, "9876543210").unwrap();
    let host = app.serving().cache(cache.path()).start();
    assert_eq!(ask(&host, "read", "/app/data/digits")["text"], "0123456789");
    assert_eq!(count_log(host, "an unpacked bundle is damaged"), 1);
}

#[test]
fn hosts_that_unpack_the_same_at_once_all_serve_it() {
    let cache = tempfile::tempdir().unwrap();
    // Compiled before, so that they meet where they unpack.
    Host::serving("hostile").cache(cache.path()).start().stop();
    let app = App::new("hostile", FILES, None);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(count_log(app.serving().cache(cache.path()).start(), "damaged"), 0));
        }
    });
    assert_eq!(unpacked(cache.path()).len(), 1, "{:?}", unpacked(cache.path()));
    let host = app.serving().cache(cache.path()).start();
    assert_eq!(ask(&host, "read", "/app/data/digits")["text"], "0123456789");
}

#[test]
fn a_bundle_in_use_outlives_the_limit_of_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let (one, two) = (App::new("hostile", &[("a", b"one")], None), App::new("hostile", &[("a", b"two")], None));
    let start = |app: &App| app.serving().cache(cache.path()).args(["--cache-max", "0"]).start();
    let first = start(&one);
    let second = start(&two);
    assert_eq!(ask(&first, "read", "/app/a")["text"], "one");
    assert_eq!(ask(&second, "read", "/app/a")["text"], "two");
    first.stop();
    second.stop();
    App::new("hostile", &[("a", b"three")], None).serving().cache(cache.path()).args(["--cache-max", "0"]).start();
    assert_eq!(unpacked(cache.path()).len(), 1, "only the last, which was in use");
}

fn check(app: &App, flags: &[&str]) -> wasgi_harness::Outcome {
    Wasgi::new(["check"]).arg(app.path()).args(flags.iter().copied()).finish()
}

#[test]
pub(crate) fn bundle_max() {
    let app = App::new("hostile", &[("a", &[0; 1000]), ("b", b"x")], None);
    assert_eq!(check(&app, &["--bundle-max", "1001B"]).code, Some(0));
    refused(&check(&app, &["--bundle-max", "1000B"]), 65, &["app.wasm", "bundle-max (1000)", "take out"]);
}

#[test]
fn a_bundle_of_500_mb_is_refused_before_it_is_on_disk() {
    let cache = tempfile::tempdir().unwrap();
    let zeros = vec![0; 100 << 20];
    let files: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| (name, &zeros[..])).into();
    let app = App::new("hostile", &files, None);
    let outcome = Wasgi::new(["check"]).arg(app.path()).arg("--cache").arg(cache.path()).without_cache_flag().finish();
    refused(&outcome, 65, &["app.wasm", "bundle-max (256MiB)", "take out"]);
    assert!(unpacked(cache.path()).is_empty());
}

#[test]
pub(crate) fn bundle_files_max() {
    let app = App::new("hostile", FILES, None);
    assert_eq!(check(&app, &["--bundle-files-max", "3"]).code, Some(0));
    refused(&check(&app, &["--bundle-files-max", "2"]), 65, &["app.wasm", "bundle-files-max (2)", "take out"]);
}

#[test]
fn hostile_bundles_and_sections_are_refused_by_name() {
    let app = App::new("hostile", &[], None);
    app.write("hostile", &Bundle::from_bytes(b"not an archive".to_vec()), None);
    refused(&check(&app, &[]), 65, &["app.wasm", "its bundle is damaged", "build the app anew"]);
    let one = append(b"\0asm\x0d\0\x01\0", Some(&Bundle::from_bytes(Vec::new())), None).unwrap();
    fs::write(app.path(), [&one[..], &one[8..]].concat()).unwrap();
    refused(&check(&app, &[]), 65, &["app.wasm", "more than one wasgi:bundle section"]);
}
