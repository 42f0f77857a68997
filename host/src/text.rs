//! Text from outside, made safe to show to an operator.

/// `text` on one line, at most about `max` bytes long, with everything escaped that could forge a
/// line of a log or drive a terminal: control characters, line separators, bidirectional overrides.
pub fn printable(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        if line.len() >= max {
            line.push('…');
            break;
        }
        match c {
            '\t' => line.push(' '),
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => line.extend(c.escape_unicode()),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        assert_eq!(printable("a\r\nb\u{1b}[2J\tc\u{202e}é", 99), r"a\r\nb\u{1b}[2J c\u{202e}é");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
