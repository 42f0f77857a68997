//! What an app asks for: told, never given, and what it asks to be held to is kept.

use std::fs;

use serde_json::json;
use wasgi::bundle::asks::{Asks, DirAsk, StaticAsk, Tool};
use wasgi_harness::{Host, Request, Wasgi, eventually};

use crate::bundle::{App, FILES, ask, mounted_at_0};
use crate::common::refused;

fn data(single: bool) -> Asks {
    let dirs = vec![DirAsk { path: "/data".into(), writable: true, single }];
    Asks { env: vec!["TOKEN".into()], dirs, ..mounted_at_0() }
}

#[test]
fn asking_gives_nothing_and_what_is_missing_is_told_once_with_what_grants_it() {
    let app = App::new("hostile", FILES, Some(&data(false)));
    let host = app.serving().start();
    host.log().wait_with(&["WARN", "variable TOKEN", "host.toml", "--env TOKEN=VALUE"]);
    host.log().wait_with(&["WARN", "writable directory /data", "[[app.dir]]", "--dir HOST:/data"]);
    assert_eq!(host.get("/env").expect(200).json()["env"], json!({}));
    assert!(ask(&host, "list", "/data")["names"].is_null());
    let log = host.stop().log;
    assert_eq!(log.iter().filter(|line| line.contains("variable TOKEN")).count(), 1, "{log:#?}");
    let granted = app.serving().grant("data", "/data").args(["--env", "TOKEN=1"]).start();
    assert_eq!(ask(&granted, "list", "/data")["names"], json!([]));
    let log = granted.stop().log;
    assert!(!log.iter().any(|line| line.contains("not granted")), "{log:#?}");
}

#[test]
fn check_tells_files_and_asks() {
    let names: Vec<String> = (0..9).map(|number| format!("{number}.txt")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &b"12"[..])).collect();
    let asks = Asks {
        statics: vec![StaticAsk { url: "/static".into(), folder: "static".into() }],
        warm_up: Some("/warm".into()),
        built_by: vec![Tool { name: "rustc".into(), version: "1.95 \u{202e}".into() }],
        ..data(true)
    };
    let app = App::new("hostile", &files, Some(&asks));
    let outcome = Wasgi::new(["check"]).arg(app.path()).args(["--env", "TOKEN=1"]).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for line in [
        "files:      9 files in 18, read-only at /app and /0",
        "0.txt (2)",
        "and 4 more; --files lists them",
        "asks for:   variable TOKEN: granted",
        "writable directory /data: not granted; to grant it: an [[app.dir]]",
        "to run as one instance at a time: it does once it is granted a directory to write in",
        "static files: /static from static",
        "a warm-up request: /warm",
        r"built by:   rustc 1.95 \u{202e}",
    ] {
        assert!(outcome.stdout.contains(line), "{line:?} is not in:\n{}", outcome.stdout);
    }
    let all = Wasgi::new(["check"]).arg(app.path()).arg("--files").finish().stdout;
    assert!(names.iter().all(|name| all.contains(&format!("{name} (2)"))), "{all}");
    let without = Wasgi::new(["check"]).arg(wasgi_harness::guest("hostile")).finish().stdout;
    assert!(without.contains("files:      none\nasks for:   nothing\n"), "{without}");
}

#[test]
fn an_app_that_must_be_single_runs_one_instance_at_a_time() {
    let app = App::new("hostile", FILES, Some(&data(true)));
    let (dir, flags) = (tempfile::tempdir().unwrap(), ["--warm-min", "2", "--queue-max", "0", "--dir"]);
    let host = app.serving().args(flags).arg(format!("{}:/data", dir.path().display())).start();
    let mut first = host.connect();
    first.send(Request::get("/sleep?ms=60000&after=write").bytes());
    first.head();
    host.get("/ok").expect(503);
    first.reset();
    eventually("the first has ended", || (host.get("/ok").status() == 200).then_some(()));
    let log = host.stop().log;
    assert!(log.iter().any(|line| line.contains("one instance at a time")), "{log:#?}");
}

#[test]
fn nobody_else_gets_the_directory_of_an_app_that_must_be_single() {
    let dir = tempfile::tempdir().unwrap();
    let grant = format!("{}:/data", dir.path().display());
    let single = App::new("hostile", FILES, Some(&data(true)));
    let check = |path: std::path::PathBuf| Wasgi::new(["check"]).arg(path).args(["--dir", &grant]).finish();
    let shown = dir.path().display().to_string();

    let host = single.serving().args(["--dir", &grant]).start();
    refused(&check(single.path()), 69, &["app app", &shown, "which it must have alone", "stop that one"]);
    refused(&check(wasgi_harness::guest("hostile")), 69, &["app hostile", &shown, "that must have it alone"]);
    host.stop();
    assert_eq!(check(single.path()).code, Some(0), "it is free again");

    let others = [(); 2].map(|()| Host::serving("hostile").args(["--dir", &grant]).start());
    refused(&check(single.path()), 69, &["which it must have alone"]);
    drop(others);

    let toml = format!(
        "[[app]]\nname = 'a'\ncomponent = '{0}'\nroutes = ['/a']\ndir = [{{ host = '{1}', guest = '/data' }}]\n\
         [[app]]\nname = 'b'\ncomponent = '{0}'\nroutes = ['/b']\ndir = [{{ host = '{1}', guest = '/data' }}]\n",
        single.path().display(),
        dir.path().display()
    );
    let config = dir.path().join("host.toml");
    fs::write(&config, toml).unwrap();
    let two = Wasgi::new(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).finish();
    refused(&two, 69, &[&shown, "which it must have alone"]);
}

#[test]
fn places_of_the_bundle_are_not_granted() {
    let app = App::new("hostile", FILES, Some(&mounted_at_0()));
    let granted = |guest: &str| Wasgi::new(["check"]).arg(app.path()).args(["--dir", &format!(".:{guest}")]).finish();
    refused(&granted("/0"), 78, &["at /0, where . is granted as /0", "under another name"]);
}
