//! The snippet that wasgi began with, and an ASGI application.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wasgi_harness::{Host, Request};

fn call(host: &Host, method: &str, params: &Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let response = host.post("/", request.to_string());
    response.expect(200);
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    response.json()
}

#[test]
pub(crate) fn rpc_python_answers_calls_from_a_registry_made_at_the_build() {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let host = Host::serving("rpc-python").start();
    assert_eq!(call(&host, "add", &json!([2, 3]))["result"], 5);
    assert_eq!(call(&host, "echo", &json!({"a": [null, "é"]}))["result"], json!({"a": [null, "é"]}));
    assert_eq!(call(&host, "factor", &json!([360]))["result"], json!([2, 2, 2, 3, 3, 5]));
    assert_eq!(call(&host, "factor", &json!([0]))["error"]["code"], -32602);
    assert_eq!(call(&host, "nothing", &json!([]))["error"]["code"], -32601);
    for _ in 0..2 {
        let registry = call(&host, "registry", &json!([]))["result"].clone();
        assert_eq!(registry["initialized"], 1, "{registry}");
        assert_eq!(registry["calls_before_initialize"], 0, "{registry}");
        assert_eq!(registry["calls_of_this_process"], 1, "an instance of its own: {registry}");
        assert!(registry["initialized_at"].as_f64().unwrap() < started, "before there was a host: {registry}");
    }
    assert!(call(&host, "time", &json!([]))["result"].as_f64().unwrap() >= started, "the clock of the request");
    assert_eq!(host.post("/", "not JSON").expect(200).json()["error"]["code"], -32700);
    let silent = host.post("/", r#"{"jsonrpc":"2.0","method":"echo","params":[1]}"#);
    assert_eq!(silent.expect(204).body, b"");
    assert_eq!(host.get("/").expect(405).header("Allow"), Some("POST"));
}

#[test]
pub(crate) fn starlette_answers_with_json_and_path_parameters() {
    let host = Host::serving("starlette").start();
    let started = host.get("/").expect(200).json();
    assert_eq!(started["path"], "/");
    assert!(started["started_at"].as_f64().unwrap() > 0.0, "its lifespan has begun: {started}");
    assert_eq!(host.get("/greet/%C3%89mile").expect(200).json(), json!({"greeting": "Hello, Émile!"}));
    assert_eq!(host.get("/square/12").expect(200).json(), json!({"number": 12, "square": 144}));
    host.get("/square/twelve").expect(404);
    host.get("/order").expect(405);
}

#[test]
fn starlette_sends_each_event_when_it_happens() {
    let host = Host::serving("starlette").args(["--access-log-format", "json", "--abandon-max", "100ms"]).start();
    let mut conn = host.connect();
    // The second event is further away than any test waits: the first did not wait for it.
    conn.send(Request::get("/events?count=2&interval=60").bytes());
    let head = conn.head();
    assert_eq!(head.header("Content-Type"), Some("text/event-stream; charset=utf-8"));
    conn.chunks_until("id: 1\nevent: tick\ndata: {\"tick\": 1, \"of\": 2}\n\n");
    assert!(!conn.has_bytes());
    drop(conn);
    let entry = crate::common::access_entry(&host, head.header("X-Request-Id").unwrap());
    assert_eq!(entry["error"], "client-left");
    let all = host.get("/events?count=3&interval=0.01").expect(200).text().to_owned();
    assert!(all.contains("id: 3\n") && all.ends_with("event: end\ndata: {}\n\n"), "{all}");
}

#[test]
fn starlette_reads_an_upload_of_any_size_in_pieces() {
    let host = Host::serving("starlette").start();
    for (size, digest) in [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (3 << 20, "f6dd7fec8584ad00219a447071c1fa368a1caee4d9c146083d233713ddccd2c0"),
    ] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        let request = Request::new("PUT", "/upload/a.bin").header("Content-Length", size.to_string());
        let mut conn = host.connect();
        conn.send(request.bytes());
        conn.send(&body);
        let response = conn.response_to("PUT");
        assert_eq!(response.expect(200).json(), json!({"name": "a.bin", "bytes": size, "sha256": digest}));
    }
}

#[test]
fn starlette_works_on_after_its_response() {
    let host = Host::serving("starlette").start();
    let response = host.post("/order", r#"{"item":"tea"}"#);
    assert_eq!(response.expect(202).json(), json!({"ordered": "tea"}));
    host.log().wait_with(&[&response.request_id(), "fulfilled: \"tea\""]);
    host.post("/order", "tea").expect(400);
}
