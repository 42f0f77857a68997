//! Files and the environment.

use std::collections::BTreeMap;
use std::{env, fs, io};

use guest_fixtures::{Answer, json};
use serde_json::{Value, json as object};
use wasgi_guest::Body;

use crate::Call;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let file = call.query.text("path", "/");
    let value = match path {
        "/file" => return Some(bundled(call, file)),
        "/dir/read" => reported("text", fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        "/dir/list" => reported("names", names(&file)),
        "/dir/write" => reported("written", fs::write(file, call.query.text("text", "")).map(|()| true)),
        "/env" => {
            let variables: BTreeMap<String, String> = env::vars().collect();
            object!({ "env": variables, "args": env::args().collect::<Vec<_>>() })
        }
        _ => return None,
    };
    Some(json(&call.start_response, &value))
}

/// Has the host send a part of a file of the bundle, after what is written first.
fn bundled(call: &Call, path: String) -> Answer {
    let sized = call.query.bytes("content-length").is_some();
    let length_header = call.query.text("content-length", "");
    let headers: &[(&str, &str)] = if sized { &[("Content-Length", &length_header)] } else { &[] };
    let status = u16::try_from(call.query.number("status", 200)).unwrap_or(u16::MAX);
    let writer = call.start_response.start(status, headers.iter().copied())?;
    let written = call.query.text("written", "");
    if !written.is_empty() {
        crate::bodies::send(&writer, written.as_bytes());
    }
    let length = call.query.bytes("length").map(|_| call.query.number("length", 0));
    Ok(Body::File { path, offset: call.query.number("offset", 0), length })
}

fn names(folder: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// What came of it under `key`, and the error.
fn reported(key: &str, result: io::Result<impl Into<Value>>) -> Value {
    let error = result.as_ref().err().map(ToString::to_string);
    let value: Option<Value> = result.ok().map(Into::into);
    object!({ key: value, "error": error })
}
