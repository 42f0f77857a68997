//! Configurations without a file.

use super::*;

/// The message of the refusal, without the directory.
fn refusal(path: &Path, flags: Flags) -> String {
    let message = Config::from_path(path, flags).expect_err("must be refused").to_string();
    message.replace(&path.display().to_string(), "PATH")
}

#[test]
fn a_single_file_is_at_the_root_and_named_after_itself() {
    let dir = dir_with(&["my-app_1.wasm"]);
    let component = dir.path().join("my-app_1.wasm");
    let flags = Flags {
        env: vec!["A=1".parse().unwrap(), "A=2".parse().unwrap(), "B==".parse().unwrap()],
        dirs: vec!["data:/data:ro".parse().unwrap()],
        app_limits: AppLimitsPatch { queue_max: Some(0), ..AppLimitsPatch::default() },
        host_limits: HostLimitsPatch { streams_max: Some(1), ..HostLimitsPatch::default() },
        reuse: Some(5),
        request_body: Some(RequestBody::Stream),
        ..Flags::default()
    };
    let config = Config::from_path(&component, flags).unwrap();
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = AppConfig {
        name: "my-app_1".parse().unwrap(),
        tenant: "my-app_1".parse().unwrap(),
        component,
        routes: vec!["/".parse().unwrap()],
        grants: Grants {
            env: [variable("A", "2"), variable("B", "=")].into(),
            dirs: vec![DirGrant { host: "data".into(), guest: "/data".to_owned(), writable: false }],
        },
        limits: AppLimits { queue_max: 0, ..AppLimits::default() },
        reuse: 5,
        warm: Warm::default(),
        request_body: RequestBody::Stream,
    };
    assert_eq!(config.apps, [expected]);
    assert_eq!(config.limits.streams_max, 1);
    assert_eq!(config.listen, [ListenAddr::Tcp { host: "127.0.0.1".to_owned(), port: 8080 }]);
    assert_eq!(config.grace.duration(), Duration::from_secs(30));
}

#[test]
fn each_component_of_a_directory_is_at_its_name_in_order() {
    let dir = dir_with(&["b.wasm", "a.wasm", "c.txt", "wasm", "a.b.wasm"]);
    fs::create_dir(dir.path().join("d.wasm")).unwrap();
    let config = Config::from_path(dir.path(), Flags::default()).unwrap();
    let found: Vec<(&str, String)> =
        config.apps.iter().map(|app| (app.name.as_str(), app.routes[0].to_string())).collect();
    assert_eq!(found, [("a", "/a".to_owned()), ("a.b", "/a.b".to_owned()), ("b", "/b".to_owned())]);
    assert!(config.apps.iter().all(|app| app.routes.len() == 1 && app.tenant.as_str() == app.name.as_str()));
    assert_eq!(config.apps[2].component, dir.path().join("b.wasm"));
}

#[test]
fn a_file_name_that_is_no_app_name_is_refused_by_name() {
    let dir = dir_with(&["ok.wasm", "No.wasm"]);
    let message = refusal(dir.path(), Flags::default());
    assert!(
        message.starts_with("PATH/No.wasm: the app is named after its file, and \"No\" is not a name; "),
        "{message}"
    );
    let message = refusal(&dir.path().join("No.wasm"), Flags::default());
    assert!(message.starts_with("PATH: the app is named after its file"), "{message}");
}

#[test]
fn a_directory_without_apps_says_what_to_do() {
    let message = refusal(dir_with(&["a.txt"]).path(), Flags::default());
    assert_eq!(message, "PATH: there is no .wasm file in this directory; put one there, or name the file itself");
}

#[test]
fn a_path_that_is_not_there_is_unreadable() {
    let error = Config::from_path(Path::new("/no/such.wasm"), Flags::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

#[test]
fn flags_that_make_no_sense_are_refused_by_name() {
    let dir = dir_with(&["a.wasm"]);
    let app = dir.path().join("a.wasm");
    let message = refusal(dir.path(), Flags { env: vec!["A=b".parse().unwrap()], ..Flags::default() });
    assert!(message.starts_with("--env: it grants to a single app; "), "{message}");
    let message = refusal(&app, Flags { reuse: Some(0), ..Flags::default() });
    assert!(message.starts_with("--reuse: an instance serves at least one request; "), "{message}");
    let dirs = vec!["a:/x".parse().unwrap(), "b:/x/".parse().unwrap()];
    let message = refusal(&app, Flags { dirs, ..Flags::default() });
    assert!(message.starts_with("--dir: guest path /x is granted already; "), "{message}");
    let app_limits = AppLimitsPatch { body_max: Some(Size::from_gib(5)), ..AppLimitsPatch::default() };
    let message = refusal(&app, Flags { app_limits, ..Flags::default() });
    assert!(message.starts_with("--body-max: body-max of 5GiB is over spool-max, 4GiB"), "{message}");
}
