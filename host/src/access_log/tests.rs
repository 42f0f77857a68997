use std::time::UNIX_EPOCH;

use http::{HeaderValue, Request, Version};
use proptest::prelude::*;

use super::*;

/// What an entry is made of, so that a test names only what it is about.
struct Sample {
    request: Option<Parts>,
    response_headers: HeaderMap,
    environ: Vec<Variable>,
    request_id: RequestId,
}

impl Sample {
    fn new(target: &str, headers: &[(&str, &[u8])]) -> Self {
        let mut request = Request::builder().method("POST").uri(target).body(()).unwrap().into_parts().0;
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        Self {
            request: Some(request),
            response_headers: HeaderMap::new(),
            environ: Vec::new(),
            request_id: RequestId::from_header(&HeaderValue::from_static("id-1")).unwrap(),
        }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            peer: Endpoint::Tcp("192.0.2.7:55555".parse().unwrap()),
            request: self.request.as_ref(),
            started: UNIX_EPOCH + Duration::from_millis(1_795_438_280_123),
            elapsed: Duration::from_micros(2_034_567),
            status: StatusCode::NOT_FOUND,
            body_bytes: 12,
            response_headers: Some(&self.response_headers),
            environ: &self.environ,
            app: Some("shop"),
            cpu_time: Some(Duration::from_nanos(1_234_567)),
            request_id: &self.request_id,
            error: None,
        }
    }

    fn line(&self, format: &str) -> String {
        line(format, &self.entry())
    }
}

fn line(format: &str, entry: &Entry<'_>) -> String {
    let mut line = String::new();
    Format::parse(format).unwrap().write(entry, &mut line);
    line
}

#[test]
fn every_value_of_gunicorn_is_written() {
    let mut sample = Sample::new(
        "http://example.org/a%20b?q=1",
        &[
            ("Referer", b"http://r.example/"),
            ("User-Agent", b"agent/1"),
            ("Authorization", b"Basic YW5uZTpzZWNyZXQ="),
            ("X-One", b"1"),
            ("X-One", b"2"),
        ],
    );
    sample.response_headers.append("content-type", HeaderValue::from_static("text/plain"));
    sample.environ.push(("wsgi.version".into(), "1.0".into()));
    let pid = format!("<{}>", std::process::id());
    for (format, expected) in [
        ("%(h)s", "192.0.2.7"),
        ("%(l)s", "-"),
        ("%(u)s", "anne"),
        ("%(r)s", "POST /a%20b?q=1 HTTP/1.1"),
        ("%(m)s", "POST"),
        ("%(U)s", "/a%20b"),
        ("%(q)s", "q=1"),
        ("%(H)s", "HTTP/1.1"),
        ("%(s)s", "404"),
        ("%(B)s", "12"),
        ("%(b)s", "12"),
        ("%(f)s", "http://r.example/"),
        ("%(a)s", "agent/1"),
        ("%(T)s", "2"),
        ("%(M)s", "2034"),
        ("%(D)s", "2034567"),
        ("%(L)s", "2.034567"),
        ("%(p)s", &pid),
        ("%({x-one}i)s", "1, 2"),
        ("%({X-ONE}i)s", "1, 2"),
        ("%({Content-Type}o)s", "text/plain"),
        ("%({wsgi.version}e)s", "1.0"),
        ("%(app)s", "shop"),
        ("%(cpu)s", "1234"),
        ("%(id)s", "id-1"),
        ("%(error)s", "-"),
        ("100%% %(s)s%%", "100% 404%"),
        ("plain", "plain"),
        ("", ""),
    ] {
        assert_eq!(sample.line(format), expected, "{format}");
    }
}

#[test]
fn what_is_absent_is_a_dash() {
    let sample = Sample { request: None, ..Sample::new("/", &[]) };
    let entry = Entry {
        peer: Endpoint::Unix,
        body_bytes: 0,
        response_headers: None,
        app: None,
        cpu_time: None,
        error: Some("bad_request"),
        ..sample.entry()
    };
    let format =
        "%(h)s %(u)s %(r)s %(m)s %(U)s %(q)s %(H)s %(b)s %(f)s %(a)s %({x}i)s %({x}o)s %({x}e)s %(app)s %(cpu)s";
    assert_eq!(line(format, &entry), ["-"; 15].join(" "));
    assert_eq!(line("%(B)s %(error)s", &entry), "0 bad_request");
    assert_eq!(Sample::new("/", &[]).line("[%(q)s]"), "[]", "a query that is empty, as Gunicorn has it");
}

#[test]
fn the_date_is_that_of_the_second_in_the_hosts_zone() {
    let sample = Sample::new("/", &[]);
    let date = sample.line("%(t)s");
    // The zone is the machine's, so the text is read back.
    let parsed = jiff::Timestamp::strptime("[%d/%b/%Y:%H:%M:%S %z]", &date).unwrap();
    assert_eq!(parsed.as_second(), 1_795_438_280, "{date}");
    assert_eq!(sample.line("%(t)s"), date);
    let later = Entry { started: sample.entry().started + Duration::from_secs(1), ..sample.entry() };
    assert_ne!(line("%(t)s", &later), date, "the second in store is not taken for another");
}

#[test]
fn the_default_is_the_combined_format_with_time_app_and_id() {
    assert_eq!(Format::default(), Format::parse(Format::DEFAULT).unwrap());
    let sample = Sample::new("/x", &[("User-Agent", b"curl")]);
    let mut line = String::new();
    Format::default().write(&sample.entry(), &mut line);
    let date = sample.line("%(t)s");
    assert_eq!(line, format!("192.0.2.7 - - {date} \"POST /x HTTP/1.1\" 404 12 \"-\" \"curl\" 2.034567 shop id-1"));
}

#[test]
fn unknown_values_and_stray_percents_are_refused_by_name() {
    for name in ["x", "", "hh", "H ", "{x}", "{x}z", "{}q"] {
        let error = Format::parse(&format!("a %({name})s")).unwrap_err();
        assert_eq!(error, FormatError::UnknownAtom(name.to_owned()));
        assert!(error.to_string().contains(&format!("%({name})s")), "{error}");
    }
    for (text, rest) in [("100%", "%"), ("%h", "%h"), ("a %(h", "%(h"), ("%(h)d", "%(h)d"), ("%%%", "%")] {
        assert_eq!(Format::parse(text), Err(FormatError::StrayPercent(rest.to_owned())), "{text}");
    }
    for name in ["{}i", "{a b}o", "{é}i"] {
        assert_eq!(Format::parse(&format!("%({name})s")), Err(FormatError::HeaderName(name.to_owned())));
    }
}

#[test]
fn a_format_tells_what_an_entry_must_carry() {
    let wants = |format: &str| {
        let format = Format::parse(format).unwrap();
        (format.wants_response_headers(), format.wants_environ())
    };
    assert_eq!(wants("%(h)s %({x}i)s"), (false, false));
    assert_eq!(wants("%({x}o)s"), (true, false));
    assert_eq!(wants("%({x}e)s"), (false, true));
    assert_eq!(wants("json"), (false, false));
}

#[test]
fn what_a_client_sends_cannot_forge_a_line_or_end_a_field() {
    let sample = Sample::new("/a\"b", &[("User-Agent", b"x\" 200 \\\xe9\t"), ("Authorization", b"Basic YQoiYg==")]);
    assert_eq!(sample.line(r#""%(a)s""#), r#""x\" 200 \\\xe9\x09""#);
    assert_eq!(sample.line("%(u)s"), r#"a\x0a\"b"#);
    assert_eq!(sample.line("%(U)s"), r#"/a\"b"#);
    assert_eq!(Sample::new("/é", &[]).line("%(U)s"), r"/\xc3\xa9");
    let environ = vec![("PATH_INFO".into(), "/\n\u{1b}\u{ff}".into())];
    assert_eq!(Sample { environ, ..Sample::new("/", &[]) }.line("%({PATH_INFO}e)s"), r"/\x0a\x1b\xff");
}

#[test]
fn only_basic_credentials_that_can_be_read_name_a_user() {
    for credentials in ["Bearer YW5uZTp4", "Basic", "Basic ", "Basic !!!", "Basic OnNlY3JldA==", "YW5uZTp4"] {
        assert_eq!(Sample::new("/", &[("Authorization", credentials.as_bytes())]).line("%(u)s"), "-", "{credentials}");
    }
    let user = |credentials: String| Sample::new("/", &[("Authorization", credentials.as_bytes())]).line("%(u)s");
    assert_eq!(user("basic YW5uZTp4".to_owned()), "anne");
    assert_eq!(user("Basic YW5uZQ==".to_owned()), "anne");
    assert_eq!(user(format!("Basic {}", "YWFh".repeat(1000))), "-", "too long to be one");
}

#[test]
fn json_has_every_key_and_null_for_what_is_absent() {
    let sample = Sample::new("http://example.org/a?b", &[("Referer", b"r\"\xe9")]);
    let json: serde_json::Value = serde_json::from_str(&sample.line("json")).unwrap();
    let expected = serde_json::json!({
        "time": "2026-11-23T12:51:20.123Z", "peer": "192.0.2.7", "host": "example.org", "method": "POST",
        "path": "/a", "query": "b", "protocol": "HTTP/1.1", "status": 404, "bytes": 12, "seconds": 2.034567,
        "referer": "r\"\u{e9}", "user_agent": null, "app": "shop", "cpu_us": 1234, "request_id": "id-1",
        "error": null,
    });
    assert_eq!(json, expected);
    let unread = Sample { request: None, ..sample };
    let error = Some("bad_request");
    let entry = Entry { peer: Endpoint::Unix, app: None, cpu_time: None, error, ..unread.entry() };
    let json: serde_json::Value = serde_json::from_str(&line("json", &entry)).unwrap();
    assert_eq!((&json["peer"], &json["path"], &json["app"]), (&().into(), &().into(), &().into()));
    assert_eq!((&json["error"], &json["cpu_us"]), (&"bad_request".into(), &().into()));
    assert_eq!(json.as_object().unwrap().len(), 16);
}

#[test]
fn http_2_and_targets_without_a_path_are_shown_as_they_are() {
    let mut sample = Sample::new("https://example.org/x?y", &[]);
    sample.request.as_mut().unwrap().version = Version::HTTP_2;
    assert_eq!(sample.line("%(r)s"), "POST /x?y HTTP/2.0");
    assert_eq!(Sample::new("*", &[]).line("%(r)s"), "POST * HTTP/1.1");
    assert_eq!(Sample::new("example.org:443", &[]).line("%(r)s"), "POST example.org:443 HTTP/1.1");
}

proptest! {
    #[test]
    fn no_bytes_of_a_client_leave_their_field(value in prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff, Just(b'\t')], 0..40)) {
        let sample = Sample::new("/", &[("User-Agent", &value), ("Referer", &value)]);
        let line = sample.line(r#"<"%(a)s">"#);
        prop_assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        // Without its escapes the field must have no quote that ends it early.
        let inner = line.strip_prefix("<\"").unwrap().strip_suffix("\">").unwrap();
        let unescaped = inner.replace("\\\\", "").replace("\\\"", "");
        prop_assert!(!unescaped.contains('"'));

        let json: serde_json::Value = serde_json::from_str(&sample.line("json")).unwrap();
        let native: String = value.iter().copied().map(char::from).collect();
        prop_assert_eq!(json["user_agent"].as_str().unwrap(), native);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|(%[(]?[a-zA-Z{}]{0,3}[)]?s?){0,4}") {
        let _ = Format::parse(&text);
    }
}
