//! Flask, unmodified: the smallest application, and a site that a visitor walks through.

use tempfile::TempDir;
use wasgi_harness::{Host, Request};

use crate::browser::{Browser, PICTURE, between, shows};

#[test]
pub(crate) fn the_smallest_application_greets() {
    let host = Host::serving("flask-hello").start();
    let response = host.get("/");
    response.expect_text("<p>Hello, World!</p>");
    assert_eq!(response.header("Content-Type"), Some("text/html; charset=utf-8"));
    host.get("/elsewhere").expect(404);
    host.post("/", "").expect(405);
}

/// The guestbook with its folder and its key.
fn guestbook(folder: &TempDir, key: &str) -> Host {
    let grant = format!("{}:/app/instance", folder.path().display());
    Host::serving("flask-guestbook").args(["--dir", &grant, "--env", &format!("SECRET_KEY={key}")]).start()
}

#[test]
pub(crate) fn a_visitor_signs_up_logs_in_posts_uploads_and_logs_out() {
    let (folder, mut ada) = (TempDir::new().unwrap(), Browser::default());
    let host = guestbook(&folder, "one");
    shows(&ada.get(&host, "/"), "Nobody has written yet");
    let ada_is = [("name", "Ada"), ("password", "lovelace")];
    shows(&ada.submit(&host, "/signup", &ada_is), "Welcome, Ada!");
    ada.submit(&host, "/login", &[("name", "Bob"), ("password", "lovelace")]).expect(422);
    shows(&ada.submit(&host, "/login", &ada_is), "Log out");
    shows(&ada.submit(&host, "/entries", &[("text", "É <b>bold</b>")]), "É &lt;b&gt;bold&lt;/b&gt;");
    let page = ada.upload(&host, "/entries", (&[("text", "Me")], ("picture", "me.png", PICTURE)));
    shows(&page, "Thank you for writing.");
    let path = between(page.text(), "<img src=\"", "\"").to_owned();

    // Another process, the same folder and key: what was written is there, and who was logged in still is.
    host.stop();
    let host = guestbook(&folder, "one");
    let picture = ada.get(&host, &path);
    assert_eq!((picture.expect(200).body.as_slice(), picture.header("Content-Type")), (PICTURE, Some("image/png")));
    shows(&ada.get(&host, "/"), "É &lt;b&gt;bold&lt;/b&gt;");
    shows(&ada.get(&host, "/"), "Log out");
    host.stop();

    // Sessions are signed with what the operator grants now, not with what the build knew.
    let host = guestbook(&folder, "another");
    shows(&ada.get(&host, "/"), "Log in");
    host.stop();

    let host = guestbook(&folder, "one");
    shows(&ada.submit(&host, "/logout", &[]), "You are logged out.");
    shows(&ada.submit(&host, "/entries", &[("text", "Hi")]), "<title>Log in</title>");
}

#[test]
fn an_upload_over_the_applications_own_limit_is_told_to_the_visitor() {
    let folder = TempDir::new().unwrap();
    let host = guestbook(&folder, "one");
    let large = vec![0; 600_000];
    let page = Browser::default().upload(&host, "/signup", (&[("name", "Ada")], ("picture", "a.png", &large)));
    shows(&page, "That is too large");
}

#[test]
fn static_files_are_sent_from_the_bundle() {
    let folder = TempDir::new().unwrap();
    let host = guestbook(&folder, "one");
    let style = host.get("/static/style.css");
    assert!(style.expect(200).text().starts_with("body {"), "{style:?}");
    assert_eq!(style.header("Content-Type"), Some("text/css; charset=utf-8"));
    let tag = style.header("ETag").expect("Flask tags files").to_owned();
    host.request(&Request::get("/static/style.css").header("If-None-Match", &tag)).expect(304);
    host.get("/static/../guestbook/db.py").expect(404);
}

#[test]
fn without_its_folder_the_application_says_so_in_its_log() {
    let host = Host::serving("flask-guestbook").args(["--env", "SECRET_KEY=one"]).start();
    host.log().wait_with(&["writable directory /app/instance", "not granted", "--dir HOST:/app/instance"]);
    let response = host.get("/");
    response.expect(500);
    host.log().wait_with(&[&response.request_id(), "Error:"]);
}
