//! One line per phase, with how long it took.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Does `work` and prints one line with its name, what came of it, and the time it took.
///
/// # Errors
/// Those of `work`.
pub(crate) fn phase<T>(name: &str, work: impl FnOnce() -> Result<T>, outcome: impl FnOnce(&T) -> String) -> Result<T> {
    let start = Instant::now();
    let result = work();
    let time = show(start.elapsed());
    match &result {
        Ok(value) => println!("{name}: {} ({time})", outcome(value)),
        Err(_) => println!("{name}: failed ({time})"),
    }
    result
}

/// Runs a command as a phase of its own, its output to the terminal.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub(crate) fn command_phase(name: &str, command: &mut Command) -> Result<()> {
    phase(name, || succeed(command), |()| "done".to_owned())
}

/// Runs a command and wants it to succeed.
///
/// # Errors
/// If it cannot be started or does not succeed; both name the program.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} failed: {status}");
    }
    Ok(())
}

fn show(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_shown_in_minutes() {
        assert_eq!(show(Duration::from_millis(1_540)), "1.5 s");
        assert_eq!(show(Duration::from_secs(125)), "2 min 5 s");
    }
}
