use std::fmt::Write;

use wasgi_guest::{Body, Environ, StartError, StartResponse};

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Result<Body, StartError> {
    if environ.path() != "/" {
        start_response.start(404, [("Content-Type", "text/plain")])?;
        return Ok("there is no such page; / names those that there are\n".into());
    }
    let host = environ.header("Host").unwrap_or_default();
    // Behind the last colon, but not inside the brackets of an IPv6 address.
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    start_response.start(200, [("Content-Type", "text/html; charset=utf-8")])?;
    Ok(page(&std::env::var("LINKS").unwrap_or_default(), port).into())
}

fn page(links: &str, port: Option<&str>) -> String {
    let mut page = HEAD.to_owned();
    for line in links.lines().filter(|line| !line.trim().is_empty()) {
        let mut parts = line.splitn(4, '|').map(|part| escaped(part.trim()));
        let mut next = || parts.next().unwrap_or_default();
        let (url, name, kind, text) = (next(), next(), next(), next());
        // Writing to a String cannot fail.
        let _ = writeln!(page, "<li><a href=\"{}\">{name}</a> ({kind}): {text}", with_port(url, port));
    }
    page.push_str("</ul>\n");
    page
}

/// Another host of this server listens on the same port.
fn with_port(url: String, port: Option<&str>) -> String {
    match (url.strip_prefix("//").and_then(|rest| rest.split_once('/')), port) {
        (Some((host, path)), Some(port)) => format!("//{host}:{port}/{path}"),
        _ => url,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Applications of this host</title>
<h1>Applications of this host</h1>
<ul>
"#;
