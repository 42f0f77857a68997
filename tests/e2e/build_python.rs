//! `wasgi build` of apps in Python, by the real componentize-py. Each build takes a core for a quarter of a minute, so
//! each shows several things.

use std::fs;
use std::process::Command;

use wasgi_harness::{Host, Request, Wasgi};

use crate::project::{PATIENCE, Project, names_in};

const MANIFEST: &str = r#"
[build]
app = "mysite.wsgi:nobody"
warm-up = ["/", "/thread", "/socket", "/missing"]
env = { KEY = "of the build" }
imports = ["xml.dom.minidom"]
exclude = ["notes"]

[asks]
env = ["GREETING"]
dirs = [{ path = "/app/data", writable = true }]
"#;

const WSGI: &str = r#"import os
from pathlib import Path

from mysite import pages

KEY = os.environ["KEY"]
ROOT = Path(__file__).parent.parent
print("printed at the import")
for folder in ("notes", "data", "other"):
    (ROOT / folder).mkdir(exist_ok=True)
    (ROOT / folder / "written.txt").write_text("at the import")


def application(environ, start_response):
    if environ["PATH_INFO"] == "/static":
        start_response("200 OK", [("Content-Type", "text/css")])
        return environ["wsgi.file_wrapper"](open("/app/static/style.css", "rb"))
    text = KEY if environ["PATH_INFO"] == "/key" else pages.answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"#;

const PAGES: &str = r#"import socket
import threading
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


def answer(path):
    if path == "/thread":
        threading.Thread(target=print).start()
    if path == "/socket":
        socket.create_connection(("127.0.0.1", 9))
    if path == "/late":
        import xml.dom.minidom

        return xml.dom.minidom.parseString("<a>late</a>").documentElement.tagName
    name = "missing.html" if path == "/missing" else "page.html"
    return (TEMPLATES / name).read_text().replace("NAME", path)
"#;

const FILES: &[(&str, &str)] = &[
    ("wasgi.toml", MANIFEST),
    ("mysite/__init__.py", ""),
    ("mysite/wsgi.py", WSGI),
    ("mysite/pages.py", PAGES),
    ("mysite/templates/page.html", "this is NAME\n"),
    ("static/style.css", "a { color: red }\n"),
    (".env", "SECRET=hunter2\n"),
    (".git/config", "[core]\n"),
    ("db.sqlite3", "accounts"),
    ("data/accounts", "the author's own"),
    ("notes/draft.txt", "a draft"),
];

#[test]
fn a_project_in_an_empty_folder_far_from_here_is_built_and_answers_with_its_files() {
    let project = Project::new(FILES);
    let outcome = project.command(&["build", "mysite.wsgi:application", "-o", "site.wasm"]).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("built site.wasm ("), "{}", outcome.stdout);
    let serve = "serve it with `wasgi serve site.wasm --dir ./data:/app/data`\n";
    assert!(outcome.stdout.ends_with(serve), "{}", outcome.stdout);
    for text in [
        "wasgi: copying the app and its packages\n",
        "importing mysite.wsgi:application and warming it up\n",
        "wasgi: packing the app's files\n",
        "  printed at the import\n",
        "the warm-up request '/thread' failed",
        "mysite/pages.py:10 starts a thread",
        "the warm-up request '/socket' failed",
        "the warm-up request '/missing' failed",
        "missing.html",
    ] {
        assert!(outcome.stderr.contains(text), "{text:?} is not in:\n{}", outcome.stderr);
    }
    for text in ["request '/' failed", "stay mortal"] {
        assert!(!outcome.stderr.contains(text), "{text:?} is in:\n{}", outcome.stderr);
    }
    the_source_is_as_it_was(&project);
    the_bundle_has_what_the_app_needs_and_no_secret(&project);
    it_answers(&project);
}

fn the_source_is_as_it_was(project: &Project) {
    let top = [".env", ".git", "data", "db.sqlite3", "mysite", "notes", "site.wasm", "static", "wasgi.toml"];
    assert_eq!(names_in(&project.path("")), top);
    assert_eq!(names_in(&project.path("mysite")), ["__init__.py", "pages.py", "templates", "wsgi.py"]);
    assert_eq!(names_in(&project.path("notes")), ["draft.txt"]);
    assert_eq!(names_in(&project.path("data")), ["accounts"]);
    assert_eq!(names_in(&project.beside("tmp")), [""; 0]);
}

fn the_bundle_has_what_the_app_needs_and_no_secret(project: &Project) {
    // Compiles it too, into a cache that the host then has; an interpreter takes a while.
    let check = Wasgi::new(["check", "--files"]).arg(project.path("site.wasm")).arg("--cache");
    let outcome = check.arg(project.beside("cache")).without_cache_flag().patience(PATIENCE).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let told = outcome.stdout;
    for text in ["mysite/templates/page.html (", "static/style.css (", "mysite/wsgi.py (", "other/written.txt ("] {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
    for text in [".env", ".git", "db.sqlite3", "notes/", "data/accounts", "data/written", "wasgi.toml", "site.wasm"] {
        assert!(
            !told.contains(&format!("{text} (")) && !told.contains(&format!("  {text}")),
            "{text:?} is in:\n{told}"
        );
    }
    for text in ["variable GREETING", "directory /app/data", "componentize-py 0.25."] {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
    let file = fs::read(project.path("site.wasm")).unwrap();
    assert!(!file.windows(7).any(|part| part == b"hunter2"));
}

fn it_answers(project: &Project) {
    let host = Host::serving_file(&project.path("site.wasm")).cache(&project.beside("cache")).start();
    host.get("/some/page").expect_text("this is /some/page\n");
    host.get("/static").expect_text("a { color: red }\n");
    host.get("/key").expect_text("of the build");
    host.get("/late").expect_text("a");
    for (path, named) in [
        ("/missing", ["missing.html", "FileNotFoundError"]),
        ("/thread", ["pages.py:10", "starts a thread"]),
        ("/socket", ["pages.py:12", "opens a connection"]),
    ] {
        let id = host.get(path).expect(500).request_id();
        for text in named {
            host.log().wait_with(&[&id, text]);
        }
        host.get("/next").expect_text("this is /next\n");
    }
}

/// As a tutorial has it: a database beside the code, a module that is imported late, a page from a file.
const VISITS: &str = r#"import sqlite3
from pathlib import Path

ROOT = Path(__file__).parent


def application(environ, start_response):
    if environ["PATH_INFO"] == "/page":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](open(ROOT / "page.txt", "rb"))
    if environ["PATH_INFO"] == "/late":
        import xmlrpc.client

        start_response("200 OK", [("Content-Type", "text/plain")])
        return [xmlrpc.client.__name__.encode()]
    connection = sqlite3.connect(ROOT / "db.sqlite3")
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visits (path TEXT)")
        connection.execute("INSERT INTO visits VALUES (?)", (environ["PATH_INFO"],))
    (count,) = connection.execute("SELECT count(*) FROM visits").fetchone()
    connection.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(count).encode()]
"#;

#[test]
fn an_app_with_a_database_is_served_from_its_own_folder() {
    let project = Project::new(&[("visits.py", VISITS), ("page.txt", "as built")]);
    let outcome = project.command(&["build", "visits:application", "-o", "visits.wasm"]).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.ends_with("serve it with `wasgi serve visits.wasm --dir .:/app`\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("it uses SQLite"), "{outcome:?}");
    let check = Wasgi::new(["check", "--files"]).arg(project.path("visits.wasm")).arg("--cache");
    let told = check.arg(project.beside("cache")).without_cache_flag().patience(PATIENCE).finish().stdout;
    assert!(told.contains("writable directory /app: not granted") && !told.contains("db.sqlite3"), "{told}");

    let serving = || Host::serving_file(&project.path("visits.wasm")).cache(&project.beside("cache"));
    let host = serving().start();
    let id = host.get("/first").expect(500).request_id();
    host.log().wait_with(&[&id, "visits.py:16 opens the database db.sqlite3", "cannot be made", "--dir .:/app"]);
    host.get("/page").expect_text("as built");
    host.stop();

    let host = serving().arg("--dir").arg(format!("{}:/app", project.path("").display())).start();
    for count in ["1", "2", "3"] {
        host.get("/visit").expect_text(count);
    }
    // What a request leaves that is ended while it writes.
    std::fs::create_dir(project.path("db.sqlite3.lock")).unwrap();
    let id = host.get("/visit").expect(200).request_id();
    host.log().wait_with(&[&id, "the lock of db.sqlite3 is removed"]);
    host.get("/late").expect_text("xmlrpc.client");
    project.write("page.txt", "as it is now");
    host.get("/page").expect_text("as it is now");
    assert!(project.path("db.sqlite3").exists());
}

#[test]
fn a_new_app_passes_its_own_test() {
    let project = Project::new(&[]);
    let made = project.command(&["new", "--lang", "python", "my-app"]).finish();
    assert_eq!(made.code, Some(0), "{made:?}");
    let mut test = Command::new("python3");
    let told = test.args(["-B", "-m", "unittest"]).current_dir(project.path("my-app")).output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("Ran 2 tests") && told.ends_with("OK\n"), "{told}");
}

/// `cargo xtask guests` has made them by `wasgi new` and built them by `wasgi build`.
#[test]
pub(crate) fn new_apps_of_each_framework_are_built_and_answer() {
    let host = Host::serving("new-python").start();
    host.get("/?name=you").expect_text("Hello, you!\n");
    host.get("/elsewhere").expect(404);
    for guest in ["new-flask", "new-django"] {
        let host = Host::serving(guest).start();
        let response = host.request(&Request::get("/?name=%3Cb%3E").header("Host", "localhost"));
        response.expect(200);
        assert!(response.text().contains("<h1>Hello, &lt;b&gt;!</h1>"), "{response:?}");
        host.request(&Request::get("/elsewhere").header("Host", "localhost")).expect(404);
    }
}

/// Builds `app` of these files, which must fail by the app's own fault.
#[track_caller]
fn fails(files: &[(&str, &str)], app: &str, named: &[&str]) -> String {
    let project = Project::new(files);
    let command = project.command(&["build", app, "-o", "old.wasm"]);
    project.refused(command, 65, named).stderr
}

#[test]
fn a_module_that_is_missing_is_named_however_much_was_printed_before() {
    let wsgi = "for number in range(200_000):\n    print(number)\nprint('x' * 10_000_000)\n\nfrom flask import Flask\n";
    let named = ["mysite/wsgi.py:5: there is no module flask: install its package", "the app printed at the build"];
    let told = fails(&[("mysite/__init__.py", ""), ("mysite/wsgi.py", wsgi)], "mysite.wsgi:application", &named);
    assert!(told.len() < 1 << 20, "{} bytes", told.len());
}

#[test]
fn a_thread_at_the_import_is_told_by_its_place() {
    let app = "import threading\n\nthreading.Thread(target=print).start()\n";
    fails(
        &[("app.py", app)],
        "app:application",
        &["wasgi: app.py:3: ", "starts a thread, and an instance has only one"],
    );
}

#[test]
fn a_callable_that_is_missing_is_told_with_what_may_have_been_meant() {
    let app = "def app(environ, start_response):\n    return []\n";
    fails(&[("app.py", app)], "app:application", &["wasgi: app.py has no 'application': did you mean app:app?"]);
}

#[test]
fn what_cannot_be_called_is_told_with_its_type() {
    let named = ["wasgi: 'application' in app.py is a str, which cannot be called"];
    fails(&[("app.py", "application = 'hello'\n")], "app:application", &named);
}

#[test]
fn an_app_that_ends_the_interpreter_is_told_by_its_name() {
    let files = [("app.py", "import os\nos._exit(3)\n")];
    fails(&files, "app:application", &["importing app:application ended the interpreter", "os._exit"]);
}

#[test]
fn a_syntax_error_is_told_by_its_line() {
    let app = "def application(environ, start_response):\n    return [\n";
    fails(&[("app.py", app)], "app:application", &["wasgi: app.py:2: SyntaxError: '[' was never closed"]);
}

#[test]
fn native_code_is_named_by_its_file() {
    let files = [
        ("wasgi.toml", "[build]\npackages = ['lib']\n"),
        ("app.py", "import numbers_fast\n"),
        ("lib/numbers_fast/__init__.py", "from numbers_fast import _core\n"),
        ("lib/numbers_fast/_core.cpython-314-x86_64-linux-gnu.so", "\x7fELF"),
    ];
    let named = ["numbers_fast/__init__.py:1: ", "_core.cpython-314-x86_64-linux-gnu.so is native code", "pure Python"];
    fails(&files, "app:application", &named);
}
