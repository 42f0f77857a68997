//! `hello`: the smallest application, over HTTP, beside every peer (targets P1 and P2).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::failure::{Explain as _, Failure, Result};
use crate::lab::{Lab, free_port};
use crate::peers::{BARE_HYPER, PEERS, Peer, SERVE_FRESH, SERVE_REUSED, WASGI_FRESH, WASGI_REUSED};
use crate::process::Memory;
use crate::report::{Bound, Report, Verdict};
use crate::server::Server;
use crate::stats::{median, range, ratio};
use crate::table::{Table, count, mebibytes, milliseconds, times};
use crate::wrk::{Figures, Load};

const ABOUT: &str = "The `hello` example by `wrk -t1 -c16`, keep-alive, each server in turn, round after round. \
    Gunicorn and uWSGI close each connection by default, so each has a second row in which it does not.";

const BODY: &str = "Hello, world!\n";
const CONNECTIONS: u32 = 16;

/// One round of one peer.
#[derive(Clone, Copy, Debug, Serialize)]
struct Sample {
    figures: Figures,
    memory: Memory,
}

/// The rounds of each peer.
type Samples = BTreeMap<&'static str, Vec<Sample>>;

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("hello", ABOUT);
    let mut peers: Vec<&Peer> = Vec::new();
    for peer in &PEERS {
        match peer.tools.iter().find_map(|tool| lab.tool(tool).err()) {
            Some(missing) => report.note(format!("{} is left out: {missing}", peer.name)),
            None => peers.push(peer),
        }
    }
    let mut samples = Samples::new();
    for round in 1..=lab.rounds() {
        for peer in &peers {
            let sample = measure(lab, peer).explain(|| peer.name.to_owned())?;
            eprintln!("  round {round}, {}: {} req/s", peer.name, count(sample.figures.rate()));
            samples.entry(peer.name).or_default().push(sample);
        }
    }
    report.tables.push(table(&peers, &samples));
    report.verdicts = verdicts(&samples);
    report.figures = json!(samples);
    Ok(report)
}

fn measure(lab: &Lab, peer: &Peer) -> Result<Sample> {
    let port = free_port()?;
    let (server, body) = Server::start(lab, (peer.commands)(lab, port)?, (port, "/"))?;
    if body != BODY {
        return Err(Failure::new(format!("it answers `{body}`, not `{BODY}`")));
    }
    let load = Load::of(server.url("/"), CONNECTIONS);
    load.measure(lab, lab.warm_up())?;
    let figures = load.measure(lab, lab.time())?;
    Ok(Sample { figures, memory: server.memory() })
}

fn table(peers: &[&Peer], samples: &Samples) -> Table {
    let columns =
        ["server", "req/s", "least and most", "to bare hyper", "p50", "p99", "p99.9", "memory", "refused", "broken"];
    let mut table = Table::new("Requests per second, medians", &columns);
    for peer in peers {
        let rounds = samples.get(peer.name).map_or(&[][..], Vec::as_slice);
        let middle = |pick: fn(&Figures) -> f64| {
            median(&rounds.iter().map(|sample| pick(&sample.figures)).collect::<Vec<_>>()).unwrap_or(0.0)
        };
        let (least, most) = range(&rates(samples, peer.name)).unwrap_or((0.0, 0.0));
        table.row([
            peer.name.to_owned(),
            count(middle(Figures::rate)),
            format!("{} to {}", count(least), count(most)),
            times(between(samples, peer.name, BARE_HYPER)),
            milliseconds(middle(|figures| figures.p50)),
            milliseconds(middle(|figures| figures.p99)),
            milliseconds(middle(|figures| figures.p999)),
            mebibytes(rounds.iter().map(|sample| sample.memory.pss).max().unwrap_or(0)),
            rounds.iter().map(|sample| sample.figures.refused).sum::<u64>().to_string(),
            rounds.iter().map(|sample| sample.figures.broken).sum::<u64>().to_string(),
        ]);
    }
    table
}

fn verdicts(samples: &Samples) -> Vec<Verdict> {
    let held = |target, what: &str, figure, least| {
        Verdict::new((target, what), figure, Bound::AtLeast(least), |ratio| times(Some(ratio)))
    };
    let mut verdicts = vec![
        held("P1", "fresh, to bare hyper", between(samples, WASGI_FRESH, BARE_HYPER), 0.60),
        held("P1 in the end", "fresh, to bare hyper", between(samples, WASGI_FRESH, BARE_HYPER), 0.75),
        held("P2", "reused, to bare hyper", between(samples, WASGI_REUSED, BARE_HYPER), 0.90),
    ];
    // What was not installed is in the notes, and says nothing about a target.
    if let Some(peer) = faster(samples, SERVE_FRESH) {
        verdicts.push(held("P1", &format!("fresh, to {peer}"), between(samples, WASGI_FRESH, peer), 4.0));
    }
    if let Some(peer) = faster(samples, SERVE_REUSED) {
        verdicts.push(held("P2", &format!("reused, to {peer}"), between(samples, WASGI_REUSED, peer), 1.5));
    }
    verdicts
}

/// The one with the better median.
fn faster(samples: &Samples, names: [&'static str; 2]) -> Option<&'static str> {
    let [one, other] = names.map(|name| median(&rates(samples, name)));
    let [first, second] = names;
    if one? >= other? { Some(first) } else { Some(second) }
}

/// The median ratio of the rates of two peers.
fn between(samples: &Samples, name: &str, to: &str) -> Option<f64> {
    ratio(&rates(samples, name), &rates(samples, to))
}

fn rates(samples: &Samples, name: &str) -> Vec<f64> {
    samples.get(name).into_iter().flatten().map(|sample| sample.figures.rate()).collect()
}
