//! `in-process`: the parts of a request by themselves, by Criterion (`benches/in_process.rs`).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::failure::{Explain as _, Failure, Result};
use crate::kinds::KINDS;
use crate::lab::Lab;
use crate::report::Report;
use crate::table::Table;

const ABOUT: &str = "One thread, no connection: a request is given to the host as an `http::Request`, and its answer \
    read to the end. Fresh: instantiate, call, tear down. A CGI program runs once for each request, so none is reused. Medians by Criterion.";

/// The groups of `benches/in_process.rs`.
const GROUPS: [&str; 3] = ["instantiate", "fresh", REUSED];
const REUSED: &str = "reused";

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let program =
        lab.in_process().ok_or_else(|| Failure::new("in-process needs --in-process FILE, which xtask gives"))?;
    // Where Criterion writes.
    let folder = lab.folder().join("criterion");
    let mut command = Command::new(program);
    command.args(["--bench", "--noplot", "--quiet"]).env("CRITERION_HOME", &folder);
    if lab.quick() {
        command.args(["--warm-up-time", "0.5", "--measurement-time", "1"]);
    }
    let status = command.status().explain(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        return Err(Failure::new(format!("the in-process benchmarks failed: {status}")));
    }
    report(&folder)
}

fn report(folder: &Path) -> Result<Report> {
    let mut report = Report::new("in-process", ABOUT);
    let mut table = Table::new("Microseconds", &["guest", GROUPS[0], "fresh request", "reused request"]);
    let mut figures = serde_json::Map::new();
    for kind in &KINDS {
        let mut cells = vec![kind.name.to_owned()];
        for group in GROUPS.iter().filter(|group| kind.reuses || **group != REUSED) {
            let path = folder.join(group).join(kind.guest).join("new/estimates.json");
            let json = fs::read_to_string(&path).explain(|| format!("cannot read {}", path.display()))?;
            let microseconds = microseconds(&json).explain(|| path.display().to_string())?;
            cells.push(format!("{microseconds:.2}"));
            figures.insert(format!("{group}/{}", kind.guest), json!({ "median-us": microseconds }));
        }
        table.row(cells);
    }
    report.tables.push(table);
    report.figures = figures.into();
    Ok(report)
}

/// The median in one of Criterion's files, which are in nanoseconds.
fn microseconds(json: &str) -> Result<f64> {
    let value: Value = serde_json::from_str(json).explain(|| "no JSON".to_owned())?;
    let median = value["median"]["point_estimate"].as_f64();
    median.map(|nanoseconds| nanoseconds / 1000.0).ok_or_else(|| Failure::new("no median in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_read_in_microseconds() {
        assert_eq!(microseconds(r#"{"median": {"point_estimate": 10700.0}, "mean": {}}"#).unwrap(), 10.7);
        microseconds(r#"{"mean": {"point_estimate": 1.0}}"#).unwrap_err();
    }
}
