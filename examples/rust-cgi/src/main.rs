//! A CGI program: it finds the request in its environment and on standard input, and prints the answer.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Read as _, Write as _};

fn main() -> io::Result<()> {
    let answer = match env::var("REQUEST_METHOD").as_deref() {
        Ok("GET" | "HEAD") => greeting(),
        Ok("POST") => count()?,
        _ => "Status: 405 Method Not Allowed\nAllow: GET, HEAD, POST\nContent-Type: text/plain\n\nGET or POST\n".into(),
    };
    io::stdout().write_all(answer.as_bytes())
}

/// A page that tells the request.
fn greeting() -> String {
    let mut page =
        String::from("Content-Type: text/plain; charset=utf-8\n\nPOST a text to have its words counted.\n\n");
    for (name, value) in env::vars().collect::<BTreeMap<_, _>>() {
        page.push_str(&format!("{name}={value}\n"));
    }
    page
}

/// How often each word of the body is in it.
fn count() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut words: BTreeMap<String, u32> = BTreeMap::new();
    for word in text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut page = String::from("Content-Type: text/plain; charset=utf-8\n\n");
    for (word, count) in words {
        page.push_str(&format!("{count:>6} {word}\n"));
    }
    Ok(page)
}
