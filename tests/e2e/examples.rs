//! The examples do what their READMEs say.

use serde_json::{Value, json};
use wasgi_harness::{Host, Request, Response, workspace};

#[test]
pub(crate) fn hello_greets() {
    let host = Host::serving("hello").start();
    let response = host.get("/");
    response.expect_text("Hello, world!\n");
    assert_eq!(response.header("Content-Type"), Some("text/plain"));
}

#[test]
pub(crate) fn rust_cgi_counts_words() {
    let host = Host::serving("rust-cgi").start();
    let page = host.get("/a/b?c=d");
    page.expect(200);
    for line in ["GATEWAY_INTERFACE=CGI/1.1", "PATH_INFO=/a/b", "QUERY_STRING=c=d", "REQUEST_METHOD=GET"] {
        assert!(page.text().lines().any(|told| told == line), "{line}: {page:?}");
    }
    host.post("/", "to be or not to be\n").expect_text("     2 be\n     1 not\n     1 or\n     2 to\n");
    let response = host.request(&Request::new("DELETE", "/"));
    response.expect(405);
    assert_eq!(response.header("Allow"), Some("GET, HEAD, POST"));
}

#[test]
pub(crate) fn go_cgi_greets_and_counts() {
    let host = Host::dir(&["go-cgi", "hello"]).start();
    let page = host.get("/go-cgi/?name=%3Cb%3E");
    assert!(page.expect(200).text().contains("<p>Hello, &lt;b&gt;!</p>"), "{page:?}");
    let form = Request::post("/go-cgi/greet", "name=Ada");
    let page = host.request(&form.header("Content-Type", "application/x-www-form-urlencoded"));
    assert!(page.expect(200).text().contains("<p>Hello, Ada!</p>"), "{page:?}");
    host.post("/go-cgi/words", "word and ".repeat(100_000)).expect_text("200000 words\n");
    let told = host.get("/go-cgi/request?a=b").json();
    assert_eq!((&told["method"], &told["query"], &told["host"]), (&json!("GET"), &json!("a=b"), &json!("test")));
    host.get("/go-cgi/nowhere").expect(404);
}

#[test]
pub(crate) fn a_new_app_in_go_greets() {
    let host = Host::serving("new-go").start();
    host.get("/").expect_text("Hello from new-go!\n");
    host.get("/elsewhere").expect(404);
}

#[test]
pub(crate) fn index_leads_to_what_it_is_told() {
    let readme = std::fs::read_to_string(workspace().join("examples/index/README.md")).unwrap();
    let told = "LINKS=/hello/ | hello | Rust | the smallest application";
    let host = Host::serving("index").args(["--env", told]).start();
    let page = host.get("/");
    assert!(readme.contains(&format!("--env '{told}'")) && readme.contains(page.expect(200).text()), "{page:?}");
    host.get("/elsewhere").expect(404);
    let links = "LINKS=\n //shop.localhost/a?b&c | a < b | K | t | u\n\n/x | X\n";
    let host = Host::serving("index").args(["--env", links]).start();
    for (authority, url) in [("localhost:81", "//shop.localhost:81/a"), ("[::1]", "//shop.localhost/a")] {
        let page = host.request(&Request::get("/").header("Host", authority));
        let line = format!("<li><a href=\"{url}?b&amp;c\">a &lt; b</a> (K): t | u\n");
        assert!(page.expect(200).text().contains(&line) && page.text().contains(">X</a>"), "{authority}: {page:?}");
    }
    assert_eq!(Host::serving("index").start().get("/").expect(200).text().matches("href").count(), 0);
}

fn call(host: &Host, method: &str, params: &Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let response = host.post("/", request.to_string());
    response.expect(200);
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    let answer = response.json();
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
    answer
}

#[test]
pub(crate) fn rpc_answers_calls_from_a_registry_made_at_deployment() {
    let host = Host::serving("rpc").start();
    assert_eq!(call(&host, "add", &json!([2, 3]))["result"], 5);
    assert_eq!(call(&host, "echo", &json!({"a": [null, "é"]}))["result"], json!({"a": [null, "é"]}));
    assert_eq!(call(&host, "factor", &json!([360]))["result"], json!([2, 2, 2, 3, 3, 5]));
    let registry = call(&host, "registry", &json!([]))["result"].clone();
    assert_eq!(registry["initialized"], 1, "{registry}");
    assert!(registry["methods"].as_array().unwrap().contains(&json!("add")), "{registry}");
    let counted = call(&host, "text.count", &json!({"text": "é b\nc"}))["result"].clone();
    assert_eq!(counted, json!({"bytes": 6, "chars": 5, "words": 3, "lines": 2}));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let told = call(&host, "time", &json!([]))["result"].as_u64().unwrap();
    assert!(now - told < 60, "the clock of the request, not of the snapshot: {told} at {now}");
    assert_eq!(call(&host, "nothing", &json!([]))["error"]["code"], -32601);
    assert_eq!(host.post("/", "not JSON").expect(200).json()["error"]["code"], -32700);
    host.get("/").expect(405);
}

#[test]
fn rpc_says_nothing_to_a_notification() {
    let host = Host::serving("rpc").start();
    let response = host.post("/", r#"{"jsonrpc":"2.0","method":"echo","params":[1]}"#);
    response.expect(204);
    assert_eq!(response.body, b"");
}

#[test]
pub(crate) fn environ_shows_the_request() {
    let host = Host::dir(&["environ"]).start();
    let request = Request::post("/environ/a?b=c", "the body").header("X-Test", "yes");
    let text = host.request(&request).expect(200).text().to_owned();
    for line in ["REQUEST_METHOD = POST", "PATH_INFO = /a", "QUERY_STRING = b=c", "HTTP_X_TEST = yes", "the body"] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    let got = host.request(&request.header("Accept", "application/json")).expect(200).json();
    assert_eq!(got["environ"]["SCRIPT_NAME"], "/environ");
    assert_eq!(got["url"], "http://test/environ/a?b=c");
    assert_eq!(got["body"], "the body");
}

#[test]
pub(crate) fn stream_sends_each_event_when_it_happens() {
    let host = Host::serving("stream").start();
    let mut conn = host.connect();
    conn.send(Request::get("/?count=3&interval=200").bytes());
    let head = conn.head();
    assert_eq!(head.header("Content-Type"), Some("text/event-stream"));
    let first = String::from_utf8(conn.chunk().unwrap()).unwrap();
    assert_eq!(first, "id: 1\nevent: tick\ndata: {\"tick\": 1, \"of\": 3}\n\n");
    // The next event is 200 ms away: the first did not wait for it.
    assert!(!conn.has_bytes());
    let (rest, _) = conn.body(&head, "GET");
    let rest = String::from_utf8(rest).unwrap();
    assert!(
        rest.contains("id: 2\n") && rest.contains("id: 3\n") && rest.ends_with("event: end\ndata: {}\n\n"),
        "{rest}"
    );
}

#[test]
fn stream_goes_on_from_what_was_seen_last() {
    let host = Host::serving("stream").start();
    let response = host.request(&Request::get("/?count=3&interval=0").header("Last-Event-ID", "2"));
    let text = response.expect(200).text().to_owned();
    assert!(!text.contains("id: 2\n") && text.contains("id: 3\n"), "{text}");
}

#[test]
fn stream_ends_when_its_client_leaves() {
    let host = Host::serving("stream").args(["--concurrency-max", "1", "--queue-max", "0", "--abandon-max", "100ms"]);
    let host = host.args(["--access-log-format", "json"]).start();
    let mut conn = host.connect();
    conn.send(Request::get("/?count=10000&interval=10").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunk().unwrap();
    drop(conn);
    assert_eq!(crate::common::access_entry(&host, &id)["error"], "client-left");
    host.stop();
}

#[test]
pub(crate) fn upload_hashes_a_body_of_any_size() {
    let host = Host::serving("upload").start();
    for size in [0, 1, 65_536, 3 << 20] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        let expected = json!({"path": "/any/where", "bytes": size, "blake3": blake3::hash(&body).to_hex().as_str()});
        assert_eq!(host.post("/any/where", &body).expect(200).json(), expected);
    }
    let response = host.get("/");
    response.expect(405);
    assert_eq!(response.header("Allow"), Some("PUT, POST"));
}

#[test]
pub(crate) fn axum_is_a_router_of_plain_handlers() {
    let host = Host::dir(&["axum"]).start();
    let get = |path: &str| -> Response { host.get(&format!("/axum{path}")) };
    get("/").expect_text("An axum router, as a guest.\n");
    get("/greet/Ada").expect_text("Hello, Ada!\n");
    get("/greet/%C3%89mile").expect_text("Hello, Émile!\n");
    assert_eq!(get("/search?q=wasm&page=2").expect(200).json(), json!({"q": "wasm", "page": 2, "found": []}));
    get("/search").expect(400);
    get("/nowhere").expect(404);
    get("/sum").expect(405);
    get("/count/3").expect_text("1\n2\n3\n");
    let json_body = Request::post("/axum/sum", "[1, 2.5]").header("Content-Type", "application/json");
    assert_eq!(host.request(&json_body).expect(200).json(), json!({"sum": 3.5}));
    let form = Request::post("/axum/signup", "name=Ada+L&email=ada%40x.org")
        .header("Content-Type", "application/x-www-form-urlencoded");
    host.request(&form).expect_text("Welcome, Ada L <ada@x.org>\n");
}

/// What a README shows of a request, and of the answer to it.
#[test]
fn each_readme_shows_what_really_comes() {
    let post = |target: &str, body: &str| Request::post(target, body);
    for (name, asked, request) in [
        ("hello", "curl http://127.0.0.1:8080/", Request::get("/")),
        (
            "rpc",
            r#"curl http://127.0.0.1:8080/ -d '{"jsonrpc":"2.0","id":1,"method":"factor","params":[360]}'"#,
            post("/", r#"{"jsonrpc":"2.0","id":1,"method":"factor","params":[360]}"#),
        ),
        ("stream", "/?count=2&interval=500'", Request::get("/?count=2&interval=500")),
        ("upload", "printf 'hello' | curl -T - http://127.0.0.1:8080/greeting.txt", post("/greeting.txt", "hello")),
        (
            "rpc-python",
            r#"curl http://127.0.0.1:8080/ -d '{"jsonrpc":"2.0","id":1,"method":"factor","params":[360]}'"#,
            post("/", r#"{"jsonrpc":"2.0","id":1,"method":"factor","params":[360]}"#),
        ),
        ("flask-hello", "curl http://127.0.0.1:8080/", Request::get("/")),
        ("starlette", "curl http://127.0.0.1:8080/greet/Ada", Request::get("/greet/Ada")),
        ("axum", "curl http://127.0.0.1:8080/greet/Ada", Request::get("/greet/Ada")),
    ] {
        let path = workspace().join("examples").join(name).join("README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        let response = Host::serving(name).start().request(&request);
        let answer = response.expect(200).text().trim_end();
        assert!(readme.contains(asked), "{name}: {asked:?} is not in its README");
        assert!(readme.contains(&format!("\n{answer}\n")), "{name}: {answer:?} is not in its README");
    }
}
