//! What a guest has of the system: what was granted, and nothing else.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use wasgi_harness::{Host, HostBuilder, files};

use crate::common::encoded;

fn ask(host: &Host, what: &str, path: &str) -> Value {
    host.get(&format!("/dir/{what}?path={}", encoded(path))).expect(200).json()
}

fn write(host: &Host, path: &str, text: &str) -> Value {
    host.get(&format!("/dir/write?path={}&text={}", encoded(path), encoded(text))).expect(200).json()["error"].clone()
}

/// A host with `data` granted, in which there is `word`, and beside it `secret`, which is not granted.
fn granted(mode: &str) -> Host {
    let builder: HostBuilder = Host::serving("hostile").grant("data", &format!("/data{mode}"));
    fs::write(builder.path("data/word"), "blue").unwrap();
    fs::write(builder.path("secret"), "hunter2").unwrap();
    builder.start()
}

#[test]
fn without_a_grant_there_is_no_file() {
    let host = Host::serving("hostile").start();
    for path in ["/", ".", "/etc/passwd", "/proc/self/environ", "/app", "/tmp"] {
        assert_ne!(ask(&host, "list", path)["error"], Value::Null, "{path}");
        assert_ne!(ask(&host, "read", path)["error"], Value::Null, "{path}");
    }
    assert_ne!(write(&host, "/tmp/made-by-a-guest", "x"), Value::Null);
}

#[test]
fn a_granted_directory_is_there_under_its_name() {
    let host = granted("");
    assert_eq!(ask(&host, "read", "/data/word"), json!({"text": "blue", "error": null}));
    assert_eq!(ask(&host, "list", "/data")["names"], json!(["word"]));
    assert_eq!(write(&host, "/data/new", "green"), Value::Null);
    assert_eq!(fs::read_to_string(host.path("data/new")).unwrap(), "green");
    assert_eq!(ask(&host, "list", "/data")["names"], json!(["new", "word"]));
}

#[test]
fn a_read_only_directory_cannot_be_changed() {
    let host = granted(":ro");
    assert_eq!(ask(&host, "read", "/data/word")["text"], "blue");
    assert_ne!(write(&host, "/data/new", "green"), Value::Null);
    assert_ne!(write(&host, "/data/word", "green"), Value::Null);
    assert_eq!(fs::read_to_string(host.path("data/word")).unwrap(), "blue");
    assert_eq!(fs::read_dir(host.path("data")).unwrap().count(), 1);
}

#[test]
fn no_path_leads_out_of_a_granted_directory() {
    let host = granted("");
    let secret = host.path("secret");
    symlink(&secret, host.path("data/absolute")).unwrap();
    symlink("../secret", host.path("data/relative")).unwrap();
    symlink("/", host.path("data/root")).unwrap();
    symlink("..", host.path("data/up")).unwrap();
    for path in [
        "/data/../secret",
        "/data/./../secret",
        "/data/word/../../secret",
        "/data/absolute",
        "/data/relative",
        "/data/root/etc/passwd",
        "/data/up/secret",
        "/data//../secret",
        &secret.to_string_lossy(),
        "../secret",
    ] {
        let got = ask(&host, "read", path);
        assert!(got["error"] != Value::Null && got["text"] == Value::Null, "{path}: {got}");
        assert_ne!(write(&host, path, "overwritten"), Value::Null, "{path}");
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), "hunter2");
}

#[test]
fn what_could_block_for_ever_cannot_be_opened() {
    let host = granted("");
    files::make_fifo(&host.path("data/fifo"));
    symlink("fifo", host.path("data/link")).unwrap();
    // With nobody at the other end, the host would wait for one, longer than any limit lasts.
    for path in ["/data/fifo", "/data/link", "/data/../data/fifo"] {
        assert_ne!(ask(&host, "read", path)["error"], Value::Null, "{path}");
        assert_ne!(write(&host, path, "x"), Value::Null, "{path}");
    }
    assert_eq!(ask(&host, "list", "/data")["names"], json!(["fifo", "link", "word"]));
}

#[test]
fn a_guest_sees_its_own_environment_and_none_of_the_hosts() {
    let host = Host::serving("hostile").env("WASGI_TEST_SECRET", "hunter2").start();
    assert_eq!(host.get("/env").json()["env"], json!({}));
    let host = Host::serving("hostile").args(["--env", "COLOUR=blue", "--env", "EMPTY=", "--env", "EQ=a=b"]).start();
    assert_eq!(host.get("/env").json()["env"], json!({"COLOUR": "blue", "EMPTY": "", "EQ": "a=b"}));
}

#[test]
fn a_guest_is_not_told_how_the_host_was_called() {
    let host = Host::serving("hostile").start();
    let args = host.get("/env").json()["args"].to_string();
    assert!(!args.contains('/') && !args.contains("--"), "{args}");
}

#[test]
pub(crate) fn there_is_no_network() {
    let host = Host::serving("connect").start();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (path, address) in [("tcp", tcp.local_addr().unwrap()), ("udp", udp.local_addr().unwrap())] {
        let got = host.get(&format!("/{path}?addr={address}")).expect(200).json();
        assert_eq!(got["connected"], false, "{got}");
        assert_ne!(got["error"], Value::Null, "{got}");
    }
    let got = host.get("/resolve?name=localhost").expect(200).json();
    assert_ne!(got["error"], Value::Null, "{got}");
    // Nobody has come.
    tcp.set_nonblocking(true).unwrap();
    assert!(tcp.accept().is_err());
}
