//! The access log as JSON: one object on a line, always with the same keys.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{HeaderName, REFERER, USER_AGENT};
use jiff::Timestamp;

use super::Entry;
use super::escape::push_json;
use super::format::{push, push_number, push_seconds};
use crate::authority;
use crate::environ::{Endpoint, protocol};
use crate::text::push_ip;

/// Appends the object of `entry`; what is not known is null.
pub(super) fn write(entry: &Entry<'_>, line: &mut String) {
    let request = entry.request;
    line.push('{');
    push_time(line, entry.started);
    match entry.peer {
        Endpoint::Tcp(address) => {
            line.push_str(",\"peer\":\"");
            push_ip(line, address.ip());
            line.push('"');
        }
        Endpoint::Unix => line.push_str(",\"peer\":null"),
    }
    push_field(line, "host", request.and_then(authority::of).map(str::as_bytes));
    push_field(line, "method", request.map(|request| request.method.as_str().as_bytes()));
    push_field(line, "path", request.map(|request| request.uri.path().as_bytes()));
    push_field(line, "query", request.and_then(|request| request.uri.query()).map(str::as_bytes));
    push_field(line, "protocol", request.map(|request| protocol(request.version).as_bytes()));
    line.push_str(",\"status\":");
    line.push_str(entry.status.as_str());
    line.push_str(",\"bytes\":");
    push_number(line, entry.body_bytes);
    line.push_str(",\"seconds\":");
    push_seconds(line, entry.elapsed);
    let headers = request.map(|request| &request.headers);
    push_field(line, "referer", header(headers, &REFERER));
    push_field(line, "user_agent", header(headers, &USER_AGENT));
    push_field(line, "app", entry.app.map(str::as_bytes));
    match entry.cpu_time {
        Some(time) => push(line, format_args!(",\"cpu_us\":{}", time.as_micros())),
        None => line.push_str(",\"cpu_us\":null"),
    }
    push_field(line, "request_id", Some(entry.request_id.as_str().as_bytes()));
    push_field(line, "error", entry.error.map(str::as_bytes));
    line.push('}');
}

/// The first field: the time in UTC, to the millisecond.
fn push_time(line: &mut String, time: SystemTime) {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    push(line, format_args!("\"time\":\"{time:.3}\""));
}

fn push_field(line: &mut String, key: &str, value: Option<&[u8]>) {
    line.push_str(",\"");
    line.push_str(key);
    line.push_str("\":");
    match value {
        Some(value) => push_json(line, value),
        None => line.push_str("null"),
    }
}

fn header<'a>(headers: Option<&'a HeaderMap>, name: &HeaderName) -> Option<&'a [u8]> {
    Some(headers?.get(name)?.as_bytes())
}
