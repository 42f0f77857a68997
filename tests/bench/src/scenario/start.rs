//! `start`: from the start of the host to its first answer, with a warm compile cache (target P5).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::failure::{Explain as _, Failure, Result};
use crate::host;
use crate::http;
use crate::kinds::{KINDS, Kind};
use crate::lab::Lab;
use crate::report::{Bound, Report, Verdict};
use crate::server::Started;
use crate::stats::{median, percentile};
use crate::table::Table;

const ABOUT: &str = "Milliseconds from before the host's process is made to the whole answer to its first request, \
    its component in the compile cache.";

/// Times of one start, in milliseconds.
struct Start {
    listening: f64,
    answered: f64,
}

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("start", ABOUT);
    let mut table = Table::new("Milliseconds", &["guest", "listening, median", "first answer, median", "p90", "most"]);
    let mut figures = serde_json::Map::new();
    for kind in &KINDS {
        // Compiles.
        start(lab, kind)?;
        let starts = if lab.quick() { 5 } else { 30 };
        let starts: Vec<Start> = (0..starts).map(|_| start(lab, kind)).collect::<Result<_>>()?;
        let listening: Vec<f64> = starts.iter().map(|start| start.listening).collect();
        let answered: Vec<f64> = starts.iter().map(|start| start.answered).collect();
        let cell = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.1}"));
        table.row([
            kind.name.to_owned(),
            cell(median(&listening)),
            cell(median(&answered)),
            cell(percentile(&answered, 900)),
            cell(percentile(&answered, 1000)),
        ]);
        if let Some(most) = kind.start_max_ms {
            let what = format!("first answer, {}", kind.name);
            let show = |figure| format!("{figure:.1} ms");
            report.verdicts.push(Verdict::new(("P5", what), median(&answered), Bound::AtMost(most), show));
        }
        figures.insert(kind.guest.to_owned(), json!({ "listening-ms": listening, "answered-ms": answered }));
    }
    report.tables.push(table);
    report.figures = figures.into();
    Ok(report)
}

fn start(lab: &Lab, kind: &Kind) -> Result<Start> {
    let command = host::one(lab, kind.guest, 0)?;
    let start = Instant::now();
    let started = Started::new(command)?;
    let body = http::get(started.port, "/").explain(|| format!("the host, serving {}", kind.guest))?;
    let answered = start.elapsed();
    if !kind.answers(body.as_bytes()) {
        return Err(Failure::new(format!("{} answers `{body}`, not `{}`", kind.guest, kind.begins)));
    }
    Ok(Start { listening: milliseconds(started.listening_after), answered: milliseconds(answered) })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
