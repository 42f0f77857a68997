//! `cargo xtask`: the project's chores, each one command on a bare machine and again at once on a set up one.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

mod apt;
mod bench;
mod c;
mod cache;
mod demo;
mod fixtures;
mod fuzz;
mod go;
mod guests;
mod http_js;
mod javascript;
mod paths;
mod peers;
mod phase;
mod python;
mod test;
mod toolchain;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  guests                          build every guest into target/guests/NAME.wasm
  demo [--listen ADDR] [--debug]  build and serve the examples, and say where to look
  test [--full] [-- ARGS]         set up and run every test; ARGS go to the test programs,
                                  --full runs the slow ones too, and the fuzzer
  fuzz [TARGET] [--seconds N]     run a fuzz target, or each of them, under libFuzzer for N seconds (60)
  bench [--install-peers] [--quick] [--write-results] [--host FILE] [SCENARIO...]
                                  measure beside the peers that are installed: in-process, hello, python,
                                  languages, start, density, fairness, overload, or those named (density-10000 only then); --quick
                                  only tries them, --write-results writes tests/bench/RESULTS.md, --host takes
                                  another wasgi

WASGI_GUEST_TOOLCHAIN=rustup|debian picks how Rust guests are built; without it, rustup's target if it is there, else Debian's packages.";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    if asks_for_help(arguments.as_slice()) {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    match command.as_str() {
        "guests" => {
            no_more(rest)?;
            test::guests().map(|()| ExitCode::SUCCESS)
        }
        "demo" => demo::run(&demo_options(rest)?),
        "test" => test::run(&test_options(rest)?).map(|()| ExitCode::SUCCESS),
        "fuzz" => fuzz::run(&fuzz_options(rest)?).map(|()| ExitCode::SUCCESS),
        "bench" => bench::run(&bench_options(rest)?),
        other => bail!("no command `{other}`\n\n{USAGE}"),
    }
}

/// `help`, or a flag for it anywhere but behind `--`, where it is for the test programs.
fn asks_for_help(arguments: &[String]) -> bool {
    let ours = arguments.iter().take_while(|argument| *argument != "--");
    arguments.first().is_some_and(|command| command == "help")
        || ours.into_iter().any(|argument| ["--help", "-h"].contains(&argument.as_str()))
}

fn demo_options(arguments: &[String]) -> Result<demo::Options> {
    let mut options = demo::Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => {
                options.listen = arguments.next().context("--listen needs an address, such as 127.0.0.1:8080")?.clone()
            }
            "--debug" => options.debug = true,
            other => bail!("demo: no option `{other}`\n\n{USAGE}"),
        }
    }
    Ok(options)
}

fn test_options(arguments: &[String]) -> Result<test::Options> {
    let mut options = test::Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => options.full = true,
            "--" => options.arguments = arguments.by_ref().cloned().collect(),
            other => bail!("test: no option `{other}`; what is for the test programs goes behind `--`\n\n{USAGE}"),
        }
    }
    Ok(options)
}

fn fuzz_options(arguments: &[String]) -> Result<fuzz::Options> {
    let mut options = fuzz::Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => {
                let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                options.seconds = seconds.context("--seconds needs a whole number")?;
            }
            option if option.starts_with('-') => bail!("fuzz: no option `{option}`\n\n{USAGE}"),
            target => options.target = Some(target.to_owned()),
        }
    }
    Ok(options)
}

fn bench_options(arguments: &[String]) -> Result<bench::Options> {
    let mut options = bench::Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--install-peers" => options.install_peers = true,
            "--host" => {
                let file =
                    arguments.next().context("--host needs a file, such as another clone's target/release/wasgi")?;
                // It is started from the root of the clone.
                options.host = Some(std::path::absolute(file)?);
            }
            "--quick" | "--write-results" => options.rest.push(argument.clone()),
            flag if flag.starts_with('-') => bail!("bench: no option `{flag}`\n\n{USAGE}"),
            name if bench::SCENARIOS.contains(&name) => options.rest.push(argument.clone()),
            other => bail!("bench: no scenario `{other}`; there are {}", bench::SCENARIOS.join(", ")),
        }
    }
    Ok(options)
}

fn no_more(arguments: &[String]) -> Result<()> {
    match arguments.first() {
        Some(argument) => bail!("no argument is expected, but there is `{argument}`\n\n{USAGE}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn help_is_given_wherever_it_is_asked_for() {
        for line in ["help", "--help", "-h", "test --help", "bench -h hello", "fuzz head --help"] {
            assert!(asks_for_help(&words(line)), "{line}");
        }
        for line in ["test", "test -- --help", "bench hello"] {
            assert!(!asks_for_help(&words(line)), "{line}");
        }
    }

    #[test]
    fn a_scenario_that_is_none_is_refused_before_anything_is_built() {
        let error = bench_options(&words("--quick hallo")).unwrap_err().to_string();
        assert!(error.contains("hallo") && error.contains("hello") && error.contains("density-10000"), "{error}");
        assert_eq!(bench_options(&words("--quick hello start")).unwrap().rest, words("--quick hello start"));
    }
}
