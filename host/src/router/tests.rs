use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use super::*;

/// A router whose targets are the patterns themselves.
fn router<'a>(patterns: &[&'a str]) -> Router<&'a str> {
    Router::new(patterns.iter().map(|text| (text.parse().unwrap(), *text)))
}

/// Target, SCRIPT_NAME and PATH_INFO.
fn routed<'a>(router: &Router<&'a str>, host: &str, path: &str) -> Option<(&'a str, String, String)> {
    router.route(Some(host), path).map(|found| (*found.target, found.script_name, found.path_info))
}

fn found<'a>(target: &'a str, script_name: &str, path_info: &str) -> Option<(&'a str, String, String)> {
    Some((target, script_name.to_owned(), path_info.to_owned()))
}

#[test]
fn an_app_at_the_root_gets_the_whole_path_and_no_script_name() {
    let router = router(&["/"]);
    for path in ["/", "/a", "/a/", "//a", "/a//b/.."] {
        assert_eq!(routed(&router, "", path), found("/", "", path));
    }
}

#[test]
fn a_prefix_matches_whole_segments_only() {
    let router = router(&["/app"]);
    assert_eq!(routed(&router, "", "/app"), found("/app", "/app", ""));
    assert_eq!(routed(&router, "", "/app/"), found("/app", "/app", "/"));
    assert_eq!(routed(&router, "", "/app/x/y"), found("/app", "/app", "/x/y"));
    for path in ["/", "/apple", "/ap", "/APP", "//app", "/x/app", "/app%20", "/app%00"] {
        assert_eq!(routed(&router, "", path), None, "{path}");
    }
}

#[test]
fn the_longest_prefix_wins_in_whatever_order_they_come() {
    for patterns in [["/", "/a", "/a/b/c"], ["/a/b/c", "/a", "/"]] {
        let router = router(&patterns);
        assert_eq!(routed(&router, "", "/a/b/c/d"), found("/a/b/c", "/a/b/c", "/d"));
        assert_eq!(routed(&router, "", "/a/b/x"), found("/a", "/a", "/b/x"));
        assert_eq!(routed(&router, "", "/b"), found("/", "", "/b"));
    }
}

#[test]
fn an_exact_host_beats_any_host_which_serves_the_rest() {
    let router = router(&["/", "/api", "shop.example.org/api", "other.example.org"]);
    assert_eq!(routed(&router, "shop.example.org", "/api/1"), found("shop.example.org/api", "/api", "/1"));
    assert_eq!(routed(&router, "shop.example.org", "/else"), found("/", "", "/else"));
    assert_eq!(routed(&router, "example.org", "/api"), found("/api", "/api", ""));
    // Even the shorter prefix of the request's own host comes first.
    assert_eq!(routed(&router, "other.example.org", "/api"), found("other.example.org", "", "/api"));
    assert_eq!(router.route(None, "/api").unwrap().target, &"/api");
}

#[test]
fn hosts_are_compared_without_case_port_and_final_dot() {
    let router = router(&["Shop.Example.org", "127.0.0.1/v4", "[::1]/v6"]);
    for host in
        ["shop.example.org", "SHOP.EXAMPLE.ORG", "shop.example.org:8080", "shop.example.org.:80", "shop.example.org:"]
    {
        assert_eq!(routed(&router, host, "/x"), found("Shop.Example.org", "", "/x"), "{host}");
    }
    for host in ["127.0.0.1", "127.0.0.1:80"] {
        assert_eq!(routed(&router, host, "/v4"), found("127.0.0.1/v4", "/v4", ""), "{host}");
    }
    for host in ["[::1]", "[::1]:80", "[0:0:0:0:0:0:0:1]:80", "[0000::0001]"] {
        assert_eq!(routed(&router, host, "/v6"), found("[::1]/v6", "/v6", ""), "{host}");
    }
    for host in ["", ".", "org", "shop.example", "xshop.example.org", "::1", "[::1", "[", "[::2]", ":80"] {
        assert_eq!(routed(&router, host, "/x"), None, "{host}");
    }
}

#[test]
fn escapes_are_decoded_before_they_are_compared_and_bytes_survive() {
    let router = router(&["/", "/caf%C3%A9", "/a b"]);
    let cafe = "/caf\u{c3}\u{a9}";
    assert_eq!(routed(&router, "", "/caf%c3%a9/%ff"), found("/caf%C3%A9", cafe, "/\u{ff}"));
    assert_eq!(routed(&router, "", "/café"), found("/caf%C3%A9", cafe, ""));
    assert_eq!(routed(&router, "", "/%61%20b%2Fc"), found("/a b", "/a b", "/c"));
    assert_eq!(routed(&router, "", "/%zz%"), found("/", "", "/%zz%"), "no escape stays as it is");
}

#[test]
fn what_is_no_path_has_no_route() {
    let router = router(&["/", "example.org"]);
    for path in ["", "*", "a", "example.org:443", "%2F"] {
        assert_eq!(routed(&router, "example.org", path), None, "{path}");
    }
}

#[test]
fn patterns_are_normalised() {
    for (text, shown) in [
        ("/", "/"),
        ("/a/", "/a"),
        ("example.org", "example.org/"),
        ("Example.ORG./A", "example.org/A"),
        ("[0:0::1]", "[::1]/"),
        ("/%61%20b", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/100%", "/100%25"),
        ("_dmarc.x-y.example/", "_dmarc.x-y.example/"),
    ] {
        let pattern: RoutePattern = text.parse().unwrap();
        assert_eq!(pattern.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(pattern.clone()), "{shown}");
        let json = serde_json::to_string(&pattern).unwrap();
        assert_eq!(serde_json::from_str::<RoutePattern>(&json).unwrap(), pattern);
    }
}

#[test]
fn patterns_that_no_request_could_mean_are_refused_with_the_reason() {
    for (text, reason) in [
        ("", "empty"),
        ("example.org:80/x", "port"),
        ("[::1]:80", "port"),
        ("*.example.org", "not a host"),
        ("http://example.org/", "not a host"),
        ("exämple.org", "not a host"),
        ("a..b/", "not a host"),
        (".", "not a host"),
        ("[::1", "not a host"),
        ("[x]/", "not a host"),
        ("[::1]x/", "not a host"),
        ("a b/", "not a host"),
        ("/a?b", "query"),
        ("/a#b", "query"),
        ("/a//b", "empty segment"),
        ("//", "empty segment"),
        ("/a/../b", "segment"),
        ("/%2e%2e", "segment"),
        ("/./a", "segment"),
        ("/a%0a", "control"),
    ] {
        let error = text.parse::<RoutePattern>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert!("a".repeat(64).parse::<RoutePattern>().is_err(), "a label over 63");
    assert!(["a"; 128].join(".").parse::<RoutePattern>().is_err(), "a name over 253");
}

#[test]
fn an_app_of_a_directory_is_at_its_name() {
    assert_eq!(RoutePattern::at_segment("rpc"), "/rpc".parse().unwrap());
    assert_eq!(RoutePattern::everything(), "/".parse().unwrap());
    assert_eq!((RoutePattern::everything().host(), RoutePattern::everything().prefix()), (None, ""));
}

/// Raw paths near the routes of the test, and wild ones.
fn any_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof!["a", "b", "%61", "%2F", "%ff", "%", "é", "", "\\PC{0,4}"];
    prop::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #[test]
    fn script_name_and_path_info_are_the_decoded_path(path in any_path()) {
        let router = router(&["/", "/a", "/a/b", "/%FF", "b.example/a"]);
        for host in [None, Some("b.example")] {
            let found = router.route(host, &path).unwrap();
            let decoded: Vec<u8> = percent_decode_str(&path).collect();
            let joined = format!("{}{}", found.script_name, found.path_info);
            prop_assert_eq!(native::to_bytes(&joined).unwrap().into_owned(), decoded);
            prop_assert!(found.script_name.is_empty() || found.script_name.starts_with('/'));
            prop_assert!(!found.script_name.ends_with('/'));
            prop_assert!(found.path_info.is_empty() || found.path_info.starts_with('/'));
        }
    }

    #[test]
    fn the_trie_agrees_with_a_plain_search(path in any_path(), prefixes in prop::collection::btree_set("(/[ab]){0,4}", 0..6)) {
        let router = Router::new(prefixes.iter().map(|prefix| {
            (RoutePattern { host: None, prefix: prefix.clone() }, prefix.clone())
        }));
        let decoded = native::from_bytes(&percent_decode_str(&path).collect::<Vec<u8>>());
        let matches = |prefix: &&String| {
            decoded.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let longest = prefixes.iter().filter(matches).max_by_key(|prefix| prefix.len());
        prop_assert_eq!(router.route(None, &path).map(|found| found.target), longest);
    }

    #[test]
    fn no_host_and_no_path_makes_the_router_panic(host: String, path: String) {
        router(&["/", "a.example", "[::1]"]).route(Some(&host), &path);
    }

    #[test]
    fn a_pattern_is_refused_or_shown_in_a_form_that_parses_to_the_same(text in "\\PC*|([a-z.]{0,5})(/[%a-f0-9 ]{0,4}){0,3}") {
        if let Ok(pattern) = text.parse::<RoutePattern>() {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }
}
