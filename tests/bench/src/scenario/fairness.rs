//! `fairness`: one tenant beside another that takes all it can get (target P7).

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::failure::{Explain as _, Result};
use crate::host::{self, Work};
use crate::lab::{Lab, free_port};
use crate::report::{Bound, Report, Verdict};
use crate::server::Server;
use crate::stats::{median, ratio};
use crate::table::{Table, count, milliseconds, times};
use crate::wrk::{Figures, Load};

const ABOUT: &str = "Tenant A has 64 connections, tenant B serves the `hello` example, fresh instances, to \
    `wrk -t1 -c4`. In each round a new host is loaded by B alone, then by B beside A. Workers are tokio's \
    (TOKIO_WORKER_THREADS).";

/// How many of A's requests run at a time: its `concurrency-max`.
const CONNECTIONS_OF_A: u32 = 64;
const CONNECTIONS_OF_B: u32 = 4;

/// What A does.
struct Neighbour {
    name: &'static str,
    path: fn(&Work) -> String,
}

const NEIGHBOURS: [Neighbour; 3] = [
    Neighbour { name: "64 busy loops", path: |_| "/spin".to_owned() },
    Neighbour { name: "64 x (burn 3 ms, sleep 10 ms)", path: |work| work.path(Duration::from_millis(3), 10) },
    Neighbour { name: "64 connections of 0.9 ms", path: |work| work.path(Duration::from_micros(900), 0) },
];

/// One round.
#[derive(Clone, Copy, Debug, Serialize)]
struct Round {
    alone: Figures,
    beside: Figures,
    /// Cores that the host used beside A: that A was there.
    cores: f64,
}

pub(crate) fn run(lab: &Lab) -> Result<Report> {
    let mut report = Report::new("fairness", ABOUT);
    let config = config(lab)?;
    let work = host::calibrate(lab, &config, "/a")?;
    let columns = [
        "workers, tenant A",
        "B alone",
        "B beside",
        "ratio",
        "p50",
        "p50 beside",
        "p99",
        "p99 beside",
        "cores",
        "broken",
    ];
    let mut table = Table::new("Tenant B, requests per second, medians", &columns);
    let mut figures = Vec::new();
    for workers in [2, 1] {
        for neighbour in &NEIGHBOURS {
            let name = format!("{workers}, {}", neighbour.name);
            let path = format!("/a{}", (neighbour.path)(&work));
            let rounds: Vec<Round> =
                (0..lab.rounds()).map(|_| round(lab, &config, workers, &path)).collect::<Result<_>>()?;
            let (cells, verdicts) = told(&name, &rounds);
            eprintln!("  {}", cells.join(", "));
            table.row(cells);
            report.verdicts.extend(verdicts);
            figures.push(json!({ "workers": workers, "neighbour": neighbour.name, "rounds": rounds }));
        }
    }
    report.tables.push(table);
    report.figures = figures.into();
    Ok(report)
}

fn round(lab: &Lab, config: &Path, workers: usize, path: &str) -> Result<Round> {
    let port = free_port()?;
    let mut command: Command = host::configured(lab, config, port);
    command.env("TOKIO_WORKER_THREADS", workers.to_string());
    let (server, _) = Server::start(lab, vec![command], (port, "/b/"))?;
    let b = Load::of(server.url("/b/"), CONNECTIONS_OF_B);
    b.measure(lab, lab.warm_up())?;
    let alone = b.measure(lab, lab.time())?;
    let _a = Load::of(server.url(path), CONNECTIONS_OF_A).go_on(lab)?;
    // Until all of A's requests are there and known for what they are.
    thread::sleep(lab.warm_up());
    let (start, used) = (Instant::now(), server.cpu_time());
    let beside = b.measure(lab, lab.time())?;
    let cores = (server.cpu_time() - used).as_secs_f64() / start.elapsed().as_secs_f64();
    Ok(Round { alone, beside, cores })
}

/// The row of the table, and the verdicts.
fn told(name: &str, rounds: &[Round]) -> (Vec<String>, [Verdict; 3]) {
    let all = |pick: fn(&Round) -> f64| rounds.iter().map(pick).collect::<Vec<_>>();
    let middle = |pick: fn(&Round) -> f64| median(&all(pick)).unwrap_or(0.0);
    let kept = ratio(&all(|round| round.beside.rate()), &all(|round| round.alone.rate()));
    let later = median(&all(|round| (round.beside.p99 - round.alone.p99).max(0.0)));
    let broken: u64 = rounds.iter().map(|round| round.beside.broken + round.beside.refused).sum();
    let cells = vec![
        name.to_owned(),
        count(middle(|round| round.alone.rate())),
        count(middle(|round| round.beside.rate())),
        times(kept),
        milliseconds(middle(|round| round.alone.p50)),
        milliseconds(middle(|round| round.beside.p50)),
        milliseconds(middle(|round| round.alone.p99)),
        milliseconds(middle(|round| round.beside.p99)),
        format!("{:.1}", middle(|round| round.cores)),
        broken.to_string(),
    ];
    let rate = |target, least| {
        Verdict::new((target, format!("{name}: B's rate, to alone")), kept, Bound::AtLeast(least), |figure| {
            times(Some(figure))
        })
    };
    let p99 =
        Verdict::new(("P7", format!("{name}: B's p99, over alone")), later, Bound::AtMost(10_000.0), milliseconds);
    (cells, [rate("P7", 0.7), rate("P7 in the end", 0.9), p99])
}

fn config(lab: &Lab) -> Result<std::path::PathBuf> {
    let (a, b) = (lab.guest("hostile")?, lab.guest("hello")?);
    let text = host::config([
        host::App { name: "a", component: &a, route: "/a" },
        host::App { name: "b", component: &b, route: "/b" },
    ]);
    lab.write("fairness.toml", &text).explain(|| "fairness".to_owned())
}
