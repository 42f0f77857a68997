//! Servers of one application side by side: each in turn, round after round.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::failure::{Explain as _, Failure, Result};
use crate::lab::{Lab, free_port};
use crate::peers::{Application, Peer};
use crate::process::Memory;
use crate::report::Report;
use crate::server::Server;
use crate::stats::{median, range, ratio};
use crate::table::{Table, count, mebibytes, milliseconds, times};
use crate::wrk::{Figures, Load};

/// Who is compared, how they are loaded, and what was measured so far.
pub(crate) struct Contest<'a> {
    app: &'a Application,
    peers: Vec<&'a Peer>,
    /// Clients of each, which keep their connections if they may.
    connections: u32,
    /// How long each is measured in a round.
    time: Duration,
    samples: Samples,
}

/// The rounds of each peer.
pub(crate) type Samples = BTreeMap<&'static str, Vec<Sample>>;

/// One round of one peer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    figures: Figures,
    memory: Memory,
}

impl<'a> Contest<'a> {
    /// Of those peers that are installed; the report tells of the others, if no earlier contest did.
    pub(crate) fn new(lab: &Lab, report: &mut Report, app: &'a Application, peers: &'a [Peer]) -> Self {
        let mut there: Vec<&Peer> = Vec::new();
        for peer in peers {
            let others = if peer.tools.is_empty() { &[] } else { app.tools };
            match peer.tools.iter().chain(others).find_map(|tool| lab.tool(tool).err()) {
                Some(missing) => {
                    let note = format!("{} is left out: {missing}", peer.name);
                    if !report.notes.contains(&note) {
                        report.note(note);
                    }
                }
                None => there.push(peer),
            }
        }
        Self { app, peers: there, connections: 16, time: lab.time(), samples: Samples::new() }
    }

    /// With so many clients, for so long in each round; else with 16, for the lab's time.
    pub(crate) fn loaded(self, connections: u32, time: Duration) -> Self {
        Self { connections, time, ..self }
    }

    /// Measures each peer once.
    pub(crate) fn round(&mut self, lab: &Lab, number: usize) -> Result<()> {
        for peer in &self.peers {
            let sample = self.measure(lab, peer).explain(|| format!("{}, {}", self.app.guest, peer.name))?;
            eprintln!("  round {number}, {}, {}: {} req/s", self.app.guest, peer.name, count(sample.figures.rate()));
            self.samples.entry(peer.name).or_default().push(sample);
        }
        Ok(())
    }

    fn measure(&self, lab: &Lab, peer: &Peer) -> Result<Sample> {
        let port = free_port()?;
        let (server, body) = Server::start(lab, (peer.commands)(lab, self.app, port)?, (port, "/"))?;
        if body != self.app.body {
            return Err(Failure::new(format!("it answers `{body}`, not `{}`", self.app.body)));
        }
        let load = Load::of(server.url("/"), self.connections);
        let figures = if peer.warms_up {
            load.measure(lab, lab.warm_up())?;
            load.measure(lab, self.time)?
        } else {
            load.measure(lab, lab.warm_up() + self.time)?
        };
        Ok(Sample { figures, memory: server.memory() })
    }

    /// A row for each peer, with the ratio of its rate to each of `bases`, under their heads.
    pub(crate) fn table(&self, title: &str, bases: &[(&str, &str)]) -> Table {
        let mut columns = vec!["server", "req/s", "least and most"];
        columns.extend(bases.iter().map(|(head, _)| head));
        columns.extend(["p50", "p99", "p99.9", "memory", "refused", "broken"]);
        let mut table = Table::new(title, &columns);
        for peer in &self.peers {
            let rounds = self.samples.get(peer.name).map_or(&[][..], Vec::as_slice);
            let middle = |pick| self.middle(peer.name, pick).unwrap_or(0.0);
            let (least, most) = range(&self.rates(peer.name)).unwrap_or((0.0, 0.0));
            let mut row = vec![
                peer.name.to_owned(),
                count(middle(Figures::rate)),
                format!("{} to {}", count(least), count(most)),
            ];
            row.extend(bases.iter().map(|(_, base)| times(self.between(peer.name, base))));
            row.extend([
                milliseconds(middle(|figures| figures.p50)),
                milliseconds(middle(|figures| figures.p99)),
                milliseconds(middle(|figures| figures.p999)),
                mebibytes(rounds.iter().map(|sample| sample.memory.pss).max().unwrap_or(0)),
                rounds.iter().map(|sample| sample.figures.refused).sum::<u64>().to_string(),
                rounds.iter().map(|sample| sample.figures.broken).sum::<u64>().to_string(),
            ]);
            table.row(row);
        }
        table
    }

    /// Requests per second of each round of a peer.
    pub(crate) fn rates(&self, name: &str) -> Vec<f64> {
        self.picked(name, Figures::rate)
    }

    /// The median ratio of the rates of two peers.
    pub(crate) fn between(&self, name: &str, to: &str) -> Option<f64> {
        ratio(&self.rates(name), &self.rates(to))
    }

    /// The median of a figure of a peer.
    pub(crate) fn middle(&self, name: &str, pick: fn(&Figures) -> f64) -> Option<f64> {
        median(&self.picked(name, pick))
    }

    /// Whether a peer takes part.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peers.iter().any(|peer| peer.name == name)
    }

    /// All that was measured.
    pub(crate) fn samples(&self) -> &Samples {
        &self.samples
    }

    fn picked(&self, name: &str, pick: fn(&Figures) -> f64) -> Vec<f64> {
        self.samples.get(name).into_iter().flatten().map(|sample| pick(&sample.figures)).collect()
    }
}
