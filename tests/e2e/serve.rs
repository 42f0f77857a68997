//! What is served where.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use wasgi_harness::{Address, Conn, Host, Request, Wasgi, guest};

fn request_at(address: &Address, target: &str) -> wasgi_harness::Response {
    let mut conn = Conn::open(address);
    conn.send(Request::get(target).bytes());
    conn.response()
}

#[test]
fn a_single_file_is_served_at_every_path() {
    let host = Host::serving("hello").start();
    for path in ["/", "/any", "/any/path?and=query"] {
        host.get(path).expect_text("Hello, world!\n");
    }
}

#[test]
fn a_directory_serves_each_component_under_its_name() {
    let host = Host::dir(&["hello", "conformance"]).start();
    host.get("/hello").expect_text("Hello, world!\n");
    host.get("/hello/deeper").expect_text("Hello, world!\n");
    host.get("/conformance/hello").expect_text("hello");
    for nobody in ["/", "/hello2", "/hell", "/hello.wasm", "/Hello"] {
        let response = host.get(nobody);
        response.expect(404);
        assert_eq!(response.header("Content-Type"), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn a_directory_ignores_what_is_no_component_file() {
    let host = Host::dir(&["hello"]);
    std::fs::write(host.path("apps/README.txt"), "not an app").unwrap();
    host.start().get("/hello").expect_text("Hello, world!\n");
}

#[test]
fn a_config_routes_by_host_and_by_prefix() {
    let host = Host::config(
        r#"
        [[app]]
        name = "everywhere"
        component = "$GUESTS/environ.wasm"
        routes = ["/"]

        [[app]]
        name = "shop"
        component = "$GUESTS/environ.wasm"
        routes = ["/shop", "shop.example.org", "example.org/api/v1"]
        "#,
    )
    .start();
    for (host_name, path, app, script_name, path_info) in [
        ("x", "/", "everywhere", "", "/"),
        ("x", "/shop", "shop", "/shop", ""),
        ("x", "/shop/cart", "shop", "/shop", "/cart"),
        ("x", "/shopping", "everywhere", "", "/shopping"),
        ("shop.example.org", "/cart", "shop", "", "/cart"),
        ("SHOP.example.org:8080", "/cart", "shop", "", "/cart"),
        ("example.org", "/api/v1/x", "shop", "/api/v1", "/x"),
        ("example.org", "/api/v2/x", "everywhere", "", "/api/v2/x"),
    ] {
        let request = Request::get(&format!("{path}?format=json")).header("Host", host_name);
        let environ: Value = host.request(&request).expect(200).json()["environ"].clone();
        let got = [&environ["wasgi.app"], &environ["SCRIPT_NAME"], &environ["PATH_INFO"]];
        assert_eq!(got, [app, script_name, path_info], "{host_name}{path}");
    }
}

#[test]
fn a_config_says_where_to_listen() {
    let host = Host::config(
        r#"
        listen = ["127.0.0.1:0", "unix:$DIR/s"]
        [[app]]
        name = "hello"
        component = "$GUESTS/hello.wasm"
        routes = ["/"]
        "#,
    )
    .listen_as_configured(2);
    assert_eq!(host.addresses()[1], Address::Unix(host.path("s")));
    for address in host.addresses() {
        request_at(address, "/").expect_text("Hello, world!\n");
    }
}

#[test]
fn flags_for_addresses_replace_those_of_the_config() {
    let host = Host::config(
        r#"
        listen = ["unix:$DIR/s"]
        [[app]]
        name = "hello"
        component = "$GUESTS/hello.wasm"
        routes = ["/"]
        "#,
    )
    .start();
    host.get("/").expect_text("Hello, world!\n");
    assert!(!host.path("s").exists());
}

#[test]
fn limits_of_an_app_come_before_those_of_the_host() {
    let host = Host::config(
        r#"
        [limits]
        body-max = "10B"
        [[app]]
        name = "small"
        component = "$GUESTS/conformance.wasm"
        routes = ["/small"]
        [[app]]
        name = "large"
        component = "$GUESTS/conformance.wasm"
        routes = ["/large"]
        [app.limits]
        body-max = "20B"
        "#,
    )
    .start();
    let body = "12345678901";
    host.post("/small/input/all", body).expect(413);
    host.post("/large/input/all", body).expect_text(body);
    host.post("/large/input/all", [b'x'; 21]).expect(413);
}

#[test]
fn an_app_of_a_config_has_its_own_grants() {
    let config = Host::config(
        r#"
        [[app]]
        name = "rich"
        component = "$GUESTS/hostile.wasm"
        routes = ["/rich"]
        env = { COLOUR = "blue" }
        reuse = 100
        [[app.dir]]
        host = "data"
        guest = "/data"
        [[app]]
        name = "poor"
        component = "$GUESTS/hostile.wasm"
        routes = ["/poor"]
        "#,
    );
    std::fs::create_dir(config.path("data")).unwrap();
    std::fs::write(config.path("data/word"), "blue").unwrap();
    let host = config.start();
    assert_eq!(host.get("/rich/env").json()["env"]["COLOUR"], "blue");
    assert_eq!(host.get("/poor/env").json()["env"], serde_json::json!({}));
    // Relative to the configuration's folder, and read-only unless it says otherwise.
    assert_eq!(host.get("/rich/dir/read?path=/data/word").json()["text"], "blue");
    assert_ne!(host.get("/rich/dir/write?path=/data/word&text=x").json()["error"], Value::Null);
    assert_ne!(host.get("/poor/dir/read?path=/data/word").json()["error"], Value::Null);
    let calls = |app: &str| [(); 2].map(|()| host.get(&format!("{app}/calls")).json()["calls"].clone());
    assert!(calls("/rich")[1].as_u64() > Some(1));
    assert_eq!(calls("/poor"), [1, 1]);
}

#[test]
pub(crate) fn several_addresses_are_served_at_once() {
    let builder = Host::serving("conformance");
    let socket = builder.path("s");
    let builder = builder.listen("127.0.0.1:0").listen(&format!("unix:{}", socket.display()));
    // Not every machine has IPv6.
    let has_v6 = TcpListener::bind("[::1]:0").is_ok();
    let host = if has_v6 { builder.listen("[::1]:0") } else { builder }.start();
    assert_eq!(host.addresses().len(), 2 + usize::from(has_v6));
    for address in host.addresses() {
        request_at(address, "/hello").expect_text("hello");
    }
    let over_unix = request_at(&Address::Unix(socket.clone()), "/environ").json();
    assert_eq!(over_unix["REMOTE_ADDR"], "", "a Unix peer has no address");
    assert_eq!(over_unix["SERVER_NAME"], "test");
    host.stop();
    assert!(!socket.exists(), "the socket's file is removed");
}

#[test]
fn grants_may_be_longer_than_what_the_compile_child_says() {
    // They go down to it in one line, and what comes up is bounded to a MiB a line.
    let cache = tempfile::tempdir().unwrap();
    let host = Host::config(&format!(
        "[[app]]\nname = \"a\"\ncomponent = \"$GUESTS/hello.wasm\"\nroutes = [\"/\"]\nenv = {{ BIG = \"{}\" }}\n",
        "x".repeat(1_200_000)
    ));
    host.cache(cache.path()).start().get("/").expect_text("Hello, world!\n");
}

#[test]
fn a_socket_left_by_a_killed_host_is_taken_over() {
    let builder = Host::serving("hello");
    let socket = builder.path("s");
    drop(UnixListener::bind(&socket).unwrap());
    let host = builder.listen(&format!("unix:{}", socket.display())).start();
    host.get("/").expect_text("Hello, world!\n");
}

#[test]
fn an_address_that_is_taken_is_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = dir.path().join("s");
    let _listener = UnixListener::bind(&unix).unwrap();
    for taken in [tcp.local_addr().unwrap().to_string(), format!("unix:{}", unix.display())] {
        let outcome = Wasgi::new(["serve"]).arg(guest("hello")).arg("--listen").arg(&taken).finish();
        assert_eq!(outcome.code, Some(69), "{outcome:?}");
        let message = outcome.message();
        assert!(message.contains(&taken) && message.contains("--listen"), "thing and mend: {message}");
        assert_eq!(outcome.stdout, "", "it never says that it listens");
    }
    assert!(unix.exists(), "another's socket is left alone");
}

#[test]
fn nothing_is_served_before_all_apps_are_ready() {
    let host = Host::dir(&["hello", "rpc"]).start();
    // The line `listening on` is the promise; there is no warm-up after it.
    let response = host.post("/rpc", r#"{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}"#);
    assert_eq!(response.expect(200).json()["result"], 3);
    host.get("/hello").expect(200);
}

#[test]
fn a_component_is_found_beside_the_config_that_names_it() {
    let config = Host::config("[[app]]\nname = \"hello\"\ncomponent = \"apps/app.wasm\"\nroutes = [\"/\"]\n");
    std::fs::create_dir(config.path("apps")).unwrap();
    std::fs::copy(guest("hello"), config.path("apps/app.wasm")).unwrap();
    config.start().get("/").expect_text("Hello, world!\n");
}

#[test]
fn a_host_name_can_be_listened_on() {
    let host = Host::serving("hello").listen("localhost:0").start();
    host.get("/").expect_text("Hello, world!\n");
}

#[test]
fn a_reader_of_the_output_that_goes_away_does_not_end_the_host() {
    let mut child = Command::new(wasgi_harness::binary())
        .arg("serve")
        .arg(guest("hello"))
        .args(["--listen", "127.0.0.1:0", "--cache"])
        .arg(wasgi_harness::cache_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    drop((output, child.stderr.take()));
    for _ in 0..10 {
        request_at(&Address::Tcp(address), "/").expect_text("Hello, world!\n");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
