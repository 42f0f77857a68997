//! Apps in C: each word of `wasgi.h`, the example, and `wasgi build` and `wasgi new`, by the real clang.

use wasgi_harness::{BodyEnd, Host, HostBuilder, Request, Wasgi};

use crate::project::{Project, names_in};

fn words() -> HostBuilder {
    Host::serving("c-words")
}

#[test]
pub(crate) fn the_environ_is_read_whole_and_by_name() {
    let host = words().start();
    let all = host.request(&Request::get("/environ?a=%20b").header("X-Latin", "\u{e9}"));
    for line in ["REQUEST_METHOD=GET\n", "QUERY_STRING=a=%20b\n", "wsgi.url_scheme=http\n"] {
        assert!(all.expect(200).text().contains(line), "{all:?}");
    }
    let get = |name: &str| host.request(&Request::get("/get").header("X-Name", name));
    get("PATH_INFO").expect_text("/get");
    get("NO_SUCH_NAME").expect_text("absent");
    get("QUERY_STRING").expect_text("");
}

#[test]
fn it_is_initialised_once_and_each_request_starts_from_there() {
    let host = words().args(["--env", "COLOUR=blue"]).start();
    for _ in 0..2 {
        host.get("/calls").expect_text("1 prepared, 1 calls, given by flags, blue");
    }
    let host = words().args(["--reuse", "1000"]).start();
    for number in 1..=300 {
        host.get("/calls").expect_text(&format!("1 prepared, {number} calls, given by flags, none"));
    }
}

#[test]
fn one_that_cannot_be_initialised_is_refused_in_its_own_words() {
    let guest = wasgi_harness::guest("c-words");
    let outcome = Wasgi::new(["serve", "--listen", "127.0.0.1:0", "--env", "REFUSE=not today"]).arg(guest).finish();
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("not today"), "{outcome:?}");
}

#[test]
fn the_input_is_read_in_pieces_to_its_end() {
    for host in [words().start(), words().args(["--request-body", "stream"]).start()] {
        host.post("/ends", "abcdefg").expect_text("0,7,0,0");
        host.post("/ends", "").expect_text("0,0,0,0");
        let large: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        assert_eq!(host.post("/echo", &large).expect(200).body, large);
    }
}

#[test]
fn each_piece_is_answered_before_the_next_is_sent() {
    let host = words().args(["--request-body", "stream", "--body-max", "10"]).start();
    let mut conn = host.connect();
    conn.send(Request::new("POST", "/echo").header("Transfer-Encoding", "chunked").bytes());
    conn.send("3\r\none\r\n");
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunks_until("one");
    conn.send("3\r\ntwo\r\n");
    conn.chunks_until("two");
    conn.send("8\r\ntoo much\r\n");
    host.log().wait_with(&[&id, "input ended with -2"]);
}

#[test]
fn a_head_is_refused_with_its_reason_and_replaced_by_an_error() {
    let host = words().start();
    let text = host.get("/bad-status").expect(200).text().to_owned();
    assert!(text.starts_with("-6 ") && text.contains("oops"), "{text}");
    let text = host.get("/bad-header").expect(200).text().to_owned();
    assert!(text.starts_with("-7 ") && text.contains("X-Bad"), "{text}");
    let replaced = host.get("/replaced");
    assert_eq!(replaced.expect(503).text(), "-4,-5", "already called, then head sent");
    host.log().wait_with(&[&replaced.request_id(), "the first was wrong"]);
    host.get("/no-start").expect(502);
}

#[test]
fn a_body_is_written_in_any_size_and_no_further_than_it_may() {
    let host = words().start();
    assert_eq!(host.get("/large").expect(200).body.len(), 3_000_000);
    let cut = host.get("/past-length");
    cut.expect_text("abcde");
    host.log().wait_with(&[&cut.request_id(), "writes: 0 -9"]);
    let none = host.get("/no-body");
    none.expect(204);
    host.log().wait_with(&[&none.request_id(), "before: -11"]);
    host.log().wait_with(&[&none.request_id(), "after: -10"]);
    let small = words().args(["--write-chunk-max", "1000"]).start();
    assert_eq!(small.get("/large").expect(200).body.len(), 3_000_000, "cut as the host asks");
}

#[test]
fn a_file_of_the_bundle_is_sent_by_the_host() {
    let host = words().start();
    host.get("/file").expect_text("A file");
    host.get("/file/rest").expect_text("A file of the bundle.</p>\n");
}

#[test]
fn a_client_that_leaves_is_told_of_and_an_abort_cuts_the_connection() {
    let host = words().start();
    let mut conn = host.connect();
    conn.send(Request::get("/endless").bytes());
    let id = conn.head().header("X-Request-Id").unwrap().to_owned();
    conn.chunk().expect("the first chunk");
    drop(conn);
    host.log().wait_with(&[&id, "ended by -1"]);
    let mut conn = host.connect();
    conn.send(Request::get("/abort").bytes());
    let response = conn.response();
    assert_eq!((response.body.as_slice(), &response.end), (b"begun\n".as_slice(), &BodyEnd::Cut));
    host.get("/calls").expect(200);
}

#[test]
fn what_is_logged_and_printed_is_in_the_log_of_the_request() {
    let host = words().start();
    let id = host.get("/log").expect(200).request_id();
    for text in ["snowman \u{2603}, Latin-1 \u{e9}, number 7", "to stdout", "to stderr"] {
        host.log().wait_with(&[&id, text]);
    }
}

#[test]
pub(crate) fn c_hello_greets_and_counts() {
    let host = Host::serving("c-hello").start();
    let hello = host.get("/");
    hello.expect_text("Hello, world!\n");
    assert_eq!(hello.header("Content-Length"), Some("14"));
    host.post("/count", "two\nlines").expect_text("9 bytes, 1 lines, checksum b8957a1f\n");
    host.post("/count", "").expect_text("0 bytes, 0 lines, checksum 00000000\n");
}

#[test]
fn a_new_app_in_c_is_built_far_from_here_and_answers() {
    let project = Project::new(&[]);
    let made = project.command(&["new", "--lang", "c", "my-app"]).finish();
    assert_eq!(made.code, Some(0), "{made:?}");
    let built = project.command(&["build", "-C", "my-app"]).finish();
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(built.stdout.starts_with("built my-app.wasm ("), "{built:?}");
    assert!(built.stderr.contains("1 files for wasm32-wasi"), "{built:?}");
    assert_eq!(names_in(&project.path("")), ["my-app", "my-app.wasm"]);
    assert_eq!(names_in(&project.beside("tmp")), [""; 0]);
    let host = Host::serving_file(&project.path("my-app.wasm")).start();
    host.get("/").expect_text("Hello from my-app!\n");
    host.get("/elsewhere").expect(404);
}

#[test]
fn source_that_is_wrong_is_told_by_its_file_and_line() {
    let project = Project::new(&[(
        "app.c",
        "#include <wasgi.h>\n\nvoid wasgi_application(wasgi_request *r)\n{\n    return 1\n}\n",
    )]);
    project.refused(project.command(&["build", "-o", "old.wasm"]), 65, &["app.c:5", "clang failed"]);
    let project = Project::new(&[("src/app.c", "int main(void) { return 0; }\n")]);
    project.refused(project.command(&["build", "-o", "old.wasm"]), 65, &["wasgi_application", "clang failed"]);
    let project = Project::new(&[
        ("wasgi.toml", "[build]\nflags = ['-Wl,--allow-undefined']\n"),
        (
            "app.c",
            "#include <wasgi.h>\n\nvoid nowhere(void);\nvoid wasgi_application(wasgi_request *r)\n{\n    (void)r;\n    nowhere();\n}\n",
        ),
    ]);
    project.refused(project.command(&["build", "-o", "old.wasm"]), 65, &["is no app", "nowhere"]);
}

#[test]
fn half_a_gigabyte_to_bring_along_is_told_before_any_work() {
    let project = Project::with_a_film(&[("app.c", "#include <wasgi.h>\n")]);
    let command = project.command(&["build", "-o", "old.wasm"]);
    let outcome = project.refused(command, 65, &["bundle-max", "media/film.mp4"]);
    assert!(!outcome.stderr.contains("files for wasm32-wasi"), "{outcome:?}");
}

#[test]
fn a_compiler_that_takes_too_long_is_stopped_and_leaves_nothing() {
    let source = format!("#include <wasgi.h>\n{}", "#include <stdio.h>\n".repeat(10_000));
    let project = Project::new(&[("app.c", &source)]);
    let command = project.command(&["build", "-o", "old.wasm", "--time-max", "10ms"]);
    project.refused(command, 65, &["clang took longer than 10ms", "--time-max"]);
}

#[test]
fn what_is_missing_is_told_before_any_work() {
    let project = Project::new(&[("app.c", "")]);
    let command = project.command_with([project.beside("home")], &["build"]);
    project.refused(command, 69, &["clang is not there", "apt-get install clang lld wasi-libc"]);
    let command = project.command(&["build"]).env("WASI_SDK_PATH", "/nowhere");
    project.refused(command, 69, &["WASI_SDK_PATH", "wasi-sdk"]);
    let project = Project::new(&[("wasgi.toml", "[build]\nlang = 'c'\n")]);
    project.refused(project.command(&["build"]), 65, &["no .c files", "src"]);
}
