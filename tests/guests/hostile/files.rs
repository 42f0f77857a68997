//! Files and the environment.

use std::collections::BTreeMap;
use std::{env, fs, io};

use guest_fixtures::{Answer, json};
use serde_json::{Value, json as object};

use crate::Call;

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let file = call.query.text("path", "/");
    let value = match path {
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
