//! wasgi, as it is started here: every default on.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Explain as _, Result};
use crate::http;
use crate::lab::{Lab, free_port};
use crate::server::Server;

/// Requests of one instance where it is reused, here and with `wasmtime serve`.
pub(crate) const REUSE: u32 = 1000;

/// One guest at `/`.
pub(crate) fn one(lab: &Lab, guest: &str, port: u16) -> Result<Command> {
    let mut command = serve(lab, port);
    command.arg(lab.guest(guest)?);
    Ok(command)
}

/// The apps of a host.toml.
pub(crate) fn configured(lab: &Lab, config: &Path, port: u16) -> Command {
    let mut command = serve(lab, port);
    command.arg("--config").arg(config);
    command
}

/// An entry of host.toml.
#[derive(Debug)]
pub(crate) struct App<'a> {
    pub(crate) name: &'a str,
    pub(crate) component: &'a Path,
    pub(crate) route: &'a str,
}

/// The text of a host.toml. Each app is a tenant of its own.
pub(crate) fn config<'a>(apps: impl IntoIterator<Item = App<'a>>) -> String {
    let mut text = String::new();
    for App { name, component, route } in apps {
        // Writing to a String cannot fail. `{:?}` of a path is a string that TOML reads too.
        let _ = write!(text, "[[app]]\nname = \"{name}\"\ncomponent = {component:?}\nroutes = [\"{route}\"]\n\n");
    }
    text
}

/// The guest `hostile`'s `/work`, measured, so that work can be asked for by its time on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Thousands of turns in a second.
    kilo_per_second: f64,
}

impl Work {
    /// The path of a request that takes that much of a core, then sleeps so many milliseconds.
    pub(crate) fn path(&self, time: Duration, sleep: u32) -> String {
        let sleep = if sleep > 0 { format!("&sleep=1&ms={sleep}") } else { String::new() };
        format!("/work?kilo={:.0}{sleep}", self.kilo_per_second * time.as_secs_f64())
    }
}

/// Measures `/work` of an app, at `prefix` of a host with that configuration.
pub(crate) fn calibrate(lab: &Lab, config: &Path, prefix: &str) -> Result<Work> {
    const KILO: u32 = 100_000;
    let port = free_port()?;
    let (_server, _) = Server::start(lab, vec![configured(lab, config, port)], (port, &format!("{prefix}/ok")))?;
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        http::get(port, &format!("{prefix}/work?kilo={KILO}")).explain(|| "the host".to_owned())?;
        least = least.min(start.elapsed());
    }
    Ok(Work { kilo_per_second: f64::from(KILO) / least.as_secs_f64() })
}

fn serve(lab: &Lab, port: u16) -> Command {
    let mut command = Command::new(lab.host());
    command.arg("serve").arg("--listen").arg(format!("127.0.0.1:{port}")).arg("--cache").arg(lab.cache());
    command
}
