//! host.toml.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;

/// The least that a file can hold.
const APP: &str = "[[app]]\nname = \"shop\"\ncomponent = \"shop.wasm\"\nroutes = [\"/\"]\n";

#[test]
fn a_whole_file_becomes_a_config() {
    let text = r#"
        listen = ["127.0.0.1:0", ":81", "unix:wasgi.sock"]
        trusted-peers = ["127.0.0.1", "10.0.0.0/8", "unix"]
        grace = "5s"
        spool-dir = "spool"
        cache = "/var/cache/wasgi"
        access-log = "access.log"
        access-log-format = "%(h)s"
        [limits]
        cpu-max = "5s"
        connections-max = 7
        [[tenant]]
        name = "acme"
        weight = 10000
        [[tenant]]
        name = "other"
        [[app]]
        name = "shop"
        tenant = "acme"
        component = "shop.wasm"
        routes = ["/", "shop.example.org/api"]
        reuse = 3
        warm = { min = 1, max = 2 }
        request-body = "stream"
        env = { KEY = "value", "odd.key" = "" }
        [[app.dir]]
        host = "data"
        guest = "/data/"
        writable = true
        [[app.dir]]
        host = "/srv"
        guest = "/srv"
        [app.limits]
        memory-max = "128MiB"
        [[app]]
        name = "other"
        component = "/apps/other.wasm"
        routes = ["/other"]
    "#;
    let (result, dir) = loaded(text, Flags::default());
    let (config, dir) = (result.unwrap(), dir.path());
    let tcp = |host: &str, port| ListenAddr::Tcp { host: host.to_owned(), port };
    assert_eq!(config.listen, [tcp("127.0.0.1", 0), tcp("0.0.0.0", 81), ListenAddr::Unix(dir.join("wasgi.sock"))]);
    assert!(config.trusted_peers.trusts(Endpoint::Unix));
    assert_eq!(config.grace, Span::from_secs(5));
    assert_eq!(config.spool_dir, Some(dir.join("spool")));
    assert_eq!(config.cache_dir, Some("/var/cache/wasgi".into()));
    assert_eq!(config.access_log, AccessLogTarget::File(dir.join("access.log")));
    assert_eq!(config.access_log_format, Format::parse("%(h)s").unwrap());
    assert_eq!(config.limits, HostLimits { connections_max: 7, ..HostLimits::default() });

    let [shop, other] = &config.apps[..] else { panic!("{:?}", config.apps) };
    let defaults = AppLimits { cpu_max: Span::from_secs(5), ..AppLimits::default() };
    assert_eq!((shop.name.as_str(), shop.tenant.as_str()), ("shop", "acme"));
    assert_eq!(shop.component, dir.join("shop.wasm"));
    assert_eq!(shop.routes, ["/".parse().unwrap(), "shop.example.org/api".parse().unwrap()]);
    assert_eq!((shop.reuse, shop.request_body), (3, RequestBody::Stream));
    assert_eq!(shop.warm, Warm { min: 1, max: 2 });
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(shop.grants.env, [variable("KEY", "value"), variable("odd.key", "")].into());
    assert_eq!(
        shop.grants.dirs,
        [
            DirGrant { host: dir.join("data"), guest: "/data".to_owned(), writable: true },
            DirGrant { host: "/srv".into(), guest: "/srv".to_owned(), writable: false },
        ]
    );
    assert_eq!(shop.limits, AppLimits { memory_max: Size::from_mib(128), ..defaults.clone() });

    assert_eq!((other.name.as_str(), other.tenant.as_str()), ("other", "other"), "its own tenant");
    let weights: Vec<_> = config.tenants.iter().map(|(name, tenant)| (name.as_str(), tenant.weight.get())).collect();
    assert_eq!(weights, [("acme", 10_000), ("other", 100)]);
    assert_eq!(other.component, Path::new("/apps/other.wasm"));
    assert_eq!((other.reuse, other.request_body), (1, RequestBody::Buffer));
    assert_eq!((&other.grants, &other.limits), (&Grants::default(), &defaults));
}

#[test]
fn tenants_and_the_way_of_reset_are_read() {
    let text = format!(
        "slot-reset = \"madvise\"\n[[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"b\"\nconcurrency-max = 7\n{APP}tenant = \"b\"\n"
    );
    let config = config(&text);
    assert_eq!(config.slot_reset, ResetMode::Madvise);
    let quotas: Vec<_> = config.tenants.iter().map(|(name, tenant)| (name.as_str(), tenant.concurrency_max)).collect();
    assert_eq!(quotas, [("a", None), ("b", Some(7))]);
}

#[test]
fn the_least_file_has_every_default() {
    let config = config(APP);
    assert_eq!(config.listen, [ListenAddr::default()]);
    assert_eq!(config.grace, Span::from_secs(30));
    assert_eq!(config.trusted_peers, TrustedPeers::default());
    assert_eq!((config.spool_dir, config.cache_dir), (None, None));
    assert_eq!((config.access_log, config.access_log_format), (AccessLogTarget::Stdout, Format::default()));
    assert_eq!((config.limits, &config.apps[0].limits), (HostLimits::default(), &AppLimits::default()));
}

#[test]
fn flags_come_before_the_file_and_an_apps_own_words_before_flags() {
    let text = format!(
        "listen = [\":1\"]\ngrace = \"1s\"\ncache = \"c\"\naccess-log = \"off\"\naccess-log-format = \"%(h)s\"\n\
         [limits]\ncpu-max = \"1s\"\nwall-max = \"1s\"\nqueue-max = 1\nidle-max = \"1s\"\n{APP}reuse = 2\n\
         [app.limits]\nwall-max = \"2s\"\n[[app]]\nname = \"b\"\ncomponent = \"b\"\nroutes = [\"/b\"]\n"
    );
    let flags = Flags {
        listen: vec![":9".parse().unwrap()],
        host_limits: HostLimitsPatch { idle_max: Some(Span::from_secs(9)), ..HostLimitsPatch::default() },
        app_limits: AppLimitsPatch {
            cpu_max: Some(Span::from_secs(9)),
            wall_max: Some(Span::from_secs(9)),
            ..AppLimitsPatch::default()
        },
        reuse: Some(9),
        request_body: Some(RequestBody::Stream),
        grace: Some(Span::from_secs(9)),
        cache_dir: Some("flag".into()),
        access_log: Some(AccessLogTarget::Stdout),
        access_log_format: Some(Format::parse("json").unwrap()),
        ..Flags::default()
    };
    let config = loaded(&text, flags).0.unwrap();
    assert_eq!(config.listen, [":9".parse().unwrap()]);
    assert_eq!((config.grace, config.limits.idle_max), (Span::from_secs(9), Span::from_secs(9)));
    assert_eq!(config.cache_dir, Some("flag".into()), "relative to the current directory");
    assert_eq!(config.access_log, AccessLogTarget::Stdout);
    assert_eq!(config.access_log_format, Format::parse("json").unwrap());
    let own = |index: usize| {
        let AppConfig { limits, reuse, request_body, .. } = &config.apps[index];
        (limits.cpu_max, limits.wall_max, limits.queue_max, *reuse, *request_body)
    };
    let seconds = Span::from_secs;
    assert_eq!(own(0), (seconds(9), seconds(2), 1, 2, RequestBody::Stream));
    assert_eq!(own(1), (seconds(9), seconds(9), 1, 9, RequestBody::Stream));
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    assert!(refused("lisen = []").starts_with("host.toml:1: unknown field `lisen`, expected one of `listen`"));
    let message = refused(&format!("{APP}reus = 1"));
    assert!(message.starts_with("host.toml:5: app: unknown field `reus`"), "{message}");
    let message = refused("\n[limits]\ncpu = 1");
    assert!(message.starts_with("host.toml:3: limits: unknown limit `cpu`; the limits are"), "{message}");
    let message = refused(&format!("{APP}[app.limits]\nspool-max = 1"));
    assert!(message.starts_with("host.toml:6: app.limits: `spool-max` is a limit of the host"), "{message}");
    let message = refused(&format!("{APP}[[app.dir]]\nhost = \"a\"\nguest = \"/a\"\nwriteable = true"));
    assert!(message.starts_with("host.toml:8: app.dir: unknown field `writeable`"), "{message}");
}

#[test]
fn a_wrong_value_is_refused_with_its_line_and_key() {
    for (text, message) in [
        ("grace = 5", "host.toml:1: grace: invalid type: integer `5`, expected a duration"),
        ("[limits]\ncpu-max = \"0s\"", "host.toml:2: limits.cpu-max: 0s is too little; the least is 1ms"),
        (
            "listen = \"x\"",
            "host.toml:1: listen: invalid type: string \"x\", expected a sequence; write it as listen = [\"127.0.0.1:8080\"]",
        ),
        ("listen = [\n\":80\",\n5]", "host.toml:3: listen: invalid type: integer `5`, expected a string; write it as "),
        ("[app]", "host.toml:1: app: invalid type: map, expected a sequence; write it as [[app]]"),
        (
            "tenant = [\"x\"]",
            "host.toml:1: tenant: invalid type: string \"x\", expected a table; write it as [[tenant]]",
        ),
        (
            "[limits]\nqueue-max = \"5\"",
            "host.toml:2: limits.queue-max: invalid type: string \"5\", expected a whole number such as 64, without quotes",
        ),
        ("[limits]\nqueue-max = -5", "host.toml:2: limits.queue-max: \"-5\" is not a count; write a whole number"),
        (
            "[limits]\nqueue-max = 1.5",
            "host.toml:2: limits.queue-max: invalid type: floating point `1.5`, expected a whole",
        ),
        ("a = = b", "host.toml:1: "),
        ("[[app]]\nname = \"a\"\nname = \"b\"", "host.toml:3: `name` is there already; delete one of the two"),
        ("[[app]]\nname = \"a\"", "host.toml:1: app: missing field `component`; add component = "),
    ] {
        let refusal = refused(text);
        assert!(refusal.starts_with(message), "{refusal}");
    }
    let refusal = refused(&format!("{APP}reuse = -1"));
    assert!(
        refusal.ends_with("app.reuse: invalid value: integer `-1`, expected u32; write it as reuse = 100"),
        "{refusal}"
    );
    let refusal = refused(&format!("{APP}request-body = \"spool\""));
    assert!(refusal.starts_with("host.toml:5: app.request-body: unknown variant `spool`"), "{refusal}");
}

#[test]
fn what_does_not_go_together_is_refused_where_it_stands() {
    let second = |name: &str, route: &str| {
        format!("{APP}[[app]]\nname = \"{name}\"\ncomponent = \"b.wasm\"\nroutes = [\"/b\",\n\"{route}\"]")
    };
    for (text, message) in [
        ("", "host.toml: app: there is no app"),
        (&second("shop", "/c"), "host.toml:6: app.name: there is another app named shop"),
        (&second("b", "/"), "host.toml:9: app.routes: route / leads to app shop already"),
        (&second("b", "/b/"), "host.toml:9: app.routes: route /b leads to app b already"),
        (&second("b", "/../c"), "host.toml:9: app.routes: prefix \"/../c\" has a `.` or `..` segment"),
        (&second("B", "/c"), "host.toml:6: app.name: \"B\" is not a name"),
        ("[[app]]\nname = \"a\"\ncomponent = \"a\"", "host.toml:2: app.routes: app a has no route"),
        (&format!("{APP}warm = {{ min = 3, max = 2 }}"), "host.toml:5: app.warm: warm-min of 3 is over warm-max, 2"),
        (&format!("{APP}warm = {{ max = 65 }}"), "host.toml:5: app.warm: 65 warm instances are more than"),
        (
            &format!("[[tenant]]\nname = \"a\"\nconcurrency-max = 0\n{APP}"),
            "host.toml:3: tenant.concurrency-max: no request of tenant a could ever run",
        ),
        (&format!("{APP}reuse = 0"), "host.toml:5: app.reuse: an instance serves at least one request"),
        (&format!("{APP}tenant = \"A\""), "host.toml:5: app.tenant: \"A\" is not a name"),
        (
            &format!("[[tenant]]\nname = \"acme\"\n{APP}tenant = \"acmi\""),
            "host.toml:7: app.tenant: there is no tenant acmi",
        ),
        ("[[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"a\"", "host.toml:4: tenant.name: tenant a is listed twice"),
        ("[[tenant]]\nname = \"a\"\nweight = 0", "host.toml:3: tenant.weight: 0 is no weight; take 1 to 10000"),
        ("[[tenant]]\nname = \"a\"\nweight = 10001", "host.toml:3: tenant.weight: 10001 is no weight"),
        ("listen = []", "host.toml:1: listen: the list of addresses is empty"),
        ("listen = [\n\"80\"]", "host.toml:2: listen: \"80\" is not an address"),
        ("trusted-peers = [\"proxy\"]", "host.toml:1: trusted-peers: \"proxy\" names no peer"),
        ("access-log-format = \"%(x)s\"", "host.toml:1: access-log-format: unknown value %(x)s"),
        (&format!("{APP}env = {{ \"A=B\" = \"\" }}"), "host.toml:5: app.env: \"A=B\" is not the name of a variable"),
        (&format!("{APP}env = {{ A = \"\\u0000\" }}"), "host.toml:5: app.env: the value of variable \"A\""),
        (
            &format!("{APP}[[app.dir]]\nhost = \"a\"\nguest = \"../b\""),
            "host.toml:7: app.dir: guest path \"../b\" is not absolute",
        ),
        (
            &format!("{APP}[[app.dir]]\nhost = \"\"\nguest = \"/b\""),
            "host.toml:7: app.dir: the host's directory is empty",
        ),
        (
            &format!("{APP}[[app.dir]]\nhost = \"a\"\nguest = \"/a\"\n[[app.dir]]\nhost = \"b\"\nguest = \"/a/\""),
            "host.toml:10: app.dir.guest: guest path /a is granted already",
        ),
    ] {
        let refusal = refused(text);
        assert!(refusal.starts_with(message), "{refusal}");
        assert!(refusal.contains("; "), "it says the mend: {refusal}");
    }
}

#[test]
fn limits_that_contradict_each_other_are_refused_and_harmless_ones_are_not() {
    let with = |limits: &str| format!("[limits]\n{limits}\n{APP}");
    for (limits, message) in [
        ("write-chunk-max = \"17MiB\"", "write-chunk-max of 17MiB is over hostcall-max, 16MiB"),
        ("body-oneshot-max = \"17MiB\"", "body-oneshot-max of 17MiB is over hostcall-max, 16MiB"),
        ("hostcall-max = \"64KiB\"", "body-oneshot-max of 1MiB is over hostcall-max, 64KiB"),
        ("spool-max = \"1GiB\"", "body-max of 2GiB is over spool-max, 1GiB"),
    ] {
        let refusal = refused(&with(limits));
        assert!(refusal.contains(&format!("app.limits: {message}")), "{refusal}");
    }
    for limits in [
        "wall-max = \"1s\"",
        "body-max = \"1KiB\"",
        "body-max = \"64KiB\"\nspool-max = 0",
        "log-max = 0",
        "instances-max = 1",
    ] {
        config(&with(limits));
    }
    config(&format!("{}request-body = \"stream\"", with("spool-max = 0")));
}

#[test]
fn without_a_list_any_tenant_will_do_and_one_named_like_the_app_is_implied() {
    assert_eq!(config(&format!("{APP}tenant = \"acme\"")).apps[0].tenant.as_str(), "acme");
    let listed = config(&format!("[[tenant]]\nname = \"acme\"\n{APP}"));
    assert_eq!(listed.apps[0].tenant.as_str(), "shop", "an app without a tenant needs no listing");
}

#[test]
fn a_file_that_cannot_be_read_is_no_bad_config() {
    let error = Config::from_file(Path::new("/no/such/host.toml"), Flags::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().starts_with("cannot read /no/such/host.toml: "), "{error}");
}

#[test]
fn a_file_in_another_encoding_is_told_so_with_the_line() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("host.toml");
    fs::write(&file, b"grace = \"1s\"\n# \xe9t\xe9\n").unwrap();
    let error = Config::from_file(&file, Flags::default()).unwrap_err().to_string();
    assert!(error.ends_with("host.toml:2: not UTF-8; save the file as UTF-8"), "{error}");
}

#[test]
fn flags_that_grant_to_one_app_do_not_go_with_a_file() {
    let env = Flags { env: vec!["A=b".parse().unwrap()], ..Flags::default() };
    let dirs = Flags { dirs: vec!["a:/a".parse().unwrap()], ..Flags::default() };
    for (flags, flag) in [(env, "--env"), (dirs, "--dir")] {
        let error = loaded(APP, flags).0.unwrap_err();
        assert!(matches!(&error, ConfigError::Usage { flag: found, .. } if *found == flag), "{error}");
        assert!(error.to_string().starts_with(&format!("{flag}: it grants to a single app; ")), "{error}");
    }
}

#[test]
fn an_app_reaches_another_process_unchanged() {
    let text = format!("{APP}env = {{ A = \"b\" }}\n[[app.dir]]\nhost = \"/a\"\nguest = \"/a\"");
    let mut app = config(&text).apps.remove(0);
    app.grants.dirs[0].host = OsStr::from_bytes(b"/no\xfftext").into();
    let json = serde_json::to_string(&app).unwrap();
    assert_eq!(serde_json::from_str::<AppConfig>(&json).unwrap(), app);
}
