//! What PEP 3333 and RFC 3875 ask of a server, rule by rule, against the real binary.
//!
//! `table.rs` has one row for each rule, with the tests that prove it or the reason why it does not apply. The tests
//! send real requests to the guest in `guest/`; they lie by topic in the files beside this one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod body;
mod calling;
mod environ;
mod errors;
mod exc_info;
mod head;
mod hosts;
mod http;
mod input;
mod rfc3875;
mod table;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::hosts::Hosts;
use crate::table::{Coverage, Row, Test};

/// How many rules of PEP 3333 there are.
const RULES: u32 = 75;

fn main() -> ExitCode {
    let rows = table::rows();
    let hosts = Arc::new(Hosts::default());
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials(&rows, &hosts));
    // Before the process ends, which does not drop what is shared.
    drop(hosts);
    let missing = report(&rows);
    if conclusion.has_failed() || missing > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Each test once, under the names of all rules that it proves.
fn trials(rows: &[Row], hosts: &Arc<Hosts>) -> Vec<Trial> {
    let mut proofs: BTreeMap<&str, (&Test, Vec<&str>)> = BTreeMap::new();
    for row in rows {
        let Coverage::Tests(tests) = &row.rust else { continue };
        for test in tests {
            proofs.entry(test.0).or_insert((test, Vec::new())).1.push(row.rule);
        }
    }
    let trial = |((name, test), rules): (&Test, Vec<&str>)| {
        let (test, hosts) = (*test, Arc::clone(hosts));
        Trial::test(format!("{name} ({})", rules.join(", ")), move || {
            test(&hosts);
            Ok(())
        })
    };
    proofs.into_values().map(trial).collect()
}

/// Prints how many rules each language's guest covers; the number of those that nobody speaks of.
fn report(rows: &[Row]) -> usize {
    let missing: Vec<_> = rows.iter().filter(|row| matches!(row.rust, Coverage::Missing)).collect();
    for row in rows {
        if let Coverage::NotApplicable(why) = row.rust {
            println!("not applicable: {} ({}): {why}", row.rule, row.says);
        }
    }
    for row in &missing {
        println!("MISSING: {} ({})", row.rule, row.says);
    }
    let without_row: Vec<_> =
        (1..=RULES).map(|number| format!("rule {number}")).filter(|rule| !is_there_once(rows, rule)).collect();
    for rule in &without_row {
        println!("MISSING: {rule} has no row, or more than one");
    }
    for (column, coverage) in [("rust", (|row| &row.rust) as fn(&Row) -> &Coverage), ("python", |row| &row.python)] {
        let count = |wanted: fn(&Coverage) -> bool| rows.iter().filter(|row| wanted(coverage(row))).count();
        println!(
            "conformance, {column}: {} rules: {} covered, {} not applicable, {} later, {} missing",
            rows.len(),
            count(|coverage| matches!(coverage, Coverage::Tests(_))),
            count(|coverage| matches!(coverage, Coverage::NotApplicable(_))),
            count(|coverage| matches!(coverage, Coverage::Later)),
            count(|coverage| matches!(coverage, Coverage::Missing)),
        );
    }
    missing.len() + without_row.len()
}

fn is_there_once(rows: &[Row], rule: &str) -> bool {
    rows.iter().filter(|row| row.rule == rule).count() == 1
}
