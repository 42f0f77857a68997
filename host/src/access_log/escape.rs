//! How bytes that a client has chosen stand in a line.

use std::fmt::Write as _;

/// Appends `bytes`; `"`, `\` and all that is not printable ASCII stand as `\xNN`, `\"` and `\\`.
pub(super) fn push_text(line: &mut String, bytes: &[u8]) {
    let plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
    if plain && let Ok(text) = std::str::from_utf8(bytes) {
        return line.push_str(text);
    }
    push_escaped(line, bytes, "\\x");
}

/// Appends `bytes` as a JSON string, quotes and all. Each byte past ASCII is one char, U+0080 to
/// U+00FF, as in a native string, so that bytes that are not text survive.
pub(super) fn push_json(line: &mut String, bytes: &[u8]) {
    line.push('"');
    push_escaped(line, bytes, "\\u00");
    line.push('"');
}

/// Appends `bytes`; what is not printable ASCII stands as two hexadecimal digits behind `escape`.
fn push_escaped(line: &mut String, bytes: &[u8], escape: &str) {
    for &byte in bytes {
        match byte {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => push_hex(line, escape, byte),
        }
    }
}

fn push_hex(line: &mut String, prefix: &str, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(line, "{prefix}{byte:02x}");
}
