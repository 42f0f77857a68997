//! Text from outside, made safe to show to an operator.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Appends the text of an address, at a fraction of what `fmt` takes for IPv4: it is written several times
/// for each request. An IPv6 address that stands for one of IPv4 is shown as that.
pub fn push_ip(text: &mut String, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    text.push('.');
                }
                text.push_str(itoa::Buffer::new().format(octet));
            }
        }
        // Writing to a String cannot fail.
        IpAddr::V6(ip) => drop(write!(text, "{ip}")),
    }
}

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
    use super::{printable, push_ip};

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        assert_eq!(printable("a\r\nb\u{1b}[2J\tc\u{202e}é", 99), r"a\r\nb\u{1b}[2J c\u{202e}é");
    }

    #[test]
    fn addresses_read_as_those_of_std() {
        for (address, shown) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0.10.200.255", "0.10.200.255"),
            ("::1", "::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            let mut text = String::new();
            push_ip(&mut text, address.parse().unwrap());
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
