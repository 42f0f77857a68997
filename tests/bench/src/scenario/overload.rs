//! `overload`: ten times as many requests as the host can serve (issue: admission).

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::clients::{self, Clients, Outcome};
use crate::failure::Result;
use crate::host;
use crate::lab::{Lab, free_port};
use crate::report::{Bound, Report, Verdict};
use crate::server::Server;
use crate::stats::{median, percentile, ratio};
use crate::table::{Table, count, milliseconds, times};

const ABOUT: &str = "Requests that take 3 ms of a core each, fresh instances. Capacity is what 16 clients are served, \
    each asking again at once. Overload is by 1000 clients, so many more than can be in the host at a time, each asking \
    again at a pace that makes ten times the capacity, once its last answer is there. Clients count each answer by its \
    status, and time it from its request.";

const WORK: Duration = Duration::from_millis(3);

/// Clients that find the capacity.
const CLIENTS: usize = 16;

/// What the host holds of one app at a time by its defaults: `concurrency-max` and `queue-max`.
const HELD: usize = 64 + 256;

/// Clients of the overload: under the default of `connections-max`, since it is admission that is measured.
const CROWD: usize = 1000;

/// One round, times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Round {
    capacity: f64,
    offered: f64,
    served: f64,
    p50: f64,
    p99: f64,
    refused: u64,
    others: u64,
    broken: u64,
}

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("overload", ABOUT);
    let config = config(lab)?;
    let path = format!("/a{}", host::calibrate(lab, &config, "/a")?.path(WORK, 0));
    let mut rounds = Vec::new();
    for _ in 0..lab.rounds() {
        let port = free_port()?;
        let (_server, _) = Server::start(lab, vec![host::configured(lab, &config, port)], (port, "/a/ok"))?;
        rounds.push(round(lab, port, &path)?);
    }
    report.tables.push(table(&rounds));
    report.verdicts = verdicts(&rounds);
    report.figures = json!(rounds);
    Ok(report)
}

fn round(lab: &Lab, port: u16, path: &str) -> Result<Round> {
    let at_peak =
        Clients { port, path, count: CLIENTS, period: Duration::ZERO, time: lab.time(), warm_up: lab.warm_up() };
    let peak = clients::load(&at_peak)?;
    let capacity = rate(peak.served.len(), lab.time());
    let outcome = clients::load(&Clients { count: CROWD, period: pace(capacity), ..at_peak })?;
    let Outcome { served, refused, others, broken } = outcome;
    let answers = served.len() + usize::try_from(refused + others).unwrap_or(usize::MAX);
    Ok(Round {
        capacity,
        offered: rate(answers, lab.time()),
        served: rate(served.len(), lab.time()),
        p50: percentile(&served, 500).unwrap_or(0.0),
        p99: percentile(&served, 990).unwrap_or(0.0),
        refused,
        others,
        broken,
    })
}

/// From one request of a client to its next, if all those that do not wait in the host are to make ten times
/// `capacity`.
fn pace(capacity: f64) -> Duration {
    let free = f64::from(u32::try_from(CROWD - HELD).unwrap_or(u32::MAX));
    Duration::from_secs_f64(free / (10.0 * capacity).max(1.0))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn rate(answers: usize, time: Duration) -> f64 {
    answers as f64 / time.as_secs_f64()
}

fn table(rounds: &[Round]) -> Table {
    let columns =
        ["", "capacity", "offered", "to capacity", "served", "to capacity", "p50", "p99", "503", "others", "broken"];
    let mut table = Table::new("Requests per second, medians; times of those that were served", &columns);
    let all = |pick: fn(&Round) -> f64| rounds.iter().map(pick).collect::<Vec<_>>();
    let middle = |pick: fn(&Round) -> f64| median(&all(pick)).unwrap_or(0.0);
    let sum = |pick: fn(&Round) -> u64| rounds.iter().map(pick).sum::<u64>().to_string();
    let capacity = all(|round| round.capacity);
    table.row([
        "wasgi, fresh".to_owned(),
        count(middle(|round| round.capacity)),
        count(middle(|round| round.offered)),
        times(ratio(&all(|round| round.offered), &capacity)),
        count(middle(|round| round.served)),
        times(ratio(&all(|round| round.served), &capacity)),
        milliseconds(middle(|round| round.p50)),
        milliseconds(middle(|round| round.p99)),
        sum(|round| round.refused),
        sum(|round| round.others),
        sum(|round| round.broken),
    ]);
    table
}

fn verdicts(rounds: &[Round]) -> Vec<Verdict> {
    let all = |pick: fn(&Round) -> f64| rounds.iter().map(pick).collect::<Vec<_>>();
    let capacity = all(|round| round.capacity);
    let shown = |figure: f64| times(Some(figure));
    // A request that is let in last waits for all that the host holds.
    let waits = all(|round| round.p99 / 1e6 * round.capacity / f64::from(u16::try_from(HELD).unwrap_or(u16::MAX)));
    vec![
        Verdict::new(
            ("overload", "offered, to capacity"),
            ratio(&all(|round| round.offered), &capacity),
            Bound::AtLeast(9.0),
            shown,
        ),
        Verdict::new(
            ("overload", "served, to capacity"),
            ratio(&all(|round| round.served), &capacity),
            Bound::AtLeast(0.9),
            shown,
        ),
        Verdict::new(
            ("overload", "p99, to the time in which a full host is served"),
            median(&waits),
            Bound::AtMost(1.5),
            shown,
        ),
    ]
}

fn config(lab: &Lab) -> Result<PathBuf> {
    let component = lab.guest("hostile")?;
    lab.write("overload.toml", &host::config([host::App { name: "a", component: &component, route: "/a" }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_do_not_wait_make_ten_times_the_capacity() {
        // 680 clients, each ten times a second.
        assert_eq!(pace(680.0), Duration::from_millis(100));
        assert!(pace(0.0) < Duration::from_secs(3600));
    }
}
