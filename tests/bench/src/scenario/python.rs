//! `python`: WSGI applications over HTTP, the same file in every server (targets P3 and P4).

use std::time::Duration;

use serde_json::json;

use crate::contest::Contest;
use crate::failure::Result;
use crate::lab::Lab;
use crate::peers::wsgi::{CGI, FLASK, GUNICORN, RAW, SERVERS, UWSGI, WARM};
use crate::peers::{FRESH, Peer, REUSED};
use crate::report::{Bound, Report, Verdict};
use crate::table::{milliseconds, times};

const ABOUT: &str = "An application without a framework and the `flask-hello` example, the same file in every server, \
    by `wrk -t1 -c16`, keep-alive, each server in turn, round after round; then Flask by one client, which tells how \
    long a request takes that waits for no other. Gunicorn and uWSGI close each connection by default, and are held \
    against targets so; each has a second row in which it does not. Warm instances, of which there are up to 16, are \
    off by default. CGI starts a process for each request.";

/// There are many servers, and what a round cannot settle the others do.
const TIME: Duration = Duration::from_secs(2);

/// Of whom the time of a single request is told.
const SINGLE: [Peer; 4] = [FRESH, WARM, REUSED, CGI];

/// The bases of ratios, under their heads.
const BASES: [(&str, &str); 3] = [("to Gunicorn", GUNICORN.name), ("to uWSGI", UWSGI.name), TO_CGI];
const TO_CGI: (&str, &str) = ("to CGI", CGI.name);

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("python", ABOUT);
    let time = lab.time().min(TIME);
    let mut raw = Contest::new(lab, &mut report, &RAW, &SERVERS).loaded(16, time);
    let mut flask = Contest::new(lab, &mut report, &FLASK, &SERVERS).loaded(16, time);
    let mut single = Contest::new(lab, &mut report, &FLASK, &SINGLE).loaded(1, time.min(Duration::from_secs(1)));
    for round in 1..=lab.rounds() {
        for contest in [&mut raw, &mut flask, &mut single] {
            contest.round(lab, round)?;
        }
    }
    report.tables.push(raw.table("Raw WSGI: requests per second, medians", &BASES));
    report.tables.push(flask.table("Flask: requests per second, medians", &BASES));
    report.tables.push(single.table("Flask, one client", &[TO_CGI]));
    report.verdicts = verdicts(&raw, &flask, &single);
    report.figures =
        json!({ "raw-wsgi": raw.samples(), "flask": flask.samples(), "flask-one-client": single.samples() });
    Ok(report)
}

fn verdicts(raw: &Contest<'_>, flask: &Contest<'_>, single: &Contest<'_>) -> Vec<Verdict> {
    let wanted = [
        ("P3", "raw WSGI, reused", raw, (REUSED.name, BASES[0]), 2.5),
        ("P3", "raw WSGI, reused", raw, (REUSED.name, BASES[1]), 1.1),
        ("P3", "Flask, reused", flask, (REUSED.name, BASES[0]), 1.3),
        ("P3 in the end", "Flask, reused", flask, (REUSED.name, BASES[1]), 1.0),
        ("P4", "Flask, fresh", flask, (FRESH.name, TO_CGI), 30.0),
    ];
    // What was not installed is in the notes, and says nothing about a target.
    let there = wanted.into_iter().filter(|(_, _, contest, (_, (_, base)), _)| contest.has(base));
    let mut verdicts: Vec<Verdict> = there
        .map(|(target, what, contest, (name, (head, base)), least)| {
            let show = |ratio| times(Some(ratio));
            let figure = contest.between(name, base);
            Verdict::new((target, format!("{what}, {head}")), figure, Bound::AtLeast(least), show)
        })
        .collect();
    for (name, what) in [(FRESH.name, "Flask, fresh"), (WARM.name, "Flask, fresh, warm instances")] {
        let p50 = single.middle(name, |figures| figures.p50);
        let what = format!("{what}, p50 of one client");
        verdicts.push(Verdict::new(("P4 in the end", what), p50, Bound::AtMost(1000.0), milliseconds));
    }
    verdicts
}
