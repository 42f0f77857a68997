//! Django, unmodified: a site of `startproject`, with users, sessions, uploads and the admin.

use tempfile::TempDir;
use wasgi_harness::{Host, HostBuilder, Request};

use crate::browser::{Browser, PICTURE, between, shows};

const WORD: &str = "a rather long word";

/// The site with its folder and its key.
fn site(folder: &TempDir) -> HostBuilder {
    let grant = format!("{}:/app/data", folder.path().display());
    Host::serving("django-site").args(["--dir", &grant, "--env", "DJANGO_SECRET_KEY=a key of the tests"])
}

#[test]
pub(crate) fn a_visitor_signs_up_logs_in_posts_uploads_and_logs_out() {
    let (folder, mut ada) = (TempDir::new().unwrap(), Browser::default());
    let host = site(&folder).start();
    shows(&ada.get(&host, "/"), "There are no notes yet.");
    let (name, token) = ada.token(&host, "/signup/");
    let fields = [(name, token.as_str()), ("username", "ada"), ("password1", WORD), ("password2", WORD)];
    shows(&ada.submit(&host, "/signup/", &fields), "Welcome, ada!");
    let (name, token) = ada.token(&host, "/login/");
    let fields = [(name, token.as_str()), ("username", "ada"), ("password", WORD)];
    shows(&ada.submit(&host, "/login/", &fields), "Log out");
    let (name, token) = ada.token(&host, "/");
    let fields = [(name, token.as_str()), ("text", "É <b>bold</b>")];
    let page = ada.upload(&host, "/notes/", (&fields, ("attachment", "me.png", PICTURE)));
    shows(&page, "Your note is there.");
    shows(&page, "É &lt;b&gt;bold&lt;/b&gt;");
    let path = between(page.text(), "<a href=\"/notes/", "\"").to_owned();
    ada.submit(&host, "/notes/", &[("text", "no token")]).expect(403);
    host.stop();

    // Another process, the same folder: notes, files and sessions are there.
    let host = site(&folder).start();
    let picture = ada.get(&host, &format!("/notes/{path}"));
    assert_eq!((picture.expect(200).body.as_slice(), picture.header("Content-Type")), (PICTURE, Some("image/png")));
    shows(&ada.get(&host, "/"), "É &lt;b&gt;bold&lt;/b&gt;");
    let (name, token) = ada.token(&host, "/");
    shows(&ada.submit(&host, "/logout/", &[(name, &token)]), "Log in");
    shows(&ada.get(&host, "/admin/"), "Django administration");
}

#[test]
fn the_administrator_that_the_operator_names_sees_the_admin() {
    let (folder, mut root) = (TempDir::new().unwrap(), Browser::default());
    let password = format!("DJANGO_SUPERUSER_PASSWORD={WORD}");
    let variables = ["DJANGO_SUPERUSER_USERNAME=root", "DJANGO_SUPERUSER_EMAIL=root@example.org", &password];
    let host = site(&folder).args(variables.iter().flat_map(|variable| ["--env", variable])).start();
    let (name, token) = root.token(&host, "/admin/login/?next=/admin/notes/note/");
    let fields = [(name, token.as_str()), ("username", "root"), ("password", WORD)];
    shows(&root.submit(&host, "/admin/login/?next=/admin/notes/note/", &fields), "Select note to change");
    shows(&root.get(&host, "/static/admin/css/base.css"), "DJANGO Admin styles");
}

#[test]
fn hosts_that_the_site_does_not_know_are_refused_by_it() {
    let folder = TempDir::new().unwrap();
    let host = site(&folder).start();
    host.request(&Request::get("/").header("Host", "evil.example")).expect(400);
    let known = host.request(&Request::get("/login/").header("Host", "django-site.localhost:8080"));
    shows(&known, "Log in");
    let style = host.request(&Request::get("/static/notes/style.css").header("Host", "localhost"));
    assert!(style.expect(200).text().starts_with("body {"), "{style:?}");
    assert_eq!(style.header("Content-Type"), Some("text/css; charset=\"utf-8\""));
}
