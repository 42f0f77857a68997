//! start_response.

use guest_fixtures::{Answer, Name as _, outcome};
use serde_json::{Value, json as object};
use wasgi_guest::{Body, StartError, Writer};

use crate::Call;

type Headers = Vec<(String, String)>;

pub(crate) fn answer(call: &Call, first: &str, rest: &str) -> Option<Answer> {
    let answer = match (first, rest) {
        ("status", "") => status(call),
        ("header", "") => header(call),
        ("headers", "") => headers(call),
        ("headers", "repeat") => repeat(call),
        ("start-twice", "") => twice(call),
        ("start-twice", "first-refused") => first_refused(call),
        ("start-exc-info", "") => replaced(call),
        ("start-exc-info", "first") => exc_info_first(call),
        ("start-exc-info", "late") => late(call),
        ("start-exc-info", "after-empty") => after_empty(call),
        ("start-exc-info", "refused") => replacement_refused(call),
        ("no-start", "") => Ok("lost".into()),
        _ => return None,
    };
    Some(answer)
}

fn plain() -> Headers {
    vec![("Content-Type".to_owned(), "text/plain".to_owned())]
}

fn plain_with(name: &str, value: &str) -> Headers {
    let mut headers = plain();
    headers.push((name.to_owned(), value.to_owned()));
    headers
}

fn status(call: &Call) -> Answer {
    let line = call.query.native("line");
    let bodiless = line.starts_with("204") || line.starts_with("304");
    let headers = if bodiless { Headers::new() } else { plain() };
    let body = if bodiless { Body::empty() } else { "started".into() };
    started(call, call.start_response.call(&line, &headers, None), body)
}

fn header(call: &Call) -> Answer {
    let name = call.query.native("name");
    let value = match call.query.bytes("value-utf8") {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => call.query.native("value"),
    };
    let mut headers = if call.query.is_on("only") { Headers::new() } else { plain() };
    headers.push((name, value));
    let body = call.query.text("body", "started").into();
    started(call, call.start_response.call("200 OK", &headers, None), body)
}

fn headers(call: &Call) -> Answer {
    let value = "v".repeat(call.query.size("size", 8));
    let headers: Headers = (0..call.query.size("count", 1)).map(|n| (format!("X-{n}"), value.clone())).collect();
    started(call, call.start_response.call("200 OK", &headers, None), "started".into())
}

fn repeat(call: &Call) -> Answer {
    let headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Case", "Kept")];
    call.start_response.start(200, headers)?;
    Ok("started".into())
}

/// The body if the call was good; else reports the refusal, unless told to be quiet.
fn started(call: &Call, result: Result<Writer, StartError>, body: Body) -> Answer {
    let error = match result {
        Ok(_) => return Ok(body),
        Err(error) => error,
    };
    if call.query.is_on("quiet") {
        return Ok(Body::empty());
    }
    let detail = match &error {
        StartError::BadStatus(detail) | StartError::BadHeader(detail) | StartError::TooLarge(detail) => Some(detail),
        _ => None,
    };
    report(call, &error, &object!({ "error": error.name(), "detail": detail }))
}

/// A JSON answer by a further call with exc_info.
fn report(call: &Call, cause: &StartError, value: &Value) -> Answer {
    call.start_response.replace(200, [("Content-Type", "application/json")], cause)?;
    Ok(value.to_string().into())
}

fn twice(call: &Call) -> Answer {
    let headers = [("Content-Type", "application/json"), ("X-Call", "first")];
    call.start_response.start(200, headers)?;
    let second = call.start_response.call("201 Created", &plain_with("X-Call", "second"), None);
    Ok(object!({ "second": outcome(&second) }).to_string().into())
}

fn first_refused(call: &Call) -> Answer {
    let first = call.start_response.call("oops", &plain(), None);
    let second = call.start_response.call("200 OK", &plain(), None);
    let value = object!({ "first": outcome(&first), "second": outcome(&second) });
    match first.and(second) {
        Err(error) => report(call, &error, &value),
        // Nothing was refused, so the first head stands.
        Ok(_) => Ok(value.to_string().into()),
    }
}

fn replaced(call: &Call) -> Answer {
    let start_response = &call.start_response;
    let first = start_response.call("200 OK", &plain_with("X-Call", "first"), None)?;
    let headers = plain_with("X-Call", "second");
    let second = start_response.call("500 Replaced", &headers, Some("the first head was wrong"))?;
    let writer = match call.query.text("via", "return").as_str() {
        "first" => first,
        "second" => second,
        _ => return Ok("replaced".into()),
    };
    crate::body::send_logged(&writer, b"replaced");
    Ok(Body::empty())
}

fn exc_info_first(call: &Call) -> Answer {
    call.start_response.call("200 OK", &plain(), Some("the only call has exc_info"))?;
    Ok("started".into())
}

fn late(call: &Call) -> Answer {
    let writer = call.start_response.call("200 OK", &plain(), None)?;
    crate::body::send_logged(&writer, b"begun\n");
    let late = call.start_response.call("500 Late", &plain(), Some("too late"));
    Ok(format!("late: {}\n", outcome(&late)).into())
}

fn after_empty(call: &Call) -> Answer {
    let writer = call.start_response.call("200 OK", &plain(), None)?;
    crate::body::send_logged(&writer, b"");
    call.start_response.call("503 Replaced", &plain(), Some("nothing was sent yet"))?;
    Ok("replaced".into())
}

fn replacement_refused(call: &Call) -> Answer {
    let headers = [("Content-Type", "application/json"), ("X-Call", "first")];
    call.start_response.start(200, headers)?;
    let bad = plain_with("X-Bad", "a\nb");
    let second = call.start_response.call("500 Replaced", &bad, Some("the replacement is refused"));
    Ok(object!({ "second": outcome(&second) }).to_string().into())
}
