//! wrk, the load generator, and what it says.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::{Explain as _, Failure, Result};
use crate::lab::Lab;
use crate::process::Running;

/// What wrk measured, times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    requests: f64,
    time: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Responses with a status of 400 or more.
    pub(crate) refused: u64,
    /// Connections that failed, and responses that did not come in time.
    pub(crate) broken: u64,
}

impl Figures {
    /// Responses in a second.
    pub(crate) fn rate(&self) -> f64 {
        if self.time > 0.0 { self.requests / self.time * 1e6 } else { 0.0 }
    }
}

/// Whom wrk asks for what.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) connections: u32,
    /// Asks for random ones of that many apps, at `/app-0000/` and on.
    pub(crate) apps: Option<usize>,
}

impl Load {
    pub(crate) fn of(url: String, connections: u32) -> Self {
        Self { url, connections, apps: None }
    }

    /// Loads for as long as `time`, and measures.
    pub(crate) fn measure(&self, lab: &Lab, time: Duration) -> Result<Figures> {
        let output = self.command(lab, time)?.output().explain(|| "cannot start wrk".to_owned())?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(Failure::new(format!("wrk failed: {} {text}", String::from_utf8_lossy(&output.stderr))));
        }
        figures(&text)
    }

    /// Loads until it is dropped.
    pub(crate) fn go_on(&self, lab: &Lab) -> Result<Running> {
        let mut command = self.command(lab, Duration::from_secs(24 * 60 * 60))?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Running::start(&mut command)
    }

    /// One thread, since server and client share the cores.
    fn command(&self, lab: &Lab, time: Duration) -> Result<Command> {
        let mut command = Command::new(lab.tool("wrk").map_err(|missing| Failure::new(missing.to_string()))?);
        command.args(["-t1", "--timeout", "60s"]).arg(format!("-c{}", self.connections));
        command.arg(format!("-d{}s", time.as_secs().max(1)));
        command.arg("-s").arg(lab.script(self.apps.is_some())).arg(&self.url);
        if let Some(apps) = self.apps {
            command.arg("--").arg(apps.to_string());
        }
        Ok(command)
    }
}

/// The line of `wrk/figures.lua` in what wrk printed.
fn figures(output: &str) -> Result<Figures> {
    let json = output.lines().find_map(|line| line.strip_prefix("figures "));
    let json = json.ok_or_else(|| Failure::new(format!("wrk told no figures: {output}")))?;
    serde_json::from_str(json).explain(|| format!("wrk told strange figures: {json}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 5s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Latency Distribution
     50%  152.00us
Requests/sec:  98000.12
figures {\"requests\": 490000, \"time\": 5000000, \"p50\": 152, \"p99\": 410, \"p999\": 2210, \"refused\": 3, \"broken\": 0}
";

    #[test]
    fn figures_are_found_in_what_wrk_prints() {
        let figures = figures(OUTPUT).unwrap();
        assert_eq!(figures.rate(), 98_000.0);
        assert_eq!((figures.p50, figures.p99, figures.p999), (152.0, 410.0, 2210.0));
        assert_eq!((figures.refused, figures.broken), (3, 0));
    }

    #[test]
    fn output_without_figures_is_an_error_that_shows_it() {
        let error = figures("unable to connect to 127.0.0.1:1").unwrap_err().to_string();
        assert!(error.contains("unable to connect"), "{error}");
        figures("figures {\"requests\": \"many\"}").unwrap_err();
    }
}
