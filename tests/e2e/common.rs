//! What several topics need.

use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::Value;
use wasgi_harness::{Host, Outcome};

/// Asserts that a command was refused with this exit code, in one line that names all of `named`.
#[track_caller]
pub(crate) fn refused(outcome: &Outcome, code: i32, named: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    let message = outcome.message();
    for text in named {
        assert!(message.contains(text), "{text:?} is not in: {message}");
    }
    assert_eq!(outcome.stdout, "", "{outcome:?}");
}

/// `value` percent-encoded, for a query.
pub(crate) fn encoded(value: impl AsRef<[u8]>) -> String {
    percent_encode(value.as_ref(), NON_ALPHANUMERIC).to_string()
}

/// The line of the access log of the request `id`; the host must write it as JSON.
pub(crate) fn access_entry(host: &Host, id: &str) -> Value {
    let line = host.access_log().wait(&format!("\"request_id\":\"{id}\""));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
}

/// The first line of the access log with `text` in it, as JSON.
pub(crate) fn access_entry_with(host: &Host, text: &str) -> Value {
    let line = host.access_log().wait(text);
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
}

/// A field of `/proc/PID/status` in KiB, such as `VmRSS`.
pub(crate) fn memory_kib(host: &Host, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("a running process");
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let digits = value.and_then(|value| value.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no {field} in:\n{status}"))
}

/// The sizes of the unlinked files in `dir` that the host holds open.
pub(crate) fn unlinked_files(host: &Host, dir: &Path) -> Vec<u64> {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).expect("a running process");
    let open = descriptors.flatten().map(|entry| entry.path());
    let unlinked = |path: &PathBuf| {
        // A descriptor may be closed while we look.
        std::fs::read_link(path)
            .is_ok_and(|target| target.starts_with(dir) && target.to_string_lossy().contains("deleted"))
    };
    open.filter(unlinked).filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).collect()
}
