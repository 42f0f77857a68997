//! `tests/bench/RESULTS.md`, from the reports of the run and of those before it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::failure::{Explain as _, Failure, Result};
use crate::lab::Lab;
use crate::report::Report;
use crate::scenario::SCENARIOS;

/// From the root of the clone, in which this program is started.
const RESULTS: &str = "tests/bench/RESULTS.md";

/// Writes the file from the newest report of each scenario.
///
/// # Errors
/// If a report is of a quick run: that compares nothing.
pub(crate) fn write(lab: &Lab) -> Result<()> {
    let mut reports = Vec::new();
    for scenario in &SCENARIOS {
        reports.extend(read(&lab.folder().join(format!("{}.json", scenario.name)))?);
    }
    if let Some(quick) = reports.iter().find(|report| report.run.as_ref().is_none_or(|run| run.quick)) {
        let name = &quick.scenario;
        return Err(Failure::new(format!("{name} was measured with --quick: measure it again without, then write")));
    }
    fs::write(RESULTS, text(&reports)).explain(|| format!("cannot write {RESULTS}"))?;
    println!("wrote {RESULTS}");
    Ok(())
}

/// None if the scenario was never measured.
fn read(path: &Path) -> Result<Option<Report>> {
    if !path.exists() {
        return Ok(None);
    }
    let json = fs::read_to_string(path).explain(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&json).map(Some).explain(|| format!("{} is of another version; remove it", path.display()))
}

fn text(reports: &[Report]) -> String {
    let mut text = HEAD.to_owned();
    let mut last = None;
    for report in reports {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {}\n\n", report.scenario);
        if let Some(run) = report.run.as_ref().filter(|&run| last != Some(run)) {
            let _ = write!(text, "`{}` on {}:\n\n{}\n", run.command, run.date, run.machine.text());
            last = Some(run);
        }
        text.push_str(&report.text());
    }
    text
}

const HEAD: &str = "\
# Results

Written by `cargo xtask bench --write-results`; CONTRIBUTING.md tells how to measure. Client and servers share the
machine, so only ratios count, and only those within one run: each is the median of the ratios of interleaved rounds.
wasgi runs with all its defaults on, its access log included; its peers run without logs. Memory is that of all
processes of a server, pages that they share divided among them.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Options;
    use crate::machine::Machine;
    use crate::report::Run;

    #[test]
    fn the_machine_is_told_once_for_all_reports_of_a_run() {
        let lab = Lab::new(Options::default()).unwrap();
        let machine = Machine::find(&lab);
        let run = |date: &str| {
            Some(Run {
                command: "cargo xtask bench".to_owned(),
                date: date.to_owned(),
                quick: false,
                machine: machine.clone(),
            })
        };
        let report = |scenario: &str, date| Report { run: run(date), ..Report::new(scenario, "About.") };
        let text =
            text(&[report("hello", "2026-01-01"), report("start", "2026-01-01"), report("density", "2026-01-02")]);
        assert_eq!(text.matches("`cargo xtask bench` on ").count(), 2, "{text}");
        assert!(text.contains("## density\n\n`cargo xtask bench` on 2026-01-02:\n\n- "), "{text}");
    }
}
