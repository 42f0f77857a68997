//! `target/guests/fixtures.rs`: the guests as constants, for the tests to include.

use std::fmt::Write as _;

/// One constant for each guest, and `for_each_fixture!`, with which tests make an unused one an error.
pub(crate) fn source(names: &[String]) -> String {
    let mut source = "// Written by `cargo xtask guests`: the guests that are in this folder.\n\n".to_owned();
    let mut calls = String::new();
    for name in names {
        let constant = name.to_uppercase().replace('-', "_");
        // Writing to a String cannot fail.
        let _ = writeln!(source, "/// `{name}.wasm`\npub const {constant}: &str = \"{name}\";");
        let _ = write!(calls, " $with!({constant});");
    }
    let _ = write!(
        source,
        "\n/// Calls a macro with the constant of each guest.\n\
         macro_rules! for_each_fixture {{\n    ($with:ident) => {{{calls} }};\n}}\n"
    );
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_become_underscores_in_constants() {
        let source = source(&["hello".to_owned(), "init-fails".to_owned()]);
        assert!(source.contains("pub const INIT_FAILS: &str = \"init-fails\";"), "{source}");
        assert!(source.contains("($with:ident) => { $with!(HELLO); $with!(INIT_FAILS); };"), "{source}");
    }
}
