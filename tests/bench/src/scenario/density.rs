//! `density`: a thousand apps in one process, or ten thousand (target P6).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::failure::{Explain as _, Result};
use crate::host;
use crate::lab::{Lab, free_port};
use crate::report::{Bound, Report, Verdict};
use crate::server::{Server, Started};
use crate::stats::{median, ratio};
use crate::table::{Table, count, mebibytes, milliseconds, times};
use crate::wrk::{Figures, Load};

const ABOUT: &str = "Copies of the `hello` example that differ in one byte, so that each is compiled, cached and \
    loaded by itself. Loading is from a warm cache, to `listening on`. Load by `wrk -t1 -c16`, fresh instances, \
    each request to one app or to a random one, alternately.";

const CONNECTIONS: u32 = 16;

/// The rounds of one load.
#[derive(Default)]
struct Loads {
    /// Random apps, none of which but the first has served before.
    first: Vec<Figures>,
    one: Vec<Figures>,
    all: Vec<Figures>,
}

/// Memory and time that apps beyond the first cost, each.
struct PerApp {
    /// Bytes once all are loaded.
    loaded: f64,
    /// Bytes once all have served.
    served: f64,
    milliseconds: f64,
}

pub(crate) fn thousand(lab: &Lab) -> Result<Report> {
    run(lab, Report::new("density", ABOUT), 1000)
}

/// Takes 10 minutes more, the first time, and some GiB of disk.
pub(crate) fn ten_thousand(lab: &Lab) -> Result<Report> {
    run(lab, Report::new("density-10000", ABOUT), 10_000)
}

fn run(lab: &Lab, mut report: Report, apps: usize) -> Result<Report> {
    let apps = if lab.quick() { apps / 10 } else { apps };
    let (one, all) = (config(lab, 1)?, config(lab, apps)?);
    eprintln!("  compiling what of {apps} apps is not in the cache");
    drop(Started::new(host::configured(lab, &all, 0))?);

    let (mut times_of_one, mut times_of_all, mut rss_of_one, mut rss_of_all) = (vec![], vec![], vec![], vec![]);
    for _ in 0..lab.rounds() {
        for (config, times, rss) in
            [(&one, &mut times_of_one, &mut rss_of_one), (&all, &mut times_of_all, &mut rss_of_all)]
        {
            let started = Started::new(host::configured(lab, config, 0))?;
            times.push(started.listening_after.as_secs_f64() * 1000.0);
            rss.push(bytes(started.running.memory().rss));
        }
    }
    let (loads, rss_served) = load(lab, &all, apps)?;

    let each = |all: &[f64], one: &[f64]| {
        (median(all).unwrap_or(0.0) - median(one).unwrap_or(0.0)) / (bytes(apps as u64) - 1.0)
    };
    let per_app = PerApp {
        loaded: each(&rss_of_all, &rss_of_one),
        served: each(&[rss_served.1], &[rss_served.0]),
        milliseconds: each(&times_of_all, &times_of_one),
    };
    report.tables = vec![cost_table(apps, &per_app), load_table(apps, &loads)];
    report.verdicts = verdicts(apps, &per_app, &loads);
    report.verdicts.extend((apps > 1000).then(|| {
        let what = format!("RSS in all, having served, {apps} apps");
        Verdict::new(("P6", what), Some(rss_served.1), Bound::AtMost(f64::from(1 << 30)), show_mebibytes)
    }));
    report.figures = json!({
        "apps": apps, "load-ms": { "one": times_of_one, "all": times_of_all },
        "rss-loaded": { "one": rss_of_one, "all": rss_of_all }, "rss-served": rss_served,
        "one-app": loads.one, "random-apps": loads.all, "random-apps-first": loads.first,
    });
    Ok(report)
}

/// Loads one app and random apps of a host with all of them. Its memory before others than the first have served and
/// after it comes with the figures.
fn load(lab: &Lab, config: &Path, apps: usize) -> Result<(Loads, (f64, f64))> {
    let port = free_port()?;
    let (server, _) = Server::start(lab, vec![host::configured(lab, config, port)], (port, "/app-0000/"))?;
    let one = Load { apps: Some(1), ..Load::of(server.url("/"), CONNECTIONS) };
    let all = Load { apps: Some(apps), ..one.clone() };
    one.measure(lab, lab.warm_up())?;
    let before = bytes(server.memory().rss);
    let mut loads = Loads { first: vec![all.measure(lab, lab.time())?], ..Loads::default() };
    for _ in 0..lab.rounds() {
        loads.one.push(one.measure(lab, lab.time())?);
        loads.all.push(all.measure(lab, lab.time())?);
    }
    Ok((loads, (before, bytes(server.memory().rss))))
}

fn cost_table(apps: usize, per_app: &PerApp) -> Table {
    let mut table = Table::new(&format!("What each of {apps} apps beyond the first costs"), &["what", "each"]);
    table.row(["time to load it".to_owned(), format!("{:.3} ms", per_app.milliseconds)]);
    table.row(["RSS once loaded".to_owned(), show_mebibytes(per_app.loaded)]);
    table.row(["RSS that serving adds".to_owned(), show_mebibytes(per_app.served)]);
    table
}

fn load_table(apps: usize, loads: &Loads) -> Table {
    let columns = ["requests to", "req/s", "to one app", "p50", "p99", "p99.9", "refused", "broken"];
    let mut table = Table::new(&format!("Load, {apps} apps"), &columns);
    let rows = [
        ("one app".to_owned(), &loads.one),
        (format!("{apps} apps at random"), &loads.all),
        ("the same, the first time".to_owned(), &loads.first),
    ];
    for (name, rounds) in rows {
        let middle = |pick: fn(&Figures) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>()).unwrap_or(0.0);
        table.row([
            name,
            count(middle(Figures::rate)),
            times(ratio(&rates(rounds), &rates(&loads.one))),
            milliseconds(middle(|figures| figures.p50)),
            milliseconds(middle(|figures| figures.p99)),
            milliseconds(middle(|figures| figures.p999)),
            rounds.iter().map(|figures| figures.refused).sum::<u64>().to_string(),
            rounds.iter().map(|figures| figures.broken).sum::<u64>().to_string(),
        ]);
    }
    table
}

fn verdicts(apps: usize, per_app: &PerApp, loads: &Loads) -> Vec<Verdict> {
    let rate = ratio(&rates(&loads.all), &rates(&loads.one));
    let named = |what: &str| ("P6", format!("{what}, {apps} apps"));
    let limit = f64::from(1 << 20) * 0.4;
    vec![
        Verdict::new(named("RSS each, loaded"), Some(per_app.loaded), Bound::AtMost(limit), show_mebibytes),
        Verdict::new(
            named("RSS each, having served"),
            Some(per_app.loaded + per_app.served),
            Bound::AtMost(limit),
            show_mebibytes,
        ),
        Verdict::new(named("load each"), Some(per_app.milliseconds), Bound::AtMost(0.5), |figure| {
            format!("{figure:.3} ms")
        }),
        Verdict::new(named("random apps, to one app"), rate, Bound::AtLeast(0.4), |figure| times(Some(figure))),
    ]
}

// === apps ===

/// A host.toml of that many apps, at `/app-0000` and on.
fn config(lab: &Lab, apps: usize) -> Result<PathBuf> {
    let hello = fs::read(lab.guest("hello")?).explain(|| "cannot read the guest hello".to_owned())?;
    // Kept, since their compiled code is: a thousand take minutes to compile.
    let folder = lab.folder().join("apps");
    fs::create_dir_all(&folder).explain(|| format!("cannot make {}", folder.display()))?;
    let names: Vec<String> = (0..apps).map(|app| format!("app-{app:04}")).collect();
    let mut paths = Vec::with_capacity(apps);
    for name in &names {
        let path = folder.join(format!("{name}.wasm"));
        fs::write(&path, distinct(&hello, name)).explain(|| format!("cannot write {}", path.display()))?;
        paths.push(path);
    }
    let routes: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
    let apps = names.iter().zip(&paths).zip(&routes);
    let text = host::config(apps.map(|((name, component), route)| host::App { name, component, route }));
    lab.write(&format!("host-{}.toml", names.len()), &text)
}

/// The component with a custom section of that name at its end, which changes nothing but its bytes.
fn distinct(component: &[u8], name: &str) -> Vec<u8> {
    // Id 0, then the sizes of the section and of its name, which both fit a byte of LEB128.
    let size = u8::try_from(name.len()).unwrap_or(u8::MAX).min(126);
    let mut distinct = component.to_vec();
    distinct.extend([0, size + 1, size]);
    distinct.extend(&name.as_bytes()[..usize::from(size)]);
    distinct
}

fn rates(rounds: &[Figures]) -> Vec<f64> {
    rounds.iter().map(Figures::rate).collect()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of a process, and shown with two decimals"
)]
fn show_mebibytes(figure: f64) -> String {
    if figure < f64::from(10 << 20) {
        format!("{:.2} MiB", figure / f64::from(1 << 20))
    } else {
        mebibytes(figure as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distinct_component_ends_with_a_custom_section_of_its_name() {
        let component = b"\0asm\x0d\0\x01\0";
        let one = distinct(component, "app-0001");
        assert_eq!(&one[component.len()..], b"\0\x09\x08app-0001");
        assert_ne!(one, distinct(component, "app-0002"));
    }
}
