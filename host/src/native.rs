//! Native strings of PEP 3333 (rule 20): text in which each char, U+0000 to U+00FF, is one byte.

use std::borrow::Cow;

/// The native string of `bytes`: Latin-1, so that bytes that are not text survive.
pub fn from_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        // Nearly all that comes is ASCII, where both encodings agree.
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}

/// The bytes of the native string `text`, or the first char that is none of Latin-1 (rule 56).
pub fn to_bytes(text: &str) -> Result<Cow<'_, [u8]>, char> {
    if text.is_ascii() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    text.chars().map(|char| u8::try_from(char).map_err(|_| char)).collect::<Result<Vec<u8>, char>>().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_char_past_latin_1_is_refused_and_told() {
        assert_eq!(to_bytes("né\u{20ac}\u{100}"), Err('\u{20ac}'));
    }

    #[test]
    fn utf_8_becomes_one_char_for_each_byte() {
        assert_eq!(from_bytes("é".as_bytes()), "\u{c3}\u{a9}");
    }

    proptest! {
        #[test]
        fn any_bytes_survive_the_way_there_and_back(bytes: Vec<u8>) {
            let text = from_bytes(&bytes);
            prop_assert_eq!(text.chars().count(), bytes.len());
            prop_assert_eq!(to_bytes(&text).unwrap().into_owned(), bytes);
        }
    }
}
