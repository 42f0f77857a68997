//! Benchmarks: wasgi beside its peers over HTTP, and its parts in process.
//!
//! `cargo xtask bench` builds everything and starts `wasgi-bench`, which is [`run`]. A scenario (`scenario/`) starts
//! servers (`server`, `peers`, `host`), loads them (`wrk`, `clients`), some in turns (`contest`), and makes a `report` of
//! tables and verdicts, from which `results` writes RESULTS.md. `stats` and `table` are pure. `benches/in_process.rs` is for Criterion, over
//! the same [`kinds`] of guests.

use std::process::ExitCode;

mod clients;
mod contest;
mod failure;
mod host;
mod http;
pub mod kinds;
mod lab;
mod machine;
mod peers;
mod process;
mod report;
mod results;
mod scenario;
mod server;
mod stats;
mod table;
mod wrk;

use failure::{Failure, Result};
use lab::{Lab, Options};
use machine::Machine;
use report::Run;
use scenario::{SCENARIOS, Scenario};

/// Runs what the command line asks for: `[--quick] [--write-results] [--tools DIR] [--host FILE]
/// [--in-process FILE] [SCENARIO...]`. Peers that are missing are named and left out.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    match options(arguments).and_then(measure) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> Result<()> {
    let command = command(&options);
    let (chosen, write) = (options.scenarios.clone(), options.write_results);
    let lab = Lab::new(options)?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let run = Run { command, date, quick: lab.quick(), machine: Machine::find(&lab) };
    let wanted = |scenario: &&Scenario| match chosen.as_slice() {
        [] => !scenario.only_named,
        names => names.iter().any(|name| name == scenario.name),
    };
    for scenario in SCENARIOS.iter().filter(wanted) {
        eprintln!("{}: measuring", scenario.name);
        let mut report = (scenario.run)(&lab)?;
        report.run = Some(run.clone());
        println!("\n## {}\n\n{}", scenario.name, report.text());
        report.save(&lab)?;
    }
    if write { results::write(&lab) } else { Ok(()) }
}

/// As somebody would type it.
fn command(options: &Options) -> String {
    let mut command = "cargo xtask bench".to_owned();
    for (on, flag) in [(options.quick, " --quick"), (options.write_results, " --write-results")] {
        command.push_str(if on { flag } else { "" });
    }
    for scenario in &options.scenarios {
        command.push(' ');
        command.push_str(scenario);
    }
    command
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments.next().map(Into::into).ok_or_else(|| Failure::new(format!("{argument} needs a path behind it")))
        };
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--write-results" => options.write_results = true,
            "--tools" => options.tools = Some(value()?),
            "--host" => options.host = Some(value()?),
            "--in-process" => options.in_process = Some(value()?),
            name if SCENARIOS.iter().any(|scenario| scenario.name == name) => options.scenarios.push(argument),
            other => {
                let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
                return Err(Failure::new(format!(
                    "no option or scenario `{other}`; scenarios are {}",
                    names.join(", ")
                )));
            }
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options> {
        options(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_is_told_as_it_would_be_typed() {
        let options = parsed("--tools /t --quick hello start").unwrap();
        assert_eq!(options.tools.as_deref(), Some("/t".as_ref()));
        assert_eq!(command(&options), "cargo xtask bench --quick hello start");
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_the_names_of_those_there_are() {
        let error = parsed("hallo").unwrap_err().to_string();
        assert!(error.contains("hallo") && error.contains("hello") && error.contains("fairness"), "{error}");
        parsed("--host").unwrap_err();
    }
}
