//! A server that is up: wasgi or a peer.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Explain as _, Failure, Result};
use crate::http;
use crate::lab::Lab;
use crate::process::{Memory, Running};

/// Until a server answers its first request; compiling a thousand apps takes some minutes.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(2);

/// Running processes, the last of which listens.
#[derive(Debug)]
pub(crate) struct Server {
    processes: Vec<Running>,
    pub(crate) port: u16,
}

impl Server {
    /// Starts `commands` and waits until `GET path` is answered; the body of the answer is the second value.
    pub(crate) fn start(lab: &Lab, commands: Vec<Command>, (port, path): (u16, &str)) -> Result<(Self, String)> {
        let mut server = Self { processes: Vec::new(), port };
        let log = lab.scratch().join("server.log");
        for mut command in commands {
            // The access log too: it is on, and written to a file as it would be in earnest.
            let file = File::create(&log).explain(|| format!("cannot write {}", log.display()))?;
            let errors = file.try_clone().explain(|| format!("cannot write {}", log.display()))?;
            command.stdin(Stdio::null()).stdout(file).stderr(errors);
            server.processes.push(Running::start(&mut command)?);
        }
        let body = server.first_answer(path, &log)?;
        Ok((server, body))
    }

    /// Where it answers.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn memory(&self) -> Memory {
        self.processes.iter().map(Running::memory).fold(Memory::default(), |sum, memory| sum + memory)
    }

    pub(crate) fn cpu_time(&self) -> Duration {
        self.processes.iter().map(Running::cpu_time).sum()
    }

    fn first_answer(&mut self, path: &str, log: &PathBuf) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let error = match http::get(self.port, path) {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let ended = self.processes.iter_mut().any(Running::has_ended);
            if ended || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                let why = if ended { "it ended" } else { "it does not answer" };
                return Err(Failure::new(format!("{why} ({error}): {}", said.trim_end())));
            }
            thread::sleep(LOOK);
        }
    }
}

/// A host started with `--listen` on port 0, and when it said where it listens.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) running: Running,
    pub(crate) port: u16,
    /// From before the start of the process to its first `listening on`.
    pub(crate) listening_after: Duration,
}

impl Started {
    /// Starts a host and waits for that line; its standard output is read on, and dropped, until it ends.
    pub(crate) fn new(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let start = Instant::now();
        let mut running = Running::start(&mut command)?;
        let output = running.child().stdout.take().ok_or_else(|| Failure::new("it has no standard output"))?;
        let mut lines = BufReader::new(output);
        let mut line = String::new();
        lines.read_line(&mut line).explain(|| "cannot read what the host says".to_owned())?;
        let listening_after = start.elapsed();
        let port = line.trim_end().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port =
            port.ok_or_else(|| Failure::new(format!("the host does not start: it said `{}`", line.trim_end())))?;
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(Self { running, port, listening_after })
    }
}
