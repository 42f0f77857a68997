//! Inputs made from others, as a fuzzer without feedback makes them.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// Longer inputs are cut: they would only be slow.
const LENGTH_MAX: usize = 96 * 1024;

/// Makes the same inputs each time.
pub(crate) struct Mutator {
    random: StdRng,
    seeds: Vec<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
}

impl Mutator {
    /// Mutates `seeds`, of which there is at least one, with the tokens of `dictionary`. The name of the target
    /// decides on chance.
    pub(crate) fn new(target: &str, seeds: Vec<Vec<u8>>, dictionary: &str) -> Self {
        let seed = target.bytes().fold(0_u64, |seed, byte| seed * 31 + u64::from(byte));
        Self { random: StdRng::seed_from_u64(seed), seeds, tokens: tokens(dictionary) }
    }

    /// The next input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seeds.choose(&mut self.random).expect("there are seeds").clone();
        for _ in 0..self.random.random_range(1..=4) {
            self.mutate(&mut input);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.random.random_range(0..=input.len());
        let end = (at + self.random.random_range(0..=64)).min(input.len());
        match self.random.random_range(0..8) {
            0 if at < input.len() => input[at] ^= 1 << self.random.random_range(0..8),
            1 if at < input.len() => input[at] = self.random.random(),
            2 => drop(input.drain(at..end)),
            3 => {
                let copy = input[at..end].to_vec();
                let to = self.random.random_range(0..=input.len());
                input.splice(to..to, copy);
            }
            4 => input.truncate(at),
            5 => {
                let other = self.seeds.choose(&mut self.random).expect("there are seeds");
                let from = self.random.random_range(0..=other.len());
                input.truncate(at);
                input.extend(&other[from..]);
            }
            _ => {
                let token = self.tokens.choose(&mut self.random).cloned().unwrap_or_else(|| vec![0xff; 4]);
                // In place of what is there, or before it.
                let end = if self.random.random() { (at + token.len()).min(input.len()) } else { at };
                input.splice(at..end, token);
            }
        }
    }
}

/// The tokens of a dictionary of libFuzzer: one in quotes on each line, with `\xNN` for what cannot be written.
fn tokens(dictionary: &str) -> Vec<Vec<u8>> {
    let quoted = dictionary.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return bytes,
            [b'\\', b'x', high, low, rest @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two digits behind \\x");
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits behind \\x"));
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

#[test]
fn a_dictionary_is_read_as_libfuzzer_reads_it() {
    let tokens = tokens("# a comment\n\"a\"\n\"\\x00\\\"\\\\\"\n");
    assert_eq!(tokens, [b"a".to_vec(), b"\0\"\\".to_vec()]);
}
