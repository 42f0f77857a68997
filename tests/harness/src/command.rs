//! A command of the binary, run to its end.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::lines::Lines;
use crate::process::wait_for_exit;
use crate::{PATIENCE, cache_dir, place};

/// A command line that ends by itself, such as `wasgi check` or a `wasgi serve` that is refused.
#[derive(Debug, Default)]
pub struct Wasgi {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    no_cache: bool,
    data_max: Option<u64>,
    folder: Option<PathBuf>,
    patience: Option<Duration>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// All that it printed on stdout.
    pub stdout: String,
    /// All that it printed on stderr.
    pub stderr: String,
}

impl Wasgi {
    /// The command with these arguments. `--cache` is added for those that compile.
    pub fn run<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Outcome {
        Self::new(args).finish()
    }

    /// As [`Wasgi::run`], to be built on.
    pub fn new<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        Self { args: args.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the command's environment, which is empty but for PATH and HOME.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What the command finds on its stdin.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Where its stdout goes; [`Outcome::stdout`] is then empty.
    #[must_use]
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Where its stderr goes; [`Outcome::stderr`] is then empty.
    #[must_use]
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// Bounds the memory of the command itself, in bytes; one that takes more dies. Processes that it starts may
    /// set a limit of their own.
    #[must_use]
    pub fn data_max(mut self, bytes: u64) -> Self {
        self.data_max = Some(bytes);
        // The allocator's first gigabyte would count before it is used.
        self.env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn within(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Waits longer than [`PATIENCE`]: for what starts compilers.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Leaves out `--cache`.
    #[must_use]
    pub fn without_cache_flag(mut self) -> Self {
        self.no_cache = true;
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// If it has not ended after [`PATIENCE`]: it should have refused to start, or be done.
    pub fn finish(self) -> Outcome {
        let mut command = command();
        // Of the log, only errors: a refusal is one line beside it.
        command.args(&self.args).env("WASGI_LOG", "error").envs(self.env);
        let compiles =
            self.args.first().is_some_and(|first| first == "serve" || first == "check" || first == "request");
        if compiles && !self.no_cache {
            command.arg("--cache").arg(cache_dir());
        }
        command.stdin(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(stdout) = self.stdout {
            command.stdout(stdout);
        }
        if let Some(stderr) = self.stderr {
            command.stderr(stderr);
        }
        let mut child = command.spawn().expect("the binary starts");
        // Else it would hold the other ends open.
        drop(command);
        if self.data_max.is_some() {
            let own = getrlimit(Resource::Data);
            let limit = Rlimit { current: self.data_max, maximum: own.maximum };
            prlimit(Some(Pid::from_child(&child)), Resource::Data, limit).expect("a child may be limited");
        }
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().map(|stdout| Lines::follow("output", stdout));
        let stderr = child.stderr.take().map(|stderr| Lines::follow("log", stderr));
        let all = |lines: Option<Lines>| lines.map(|lines| text(&lines.all())).unwrap_or_default();
        // A command that does not read its input may be gone already.
        let _ = stdin.write_all(&self.input);
        drop(stdin);
        let Some(status) = wait_for_exit(&mut child, self.patience.unwrap_or(PATIENCE)) else {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
            panic!("wasgi {:?} does not end; its log:\n{}", self.args, all(stderr));
        };
        Outcome { code: status.code(), stdout: all(stdout), stderr: all(stderr) }
    }
}

impl Outcome {
    /// The one line of stderr, which tells why the command was refused.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[track_caller]
    pub fn message(&self) -> &str {
        let mut lines = self.stderr.lines();
        let (first, second) = (lines.next(), lines.next());
        assert!(second.is_none(), "one line is enough for a refusal: {self:?}");
        first.unwrap_or_else(|| panic!("no message: {self:?}"))
    }
}

/// The binary with pipes, and with nothing of the tester's environment that could change its ways.
pub(crate) fn command() -> Command {
    clean(Command::new(place::binary()))
}

/// A program and its arguments.
pub(crate) type Through = (&'static str, &'static [&'static str]);

/// The binary, started by another command: a program and its arguments.
pub(crate) fn command_through((program, args): Through) -> Command {
    let mut command = Command::new(program);
    command.args(args).arg(place::binary());
    clean(command)
}

fn clean(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env_clear();
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
