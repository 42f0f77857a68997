use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;

use wasgi_guest::{Body, Environ, StartResponse, native};

/// Of a longer body only the beginning is shown, in bytes.
const SHOWN: u64 = 64 * 1024;

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Result<Body, Box<dyn std::error::Error>> {
    let variables: BTreeMap<String, String> = environ.entries().into_iter().collect();
    let mut body = Vec::new();
    environ.input()?.take(SHOWN).read_to_end(&mut body)?;
    let (content_type, text) = if wants_json(&environ) {
        ("application/json", json(&environ, &variables, &body))
    } else {
        ("text/plain; charset=utf-8", plain(&environ, &variables, &body))
    };
    start_response.start(200, [("Content-Type", content_type)])?;
    Ok(text.into())
}

/// `?format=` goes before the Accept header.
fn wants_json(environ: &Environ) -> bool {
    match environ.query_value("format") {
        Some(format) => format == "json",
        None => environ.header("Accept").is_some_and(|accept| accept.contains("application/json")),
    }
}

fn plain(environ: &Environ, variables: &BTreeMap<String, String>, body: &[u8]) -> String {
    let mut text = format!("{} {}\n\n", environ.method(), environ.url());
    for (name, value) in variables {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} = {}", native::to_text(value));
    }
    if !body.is_empty() {
        let _ = write!(text, "\n{}", String::from_utf8_lossy(body));
    }
    text
}

/// Values stay native strings: each char is one byte.
fn json(environ: &Environ, variables: &BTreeMap<String, String>, body: &[u8]) -> String {
    let got = serde_json::json!({
        "url": environ.url(),
        "environ": variables,
        "body": String::from_utf8_lossy(body),
    });
    format!("{got:#}\n")
}
