//! One line for each request.

use serde_json::Value;
use wasgi_harness::{Ending, Host, Request};

use crate::common::access_entry;

/// The line of one request in this format.
fn line(format: &str, request: &Request) -> String {
    let host = Host::serving("environ").args(["--access-log-format", format]).start();
    host.request(request).expect(200);
    let mut access = host.stop().access;
    assert_eq!(access.len(), 1, "{access:#?}");
    access.remove(0)
}

#[test]
fn by_default_it_is_the_combined_format_with_the_app_and_the_id() {
    let host = Host::serving("hello").start();
    let request = Request::get("/a?b=c").header("Referer", "http://from/").header("User-Agent", "tester/1");
    let id = host.request(&request).request_id();
    let line = host.access_log().wait(&id);
    let begin = "127.0.0.1 - - [";
    let end = "] \"GET /a?b=c HTTP/1.1\" 200 14 \"http://from/\" \"tester/1\" ";
    assert!(line.starts_with(begin) && line.contains(end), "{line}");
    assert!(line.ends_with(&format!(" hello {id}")), "{line}");
}

#[test]
fn it_has_gunicorns_atoms() {
    let request = Request::new("PUT", "/a%20b?c=d")
        .header("Referer", "http://from/")
        .header("User-Agent", "tester/1")
        .header("Authorization", "Basic dXNlcjpwYXNz")
        .header("X-In", "in");
    for (format, expected) in [
        ("%(h)s", "127.0.0.1"),
        ("%(l)s", "-"),
        ("%(u)s", "user"),
        ("%(r)s", "PUT /a%20b?c=d HTTP/1.1"),
        ("%(m)s", "PUT"),
        ("%(U)s", "/a%20b"),
        ("%(q)s", "c=d"),
        ("%(H)s", "HTTP/1.1"),
        ("%(s)s", "200"),
        ("%(f)s", "http://from/"),
        ("%(a)s", "tester/1"),
        ("%({x-in}i)s", "in"),
        ("%({x-none}i)s", "-"),
        ("%({content-type}o)s", "text/plain; charset=utf-8"),
        ("%({PATH_INFO}e)s", "/a b"),
        ("%(app)s", "environ"),
        ("%(error)s", "-"),
        ("100%% %(s)s", "100% 200"),
    ] {
        assert_eq!(line(format, &request), expected, "{format}");
    }
}

#[test]
fn sizes_and_times_are_numbers() {
    let host = Host::serving("conformance")
        .args(["--access-log-format", "%(B)s %(b)s %(T)s %(M)s %(D)s %(L)s %(p)s %(t)s %(U)s"]);
    let host = host.start();
    host.get("/return?size=1234").expect(200);
    host.get("/return?size=0").expect(200);
    let pid = host.pid();
    let access = host.stop().access;
    let fields: Vec<Vec<&str>> = access.iter().map(|line| line.split(' ').collect()).collect();
    assert_eq!(fields[0][..2], ["1234", "1234"]);
    assert_eq!(fields[1][..2], ["0", "-"]);
    for fields in fields {
        for time in &fields[2..5] {
            assert!(time.parse::<u64>().is_ok(), "{fields:?}");
        }
        assert!(fields[5].parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{fields:?}");
        assert_eq!(fields[6], format!("<{pid}>"));
        assert!(fields[7].starts_with('[') && fields[8].ends_with(']'), "{fields:?}");
    }
}

#[test]
fn json_has_the_same_keys_on_every_line() {
    let host = Host::dir(&["hello", "hostile"]).args(["--access-log-format", "json"]).start();
    let request = Request::get("/hello/a?b=c").header("User-Agent", "tester/1").header("Host", "example.org");
    let entry = access_entry(&host, &host.request(&request).request_id());
    for (key, value) in [
        ("peer", Value::from("127.0.0.1")),
        ("host", "example.org".into()),
        ("method", "GET".into()),
        ("path", "/hello/a".into()),
        ("query", "b=c".into()),
        ("protocol", "HTTP/1.1".into()),
        ("status", 200.into()),
        ("bytes", 14.into()),
        ("referer", Value::Null),
        ("user_agent", "tester/1".into()),
        ("app", "hello".into()),
        ("error", Value::Null),
    ] {
        assert_eq!(entry[key], value, "{key}: {entry}");
    }
    assert!(entry["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{entry}");
    assert!(entry["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{entry}");
    let keys = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for path in ["/nowhere", "/hostile/trap"] {
        let other = access_entry(&host, &host.get(path).request_id());
        assert_eq!(keys(&other), keys(&entry));
    }
}

#[test]
fn no_request_can_forge_a_line() {
    let evil = "x\" 200 0 \"-\" \"-\"\u{7f}\u{1b}[2J";
    let host = Host::serving("hello").start();
    for request in [
        Request::get("/").header("User-Agent", evil.replace(['\u{7f}', '\u{1b}'], "")),
        Request::get("/").header("User-Agent", "\u{e9} \\ \""),
        Request::get("/").header("Referer", "a\tb\" c"),
        Request::get("/%0a%0d\"<>"),
        Request::get("/\u{2028}\u{202e}"),
    ] {
        host.request(&request);
    }
    let access = host.stop().access;
    assert_eq!(access.len(), 5, "{access:#?}");
    for line in access {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert_eq!(quotes, 6, "request, referer and agent, each in quotes: {line}");
    }
}

#[test]
fn a_response_is_told_when_it_has_ended() {
    let host = Host::serving("conformance").args(["--request-body", "stream", "--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/gate/input").header("Transfer-Encoding", "chunked").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunks_until("first\n");
    // A later request is told first, since this one still runs.
    let later = host.get("/hello").request_id();
    access_entry(&host, &later);
    assert!(!host.access_log().so_far().iter().any(|line| line.contains(&id)));
    conn.send_chunk("").chunks_until("second\nlast\n");
    let entry = access_entry(&host, &id);
    assert_eq!((&entry["bytes"], &entry["error"]), (&Value::from(18), &Value::Null), "{entry}");
}

#[test]
fn a_client_that_left_before_its_request_was_looked_at_is_told_too() {
    let host = Host::serving("hello").args(["--connections-max", "1"]).start();
    let (mut first, mut second) = (host.connect(), host.connect());
    first.send(Request::get("/").bytes()).response().expect(200);
    // Accepted only when the first ends: the host then finds the request and the client's end at once.
    second.send(Request::get("/left").bytes()).finish_sending();
    drop(first);
    let line = host.access_log().wait("GET /left");
    assert!(line.contains(" 499 - "), "{line}");
    assert_eq!(second.ended(), Ending::Closed);
}

#[test]
fn it_can_go_to_a_file_or_nowhere() {
    let builder = Host::serving("hello");
    let path = builder.path("access.log");
    std::fs::write(&path, "earlier\n").unwrap();
    let host = builder.arg("--access-log").arg(&path).start();
    let id = host.get("/").request_id();
    let stopped = host.stop();
    assert!(stopped.access.is_empty(), "{:#?}", stopped.access);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("earlier\n") && text.contains(&id) && text.ends_with('\n'), "appended: {text}");

    let host = Host::serving("hello").args(["--access-log", "off"]).start();
    host.get("/").expect(200);
    assert!(host.stop().access.is_empty());
}

#[test]
fn ids_of_strangers_are_not_taken_over() {
    let host = Host::serving("environ").start();
    let response = host.request(&Request::get("/?format=json").header("X-Request-Id", "forged"));
    assert_ne!(response.request_id(), "forged");
    assert_eq!(response.json()["environ"]["wasgi.request_id"], response.request_id());
}

#[test]
fn ids_of_trusted_peers_are_taken_over_if_they_are_ids() {
    let host = Host::config(
        r#"
        trusted-peers = ["10.0.0.0/8", "127.0.0.1", "unix"]
        [[app]]
        name = "environ"
        component = "$GUESTS/environ.wasm"
        routes = ["/"]
        "#,
    );
    let socket = format!("unix:{}", host.path("s").display());
    let host = host.listen("127.0.0.1:0").listen(&socket).start();
    for address in host.addresses() {
        let mut conn = wasgi_harness::Conn::open(address);
        conn.send(Request::get("/?format=json").header("X-Request-Id", "from.Proxy_1-2").bytes());
        let response = conn.response();
        assert_eq!(response.request_id(), "from.Proxy_1-2");
        assert_eq!(response.json()["environ"]["wasgi.request_id"], "from.Proxy_1-2");
        host.access_log().wait("from.Proxy_1-2");
    }
    for forged in ["", "a b", "a\"b", "a;b", &"x".repeat(65)] {
        let response = host.request(&Request::get("/").header("X-Request-Id", forged));
        assert_ne!(response.request_id(), forged);
        assert!(!response.request_id().is_empty());
    }
    let at_most = "x".repeat(64);
    assert_eq!(host.request(&Request::get("/").header("X-Request-Id", &at_most)).request_id(), at_most);
}

#[test]
fn a_network_that_is_not_the_peers_is_not_trusted() {
    let config = "trusted-peers = [\"10.0.0.0/8\", \"unix\"]\n[[app]]\nname = \"hello\"\ncomponent = \"$GUESTS/hello.wasm\"\nroutes = [\"/\"]\n";
    let host = Host::config(config).start();
    let response = host.request(&Request::get("/").header("X-Request-Id", "forged"));
    assert_ne!(response.request_id(), "forged");
}
