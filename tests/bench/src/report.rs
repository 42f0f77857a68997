//! What a scenario found: tables to read, verdicts on the targets, and all figures as JSON.

use std::fmt::Write as _;
use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Explain as _, Result};
use crate::lab::Lab;
use crate::machine::Machine;
use crate::table::Table;

/// One scenario of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) scenario: String,
    /// What was done, in a few sentences.
    pub(crate) about: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) verdicts: Vec<Verdict>,
    /// Such as peers that were left out.
    pub(crate) notes: Vec<String>,
    /// Every round, as measured.
    pub(crate) figures: Value,
    pub(crate) run: Option<Run>,
}

/// What all reports of one run have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) command: String,
    pub(crate) date: String,
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
}

/// A target, and whether it was reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Its number, such as `P1`.
    target: String,
    what: String,
    wanted: String,
    reached: String,
    holds: bool,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    pub(crate) fn new(scenario: &str, about: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            about: about.to_owned(),
            tables: Vec::new(),
            verdicts: Vec::new(),
            notes: Vec::new(),
            figures: Value::Null,
            run: None,
        }
    }

    /// Notes something, and says it at once.
    pub(crate) fn note(&mut self, text: String) {
        eprintln!("{}: {text}", self.scenario);
        self.notes.push(text);
    }

    /// The report without its title, in Markdown.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.about);
        for table in &self.tables {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n**{}**\n\n{}", table.title, table.text());
        }
        if !self.verdicts.is_empty() {
            let _ = write!(text, "\n**Targets**\n\n{}", verdicts(&self.verdicts).text());
        }
        for note in &self.notes {
            let _ = write!(text, "\nNote: {note}\n");
        }
        text
    }

    /// `target/bench/SCENARIO.json`.
    pub(crate) fn save(&self, lab: &Lab) -> Result<()> {
        let path = lab.folder().join(format!("{}.json", self.scenario));
        let json = serde_json::to_string_pretty(self).explain(|| format!("cannot write {}", path.display()))?;
        fs::write(&path, json).explain(|| format!("cannot write {}", path.display()))
    }
}

impl Verdict {
    /// Holds a figure, which `show` writes with its unit, to a bound. Without a figure it does not hold.
    pub(crate) fn new(
        (target, what): (&str, impl Into<String>),
        figure: Option<f64>,
        bound: Bound,
        show: impl Fn(f64) -> String,
    ) -> Self {
        let (wanted, holds) = match bound {
            Bound::AtLeast(least) => (format!("≥ {}", show(least)), figure.is_some_and(|figure| figure >= least)),
            Bound::AtMost(most) => (format!("≤ {}", show(most)), figure.is_some_and(|figure| figure <= most)),
        };
        let reached = figure.map_or_else(|| "not measured".to_owned(), show);
        Self { target: target.to_owned(), what: what.into(), wanted, reached, holds }
    }
}

fn verdicts(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new("Targets", &["target", "wanted", "reached", "holds"]);
    for Verdict { target, what, wanted, reached, holds } in verdicts {
        let holds = if *holds { "yes" } else { "NO" };
        table.row([format!("{target}: {what}"), wanted.clone(), reached.clone(), holds.to_owned()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(figure: f64) -> String {
        format!("{figure} ms")
    }

    #[test]
    fn a_bound_holds_at_its_edge_and_not_past_it() {
        let holds = |figure, bound| Verdict::new(("P0", "x"), figure, bound, show).holds;
        assert!(holds(Some(20.0), Bound::AtMost(20.0)) && holds(Some(20.0), Bound::AtLeast(20.0)));
        assert!(!holds(Some(20.1), Bound::AtMost(20.0)) && !holds(Some(19.9), Bound::AtLeast(20.0)));
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let verdict = Verdict::new(("P0", "x"), None, Bound::AtMost(20.0), show);
        assert!(!verdict.holds);
        assert_eq!((verdict.wanted.as_str(), verdict.reached.as_str()), ("≤ 20 ms", "not measured"));
    }

    #[test]
    fn a_report_shows_tables_targets_and_notes_and_survives_json() {
        let mut report = Report::new("hello", "About.");
        report.tables.push(Table::new("All", &["peer"]));
        report.verdicts.push(Verdict::new(("P0", "x"), Some(1.0), Bound::AtMost(2.0), show));
        report.note("nginx is not installed".to_owned());
        let report: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        let text = report.text();
        for part in ["About.", "**All**", "| P0: x ", "yes", "Note: nginx"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
