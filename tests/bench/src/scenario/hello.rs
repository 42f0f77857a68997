//! `hello`: the smallest application, over HTTP, beside every peer (targets P1 and P2).

use serde_json::json;

use crate::contest::Contest;
use crate::failure::Result;
use crate::lab::Lab;
use crate::peers::wsgi::RAW;
use crate::peers::{Application, BARE_HYPER, PEERS, SERVE_FRESH, SERVE_REUSED, WASGI_FRESH, WASGI_REUSED};
use crate::report::{Bound, Report, Verdict};
use crate::stats::median;
use crate::table::times;

const ABOUT: &str = "The `hello` example by `wrk -t1 -c16`, keep-alive, each server in turn, round after round. \
    Gunicorn and uWSGI close each connection by default, so each has a second row in which it does not.";

/// In Rust for wasgi, in Python for servers of WSGI.
const HELLO: Application = Application { guest: "hello", ..RAW };

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("hello", ABOUT);
    let mut contest = Contest::new(lab, &mut report, &HELLO, &PEERS);
    for round in 1..=lab.rounds() {
        contest.round(lab, round)?;
    }
    report.tables.push(contest.table("Requests per second, medians", &[("to bare hyper", BARE_HYPER)]));
    report.verdicts = verdicts(&contest);
    report.figures = json!(contest.samples());
    Ok(report)
}

fn verdicts(contest: &Contest<'_>) -> Vec<Verdict> {
    let held = |target, what: &str, (name, to), least| {
        let show = |ratio| times(Some(ratio));
        Verdict::new((target, what), contest.between(name, to), Bound::AtLeast(least), show)
    };
    let mut verdicts = vec![
        held("P1", "fresh, to bare hyper", (WASGI_FRESH, BARE_HYPER), 0.60),
        held("P1 in the end", "fresh, to bare hyper", (WASGI_FRESH, BARE_HYPER), 0.75),
        held("P2", "reused, to bare hyper", (WASGI_REUSED, BARE_HYPER), 0.90),
    ];
    // What was not installed is in the notes, and says nothing about a target.
    if let Some(peer) = faster(contest, SERVE_FRESH) {
        verdicts.push(held("P1", &format!("fresh, to {peer}"), (WASGI_FRESH, peer), 4.0));
    }
    if let Some(peer) = faster(contest, SERVE_REUSED) {
        verdicts.push(held("P2", &format!("reused, to {peer}"), (WASGI_REUSED, peer), 1.5));
    }
    verdicts
}

/// The one with the better median.
fn faster(contest: &Contest<'_>, names: [&'static str; 2]) -> Option<&'static str> {
    let [one, other] = names.map(|name| median(&contest.rates(name)));
    let [first, second] = names;
    if one? >= other? { Some(first) } else { Some(second) }
}
