//! From the bytes of an input to what a target takes.

/// Parts an input into fields. The separator is a byte that UTF-8 never has, so that a field may hold any text, line
/// breaks and zeros included, and a corpus can be read and written by hand.
const SEPARATOR: u8 = 0xff;

/// The fields of an input, as bytes.
pub(crate) fn fields(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == SEPARATOR)
}

/// The fields of an input, as text; what is no UTF-8 becomes U+FFFD.
pub(crate) fn texts(data: &[u8]) -> impl Iterator<Item = String> {
    fields(data).map(|field| String::from_utf8_lossy(field).into_owned())
}

/// The items two by two; a last one without a partner is left out.
pub(crate) fn pairs<T>(mut items: impl Iterator<Item = T>) -> Vec<(T, T)> {
    let mut pairs = Vec::new();
    while let (Some(first), Some(second)) = (items.next(), items.next()) {
        pairs.push((first, second));
    }
    pairs
}

/// Asserts that a message is fit for an operator: there, on one line, and without anything that drives a terminal.
#[track_caller]
pub(crate) fn assert_is_one_line(message: &str) {
    assert!(!message.trim().is_empty(), "an empty message");
    assert!(!message.chars().any(char::is_control), "a control character in {message:?}");
}
