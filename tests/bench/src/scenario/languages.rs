//! `languages`: JavaScript over HTTP (target P4), and CGI programs in C and Go beside the same in native code.

use std::time::Duration;

use serde_json::json;

use crate::contest::Contest;
use crate::failure::Result;
use crate::lab::Lab;
use crate::peers::wsgi::{RAW, WARM};
use crate::peers::{Application, FRESH, NATIVE, Peer, REUSED};
use crate::report::{Bound, Report, Verdict};
use crate::table::milliseconds;

const ABOUT: &str = "The `js-hello` example, and a CGI program in C and the `go-cgi` example beside the same source built \
    for this machine, by `wrk -t1 -c16`, keep-alive, each server in turn, round after round; then by one client, which \
    tells how long a request takes that waits for no other. A program is run once for each request, in a fresh instance \
    or in a process that fcgiwrap starts.";

const TIME: Duration = Duration::from_secs(2);

const JAVASCRIPT: Application = Application { guest: "js-hello", ..RAW };
const C: Application = Application { guest: "c-cgi", tools: &["c-cgi"], ..RAW };
const GO: Application = Application { guest: "go-cgi", body: GO_PAGE, tools: &["go-cgi"], ..RAW };

const GO_PAGE: &str = "<!doctype html>\n<title>Go</title>\n<form method=\"post\" action=\"greet\"><input name=\"name\" \
    autofocus><button>Greet</button></form>\n\n";

/// What is compared, under its title.
const CONTESTS: [(&str, &Application, &[Peer]); 3] = [
    ("JavaScript", &JAVASCRIPT, &[FRESH, WARM, REUSED]),
    ("C, as CGI", &C, &[FRESH, WARM, NATIVE]),
    ("Go, as CGI", &GO, &[FRESH, WARM, NATIVE]),
];

/// How many clients, and how a title tells it.
const LOADS: [(u32, &str); 2] = [(16, "requests per second, medians"), (1, "one client")];

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("languages", ABOUT);
    let time = lab.time().min(TIME);
    let mut contests = Vec::new();
    for (title, app, peers) in CONTESTS {
        for (clients, load) in LOADS {
            let contest = Contest::new(lab, &mut report, app, peers).loaded(clients, time);
            contests.push((format!("{title}: {load}"), contest));
        }
    }
    for round in 1..=lab.rounds() {
        for (_, contest) in &mut contests {
            contest.round(lab, round)?;
        }
    }
    let mut figures = serde_json::Map::new();
    for (title, contest) in &contests {
        let bases: &[(&str, &str)] = if contest.has(NATIVE.name) { &[("to native", NATIVE.name)] } else { &[] };
        report.tables.push(contest.table(title, bases));
        figures.insert(title.clone(), json!(contest.samples()));
    }
    // JavaScript by one client.
    let p50 = contests.get(1).and_then(|(_, contest)| contest.middle(FRESH.name, |figures| figures.p50));
    let verdict = Verdict::new(("P4", "JavaScript, fresh, p50 of one client"), p50, Bound::AtMost(300.0), milliseconds);
    report.verdicts.push(verdict);
    report.figures = figures.into();
    Ok(report)
}
