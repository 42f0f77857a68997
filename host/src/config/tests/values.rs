//! The values that flags and files share.

use proptest::prelude::*;

use super::*;

#[test]
fn names_are_plain_and_short() {
    for name in ["a", "0", "a.b_c-d", &"a".repeat(64)] {
        assert_eq!(name.parse::<AppName>().unwrap().as_str(), name);
        assert_eq!(name.parse::<TenantName>().unwrap().to_string(), name);
    }
    for name in ["", "A", "-a", ".a", "_a", "a b", "a/b", "é", "a\n", &"a".repeat(65)] {
        let error = name.parse::<AppName>().unwrap_err().to_string();
        assert!(error.contains("is not a name; take 1 to 64 of"), "{error}");
    }
    assert!(serde_json::from_str::<AppName>("\"A\"").is_err());
}

#[test]
fn addresses_to_listen_on_have_a_host_and_a_port() {
    let tcp = |host: &str, port| Ok(ListenAddr::Tcp { host: host.to_owned(), port });
    for (text, address, shown) in [
        ("127.0.0.1:0", tcp("127.0.0.1", 0), "127.0.0.1:0"),
        (":8080", tcp("0.0.0.0", 8080), "0.0.0.0:8080"),
        ("[::1]:80", tcp("::1", 80), "[::1]:80"),
        ("[::]:80", tcp("::", 80), "[::]:80"),
        ("localhost:80", tcp("localhost", 80), "localhost:80"),
        ("unix:/x", Ok(ListenAddr::Unix("/x".into())), "unix:/x"),
        ("unix:x:y", Ok(ListenAddr::Unix("x:y".into())), "unix:x:y"),
    ] {
        let parsed: Result<ListenAddr, ListenError> = text.parse();
        assert_eq!(parsed, address, "{text}");
        assert_eq!(parsed.unwrap().to_string(), shown);
    }
    for text in [
        "",
        "80",
        "localhost",
        "127.0.0.1",
        ":",
        ":65536",
        ":-1",
        "a:b",
        "::1:80",
        "[::1]",
        "unix:",
        "http://a:80",
        "a b:80",
    ] {
        let error = text.parse::<ListenAddr>().unwrap_err().to_string();
        assert!(error.contains("is not an address to listen on; write 127.0.0.1:8080"), "{error}");
    }
}

#[test]
fn directories_are_given_as_host_and_guest_path() {
    let grant =
        |host: &str, guest: &str, writable| Ok(DirGrant { host: host.into(), guest: guest.to_owned(), writable });
    for (text, expected) in [
        ("data:/data", grant("data", "/data", true)),
        ("data:/data:ro", grant("data", "/data", false)),
        ("/a:b:/c/d/", grant("/a:b", "/c/d", true)),
        (".:/", grant(".", "/", true)),
        (":/data", Err(GrantError::NoHost)),
        ("data", Err(GrantError::NoDirectory("data".to_owned()))),
        ("data:ro", Err(GrantError::NoDirectory("data:ro".to_owned()))),
        ("data:x", Err(GrantError::GuestPath("x".to_owned()))),
        ("data:", Err(GrantError::GuestPath(String::new()))),
        ("data:/a/../b", Err(GrantError::GuestPath("/a/../b".to_owned()))),
        ("data:/./a", Err(GrantError::GuestPath("/./a".to_owned()))),
        ("data:/a//b", Err(GrantError::GuestPath("/a//b".to_owned()))),
        ("data://", Err(GrantError::GuestPath("//".to_owned()))),
        ("data:/a:rw", Err(GrantError::GuestPath("rw".to_owned()))),
    ] {
        assert_eq!(text.parse::<DirGrant>(), expected, "{text}");
    }
}

#[test]
fn variables_have_a_name() {
    let variable = |name: &str, value: &str| Ok(EnvVar { name: name.to_owned(), value: value.to_owned() });
    assert_eq!("A=b=c".parse::<EnvVar>(), variable("A", "b=c"));
    assert_eq!("A=".parse::<EnvVar>(), variable("A", ""));
    assert_eq!("A".parse::<EnvVar>(), Err(GrantError::NoVariable("A".to_owned())));
    assert_eq!("=b".parse::<EnvVar>(), Err(GrantError::VariableName(String::new())));
    assert_eq!("A\0=b".parse::<EnvVar>(), Err(GrantError::VariableName("A\0".to_owned())));
    assert_eq!("A=\0".parse::<EnvVar>(), Err(GrantError::VariableValue("A".to_owned())));
}

#[test]
fn peers_are_trusted_by_address_network_or_kind() {
    let mut peers = TrustedPeers::default();
    let tcp = |address: &str| Endpoint::Tcp(address.parse().unwrap());
    assert!(!peers.trusts(tcp("127.0.0.1:1")) && !peers.trusts(Endpoint::Unix), "nobody by default");
    for text in ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "unix"] {
        peers.add(text).unwrap();
    }
    for trusted in ["192.0.2.1:9", "10.255.0.1:9", "[2001:db8::9]:9", "[::ffff:10.0.0.1]:9"] {
        assert!(peers.trusts(tcp(trusted)), "{trusted}");
    }
    for stranger in ["192.0.2.2:9", "11.0.0.1:9", "[2001:db9::9]:9", "[::1]:9"] {
        assert!(!peers.trusts(tcp(stranger)), "{stranger}");
    }
    assert!(peers.trusts(Endpoint::Unix));
    for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0", "127.0.0.1:80", "[::1]", "*"] {
        assert!(peers.add(text).is_err(), "{text}");
    }
}

#[test]
fn the_access_log_goes_to_stdout_nowhere_or_a_file() {
    for (text, target) in [
        ("-", AccessLogTarget::Stdout),
        ("off", AccessLogTarget::Off),
        ("a.log", AccessLogTarget::File("a.log".into())),
    ] {
        assert_eq!(text.parse(), Ok(target));
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC*|[a-z:/.=\\[\\]0-9]{0,12}") {
        let _ = text.parse::<ListenAddr>();
        let _ = text.parse::<DirGrant>();
        let _ = text.parse::<EnvVar>();
        let _ = text.parse::<AppName>();
        let _ = TrustedPeers::default().add(&text);
    }

    #[test]
    fn an_address_is_shown_in_a_form_that_parses_to_the_same(text in "([a-z.]{0,6}|\\[::[0-9a-f]{0,3}\\]):[0-9]{1,5}|unix:[a-z/]{1,9}") {
        if let Ok(address) = text.parse::<ListenAddr>() {
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn no_file_makes_the_parser_panic(text in "\\PC*|([a-z]{0,3}|app|listen|limits|[\\[\\]=\"\n.0-9]){0,12}") {
        let _ = loaded(&text, Flags::default());
    }
}
