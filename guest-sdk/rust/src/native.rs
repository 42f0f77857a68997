//! Native strings: what PEP 3333 calls text that is really bytes.
//!
//! Each char stands for one byte, U+0000 to U+00FF (rule 20), so that bytes which are not text survive.
//! Where the bytes are UTF-8 text, as paths mostly are, [`to_text`] gives that text.

/// The native string of these bytes.
pub fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The bytes of a native string; `None` if it has a char above U+00FF, and so is none.
pub fn to_bytes(native: &str) -> Option<Vec<u8>> {
    native.chars().map(|char| u8::try_from(char).ok()).collect()
}

/// The UTF-8 text whose bytes the native string carries; what is not UTF-8 becomes U+FFFD.
///
/// A string that is not native is taken for the text itself.
pub fn to_text(native: &str) -> String {
    if native.is_ascii() {
        return native.to_owned();
    }
    match to_bytes(native) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => native.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(to_bytes(&from_bytes(&bytes)), Some(bytes));
    }

    #[test]
    fn a_char_above_one_byte_is_not_native() {
        assert_eq!(to_bytes("snow ☃"), None);
    }

    #[test]
    fn text_is_found_again_in_the_bytes_of_utf8() {
        assert_eq!(to_text(&from_bytes("/café/☃".as_bytes())), "/café/☃");
        assert_eq!(to_text("/plain"), "/plain");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced() {
        assert_eq!(to_text(&from_bytes(b"a\xffb")), "a\u{fffd}b");
    }
}
