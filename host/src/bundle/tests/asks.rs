//! What an app asks for.

use crate::bundle::asks::{Asks, AsksError, DirAsk, MountAsk, StaticAsk, Tool};
use crate::config::{DirGrant, Grants};

fn whole() -> Asks {
    Asks {
        env: vec!["SECRET_KEY".into()],
        hosts: vec!["api.example.org:443".into(), "[::1]".into()],
        dirs: vec![DirAsk { path: "/data".into(), writable: true, single: true }],
        statics: vec![StaticAsk { url: "/static".into(), folder: "static/all".into() }],
        warm_up: Some("/?warm=1".into()),
        mounts: vec![MountAsk { guest: "/0".into(), folder: String::new() }],
        built_by: vec![Tool { name: "componentize-py".into(), version: "0.18".into() }],
        ..Asks::default()
    }
}

fn parse(json: &str) -> Result<Asks, AsksError> {
    Asks::parse(json.as_bytes())
}

#[test]
fn what_is_written_is_read_again() {
    assert_eq!(Asks::parse(&whole().to_json().unwrap()), Ok(whole()));
    assert_eq!(Asks::default().to_json().unwrap(), br#"{"version":1}"#);
}

#[test]
fn an_app_is_single_as_soon_as_it_may_change_something() {
    let granted =
        |writable| Grants { dirs: vec![DirGrant::new("here".into(), "/any", writable).unwrap()], ..Grants::default() };
    assert!(whole().is_single(&granted(true)) && !Asks::default().is_single(&granted(true)));
    assert!(!whole().is_single(&granted(false)) && !whole().is_single(&Grants::default()));
}

#[test]
fn another_shape_is_refused() {
    assert_eq!(parse(r#"{"version":2,"new-key":1}"#), Err(AsksError::Version(2)), "before its new key");
    for json in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"version":1,"nothing":1}"#,
        r#"{"version":1,"env":"A"}"#,
        r#"{"version":1,"env":["A"],"env":[]}"#,
        r#"{"version":1,"dirs":[{"path":"/a","mode":7}]}"#,
        r#"{"version":1} {}"#,
    ] {
        assert!(matches!(parse(json), Err(AsksError::Malformed(_))), "{json}");
    }
    let deep = format!(r#"{{"version":1,"env":{}"#, "[".repeat(60_000));
    assert!(matches!(parse(&deep), Err(AsksError::Malformed(_))));
    assert_eq!(parse(&" ".repeat(70_000)), Err(AsksError::TooLarge));
    let many = Asks { env: vec!["A".into(); 257], ..Asks::default() };
    assert_eq!(many.to_json(), Err(AsksError::TooMany(256, "variables")));
    let long: Vec<_> = (0..200).map(|number| format!("{number}{}", "x".repeat(1000))).collect();
    assert_eq!(Asks { env: long, ..Asks::default() }.to_json(), Err(AsksError::TooLarge));
}

#[test]
fn what_could_not_be_granted_is_refused() {
    let mount =
        |guest: &str, folder: &str| format!(r#""mounts":[{{"guest":{},"folder":{}}}]"#, quoted(guest), quoted(folder));
    let dir = |path: &str| format!(r#""dirs":[{{"path":{}}}]"#, quoted(path));
    let cases = [
        r#""env":["A=B"]"#.to_owned(),
        r#""env":[""]"#.into(),
        r#""env":["A\u0000"]"#.into(),
        r#""hosts":["http://example.org/"]"#.into(),
        r#""hosts":["a b"]"#.into(),
        r#""static":[{"url":"static","folder":"a"}]"#.into(),
        r#""static":[{"url":"/static","folder":"../a"}]"#.into(),
        r#""warm-up":"relative""#.into(),
        r#""warm-up":"/a b""#.into(),
        r#""built-by":[{"name":"","version":"1"}]"#.into(),
        r#""dirs":[{"path":"/a"},{"path":"/a"}]"#.into(),
        dir("data"),
        dir("/"),
        dir("/data/"),
        dir("/data/../etc"),
        mount("/app", ""),
        mount("/", ""),
        mount("0", ""),
        mount("/0/1", ""),
        mount("/tmp", ""),
        mount("/0", ".."),
        mount("/0", "/etc"),
        format!(r#""mounts":[{}]"#, [r#"{"guest":"/0"}"#; 2].join(",")),
    ];
    for case in cases {
        let refused = parse(&format!(r#"{{"version":1,{case}}}"#));
        assert!(matches!(refused, Err(AsksError::Bad { .. })), "{case}: {refused:?}");
    }
    let five: Vec<_> = (0..5).map(|number| format!(r#"{{"guest":"/{number}"}}"#)).collect();
    let five = parse(&format!(r#"{{"version":1,"mounts":[{}]}}"#, five.join(",")));
    assert_eq!(five, Err(AsksError::TooMany(4, "mounts")));
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn what_is_asked_for_and_not_granted_is_told_with_the_key_and_the_flag() {
    let grants = |writable| Grants {
        env: [("SECRET_KEY".to_owned(), String::new())].into(),
        dirs: vec![DirGrant::new("x".into(), "/data", writable).unwrap()],
    };
    let asked = |grants: &Grants| whole().missing(grants).into_iter().map(|missing| missing.ask).collect::<Vec<_>>();
    let hosts = ["outgoing host api.example.org:443", "outgoing host [::1]"];
    assert_eq!(asked(&grants(true)), hosts);
    assert_eq!(asked(&grants(false)).last().unwrap(), "writable directory /data");
    let missing = whole().missing(&Grants::default());
    assert_eq!(missing.len(), 4);
    assert!(missing[0].mend.contains("env = { SECRET_KEY") && missing[0].mend.contains("--env SECRET_KEY=VALUE"));
    assert!(missing[3].mend.contains("[[app.dir]]") && missing[3].mend.contains("--dir HOST:/data"));
    let all = whole().all();
    assert!(missing.iter().all(|missing| all.contains(&missing.ask)));
}
