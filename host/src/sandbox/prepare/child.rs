//! The compile child: this same binary, called back under rlimits with the component on its stdin.
//!
//! Down goes one line of JSON, the order, then the component's bytes to the end. Up come lines of
//! JSON: what the guest prints in `initialize`, then one outcome.

use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::{DirGrant, Grants, path_bytes};
use crate::limits::{AppLimits, HostLimits, Size, Span};
use crate::sandbox::fault::Fault;
use crate::sandbox::output::{Channel, GuestLog};
use crate::sandbox::prepare::inspect::Refusal;
use crate::sandbox::prepare::{Report, work};
use crate::sandbox::store::Terms;
use crate::sandbox::wasi::{Files, OpenError};

/// The hidden subcommand that makes a `wasgi` the child of another.
pub(crate) const SUBCOMMAND: &str = "prepare-component";

/// Longest line the parent takes from its child, whose log lines are guest text.
const LINE_MAX: u64 = 1 << 20;

/// Longest order: a configuration's grants and limits.
const ORDER_MAX: u64 = 64 << 20;

/// Address space beyond `compile-memory-max`: memories are reserved whole (4 GiB each) and filled
/// only as far as the guest's own limit lets them.
const RESERVATIONS: u64 = 64 << 30;

/// How far the child stands back behind the serving process.
const NICENESS: i32 = 10;

/// What the child is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    limits: AppLimits,
    grants: Grants,
    /// Where its bundle is, what the guest calls that, and what is mounted by it.
    mounts: Vec<DirGrant>,
    #[serde(with = "path_bytes")]
    output: PathBuf,
    cpu_max: Span,
    wall_max: Span,
    memory_max: Size,
}

/// An order and the file that it fills, which goes away with it unless it is taken.
#[derive(Debug)]
pub(super) struct Job {
    order: Order,
    output: tempfile::TempPath,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Event {
    Line(Channel, String),
    Dropped(u64),
    Done(Report),
    Refused(Refusal),
}

/// Why there is no artifact.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(Refusal),
    Child(String),
}

impl Job {
    pub(super) fn new(terms: &Terms, limits: &HostLimits, output: tempfile::TempPath) -> Self {
        let order = Order {
            limits: terms.limits.clone(),
            grants: terms.grants.clone(),
            mounts: [terms.mounts.paths(), terms.mounts.mirrored(&terms.grants.dirs)].concat(),
            output: output.to_path_buf(),
            cpu_max: limits.compile_cpu_max,
            wall_max: limits.compile_wall_max,
            memory_max: limits.compile_memory_max,
        };
        Self { order, output }
    }

    pub(super) fn order(&self) -> &Order {
        &self.order
    }

    pub(super) fn into_output(self) -> tempfile::TempPath {
        self.output
    }
}

impl Order {
    /// # Errors
    /// When a directory is not there any more.
    pub(super) fn terms(&self) -> Result<Arc<Terms>, Refusal> {
        let (limits, grants, mounts) = (self.limits.clone(), self.grants.clone(), Arc::default());
        let files = Files::open(self.mounts.clone(), grants.dirs.clone()).map_err(|OpenError { dir, error }| {
            Refusal::Host(format!("cannot open {}: {error}", crate::text::printable(&dir.to_string_lossy(), 1024)))
        })?;
        Ok(Arc::new(Terms { limits, grants, mounts, files }))
    }

    pub(super) fn output(&self) -> &Path {
        &self.output
    }
}

// === The parent's side ===

/// Has a child of `program` do `job`.
pub(super) async fn run(
    program: &Path,
    job: &Job,
    component: Vec<u8>,
    log: Arc<dyn GuestLog>,
) -> Result<Report, Failure> {
    let broken = |what: &str, error: &dyn std::fmt::Display| Failure::Child(format!("{what}: {error}"));
    let mut child = Command::new(program)
        .arg(SUBCOMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_clear()
        // The allocator's first gigabyte would count against the child's limit before it is used.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| broken("cannot start the compile child", &error))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Failure::Child("the compile child has no pipes".into()));
    };
    let order = serde_json::to_vec(&job.order).map_err(|error| broken("cannot write the order", &error))?;
    let talk = async {
        // Both at once: the child may answer before it has read all.
        let (_, outcome, heard) = tokio::join!(send(stdin, order, component), listen(stdout, &*log), overhear(stderr));
        (outcome, child.wait().await, heard)
    };
    let wall_max = Duration::from(job.order.wall_max);
    match tokio::time::timeout(wall_max, talk).await {
        Ok((Some(Ok(report)), ..)) => Ok(report),
        Ok((Some(Err(refusal)), ..)) => Err(Failure::Refused(refusal)),
        Ok((None, end, heard)) => Err(Failure::Child(why_it_died(&end, &heard, &job.order))),
        Err(_elapsed) => Err(Failure::Child(format!(
            "the compile child was still busy after compile-wall-max ({}); raise it if the component is sound",
            job.order.wall_max
        ))),
    }
}

async fn send(mut stdin: ChildStdin, mut order: Vec<u8>, component: Vec<u8>) {
    order.push(b'\n');
    // A child that is gone says why by its exit.
    if stdin.write_all(&order).await.is_ok() {
        let _ = stdin.write_all(&component).await;
    }
}

async fn listen(stdout: ChildStdout, log: &dyn GuestLog) -> Option<Result<Report, Refusal>> {
    let mut lines = BufReader::new(stdout);
    let mut outcome = None;
    loop {
        let mut line = Vec::new();
        match (&mut lines).take(LINE_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return outcome,
            Ok(_) => {}
        }
        match serde_json::from_slice(&line) {
            Ok(Event::Line(channel, text)) => log.line(channel, &text),
            Ok(Event::Dropped(bytes)) => log.dropped(bytes),
            Ok(Event::Done(report)) => outcome = Some(Ok(report)),
            Ok(Event::Refused(refusal)) => outcome = Some(Err(refusal)),
            Err(error) => {
                tracing::error!(%error, "the compile child said what this host does not understand");
                return None;
            }
        }
    }
}

/// What the child's own runtime says when it dies: for whoever debugs this host, and to tell why.
async fn overhear(stderr: ChildStderr) -> String {
    const HEARD_MAX: u64 = 64 * 1024;
    let mut heard = Vec::new();
    let mut stderr = stderr.take(HEARD_MAX);
    let _ = stderr.read_to_end(&mut heard).await;
    let heard = String::from_utf8_lossy(&heard).into_owned();
    for line in heard.lines() {
        tracing::debug!("compile child: {}", crate::text::printable(line, 1024));
    }
    // Read on, so that the child does not block on a full pipe.
    let _ = tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink()).await;
    heard
}

/// The reason of a child that gave none. Its words are those of Rust's runtime.
fn why_it_died(end: &std::io::Result<ExitStatus>, heard: &str, order: &Order) -> String {
    let (cpu_max, memory_max) = (order.cpu_max, order.memory_max);
    let signal = end.as_ref().ok().and_then(ExitStatus::signal);
    if signal == Some(Signal::XCPU.as_raw()) {
        return format!(
            "compiling it takes more CPU time than compile-cpu-max ({cpu_max}); raise it if the component is sound"
        );
    }
    if heard.contains("memory allocation of") {
        return format!(
            "compiling it takes more memory than compile-memory-max ({memory_max}); raise it if the component is sound"
        );
    }
    if heard.contains("has overflowed its stack") {
        return "it is nested too deep to be compiled; build it with less nesting".into();
    }
    let end = match end {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("was lost ({error})"),
    };
    format!(
        "the compile child {end} before it was done; if the component is sound, raise compile-cpu-max ({cpu_max}) or compile-memory-max ({memory_max})"
    )
}

// === The child's side ===

/// Does one order from stdin: the body of the hidden subcommand.
pub fn serve_parent() -> ExitCode {
    match obey() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasgi {SUBCOMMAND}: {error}; this command is for wasgi itself");
            ExitCode::from(2)
        }
    }
}

fn obey() -> std::io::Result<()> {
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    (&mut stdin).take(ORDER_MAX).read_until(b'\n', &mut line)?;
    let order: Order = serde_json::from_slice(&line)?;
    // Before the first byte of what is not trusted.
    confine(&order)?;
    let mut component = Vec::new();
    stdin.read_to_end(&mut component)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let outcome = runtime.block_on(work::run(&component, &order, Arc::new(ToParent)));
    tell(&match outcome {
        Ok(report) => Event::Done(report),
        Err(refusal) => Event::Refused(refusal),
    });
    Ok(())
}

/// Binds this process to the order's limits, for good.
fn confine(order: &Order) -> std::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    nice(NICENESS)?;
    // If memory runs out on the machine, it is this process that must go. Not everywhere allowed.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let limit = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    let cpu_max = Duration::from(order.cpu_max).as_secs().max(1);
    // At the lower of the two comes SIGXCPU, which nobody else sends.
    setrlimit(Resource::Cpu, Rlimit { current: Some(cpu_max), maximum: Some(cpu_max.saturating_add(1)) })?;
    limit(Resource::Data, order.memory_max.bytes())?;
    limit(Resource::As, order.memory_max.bytes().saturating_add(RESERVATIONS))?;
    limit(Resource::Fsize, order.memory_max.bytes())?;
    Ok(())
}

/// What the guest prints in `initialize`, on its way up.
struct ToParent;

impl GuestLog for ToParent {
    fn line(&self, channel: Channel, line: &str) {
        tell(&Event::Line(channel, line.to_owned()));
    }

    fn dropped(&self, bytes: u64) {
        tell(&Event::Dropped(bytes));
    }

    fn fault(&self, _fault: &Fault) {
        // The refusal tells it.
    }
}

fn tell(event: &Event) {
    let Ok(mut line) = serde_json::to_vec(event) else { return };
    line.push(b'\n');
    // A parent that is gone wants no answer.
    let _ = std::io::stdout().lock().write_all(&line);
}
