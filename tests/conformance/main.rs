//! What PEP 3333 and RFC 3875 ask of a server, rule by rule, against the real binary.
//!
//! `table.rs`, and `cgi.rs` for CGI programs, have one row for each rule, with the tests that prove it or the reason why it does not apply. The tests
//! send real requests to the guest in `guest/`; they lie by topic in the files beside this one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod body;
mod calling;
mod cgi;
mod environ;
mod errors;
mod exc_info;
mod head;
mod hosts;
mod http;
mod input;
mod javascript;
mod python;
mod rfc3875;
mod special;
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
    let columns: [Column; 3] = [
        ("rust", "conformance", |row| &row.rust),
        ("python", "conformance-python", |row| &row.python),
        ("javascript", "conformance-js", |row| &row.javascript),
    ];
    let hosts = columns.map(|(_, guest, _)| Arc::new(Hosts::of(guest)));
    let trials = columns.iter().zip(&hosts).flat_map(|(column, hosts)| trials(&rows, column, hosts));
    // Programs have rules of their own.
    let (of_cgi, cgi): (Vec<Row>, Column) = (cgi::rows(), ("cgi", "cgi", |row| &row.rust));
    let programs = Arc::new(Hosts::of(cgi.1));
    let trials = trials.chain(self::trials(&of_cgi, &cgi, &programs));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    // Before the process ends, which does not drop what is shared.
    drop((hosts, programs));
    let missing = report(&rows, &columns) + report_column(&of_cgi, &cgi);
    if conclusion.has_failed() || missing > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A language, its guest, and its column.
type Column = (&'static str, &'static str, fn(&Row) -> &Coverage);

/// Each test of a language once, under the names of all rules that it proves.
fn trials(rows: &[Row], (language, _, coverage): &Column, hosts: &Arc<Hosts>) -> Vec<Trial> {
    let mut proofs: BTreeMap<&str, (&Test, Vec<&str>)> = BTreeMap::new();
    for row in rows {
        let Coverage::Tests(tests) = coverage(row) else { continue };
        for test in tests {
            proofs.entry(test.0).or_insert((test, Vec::new())).1.push(row.rule);
        }
    }
    let trial = |((name, test), rules): (&Test, Vec<&str>)| {
        let (test, hosts) = (*test, Arc::clone(hosts));
        Trial::test(format!("{language}: {name} ({})", rules.join(", ")), move || {
            test(&hosts);
            Ok(())
        })
    };
    proofs.into_values().map(trial).collect()
}

/// Prints how many rules each language's guest covers; the number of those that nobody speaks of.
fn report(rows: &[Row], columns: &[Column]) -> usize {
    let without_row: Vec<_> =
        (1..=RULES).map(|number| format!("rule {number}")).filter(|rule| !is_there_once(rows, rule)).collect();
    for rule in &without_row {
        println!("MISSING: {rule} has no row, or more than one");
    }
    let missing: usize = columns.iter().map(|column| report_column(rows, column)).sum();
    missing + without_row.len()
}

/// The same for one language.
fn report_column(rows: &[Row], (language, _, coverage): &Column) -> usize {
    for row in rows {
        match coverage(row) {
            Coverage::NotApplicable(why) => println!("{language}: not applicable: {} ({}): {why}", row.rule, row.says),
            Coverage::Missing => println!("{language}: MISSING: {} ({})", row.rule, row.says),
            Coverage::Tests(_) => {}
        }
    }
    let count = |wanted: fn(&Coverage) -> bool| rows.iter().filter(|row| wanted(coverage(row))).count();
    let missing = count(|coverage| matches!(coverage, Coverage::Missing));
    println!(
        "conformance, {language}: {} rules: {} covered, {} not applicable, {missing} missing",
        rows.len(),
        count(|coverage| matches!(coverage, Coverage::Tests(_))),
        count(|coverage| matches!(coverage, Coverage::NotApplicable(_))),
    );
    missing
}

fn is_there_once(rows: &[Row], rule: &str) -> bool {
    rows.iter().filter(|row| row.rule == rule).count() == 1
}
