//! Every small text that an operator or a client writes and this host parses.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use wasgi::access_log::Format;
use wasgi::authority;
use wasgi::config::{AppName, DirGrant, EnvVar, ListenAddr, TenantName, TrustedPeers};
use wasgi::limits::{Size, Span};
use wasgi::router::{HostName, RoutePattern, Router};

use crate::input::{assert_is_one_line, texts};

/// Texts, with 0xff between: each is parsed as all that it could be. What is taken comes back the same from how it is
/// written out; what is refused is refused in one line. The second text is a path, routed by the first as a pattern.
///
/// # Panics
/// If that is not so.
pub fn text(data: &[u8]) {
    let texts: Vec<String> = texts(data).collect();
    for text in &texts {
        assert_round_trip::<RoutePattern>(text);
        assert_round_trip::<HostName>(text);
        assert_round_trip::<ListenAddr>(text);
        assert_round_trip::<AppName>(text);
        assert_round_trip::<TenantName>(text);
        assert_round_trip::<Size>(text);
        assert_round_trip::<Span>(text);
        parse::<Format>(text);
        parse::<DirGrant>(text);
        parse::<EnvVar>(text);
        if let Err(error) = TrustedPeers::default().add(text) {
            assert_is_one_line(&error.to_string());
        }
        assert_authority_is_whole(text);
    }
    if let [pattern, path, ..] = texts.as_slice() {
        assert_routes(pattern, path);
    }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            assert_is_one_line(&error.to_string());
            None
        }
    }
}

fn assert_round_trip<T: FromStr<Err: Display> + Display + Debug + PartialEq>(text: &str) {
    let Some(value) = parse::<T>(text) else { return };
    let written = value.to_string();
    let again = parse::<T>(&written);
    assert_eq!(again.as_ref(), Some(&value), "{text:?} is written out as {written:?}");
}

fn assert_authority_is_whole(text: &str) {
    let (host, port) = authority::split_port(text);
    let whole = port.map_or(host.to_owned(), |port| format!("{host}:{port}"));
    assert_eq!(whole, text);
    if authority::is_valid(text.as_bytes()) {
        assert!(text.is_ascii() && !text.contains([' ', ',', '/', '?', '#', '@', '\\']), "{text:?}");
        assert!(port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok()), "{text:?}");
    }
}

/// A prefix matches whole segments, and SCRIPT_NAME is the prefix.
fn assert_routes(pattern: &str, path: &str) {
    let Ok(pattern) = pattern.parse::<RoutePattern>() else { return };
    let host = pattern.host().map(ToString::to_string);
    let router = Router::new([(pattern.clone(), ())]);
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let decoded = wasgi::native::from_bytes(&decoded);
    let rest = decoded.strip_prefix(pattern.prefix()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let expected = rest.filter(|_| path.starts_with('/'));
    let found = router.route(host.as_deref(), path);
    assert_eq!(found.as_ref().map(|found| &*found.path_info), expected, "{pattern} {path:?}");
    assert!(found.is_none_or(|found| found.script_name == pattern.prefix()), "{pattern} {path:?}");
    if host.is_some() {
        assert!(
            router.route(Some("elsewhere.example"), path).is_none() || host.as_deref() == Some("elsewhere.example")
        );
        assert!(router.route(None, path).is_none());
    }
}
