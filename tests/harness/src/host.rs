//! A running `wasgi serve`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::lines::{Lines, last};
use crate::{Address, Conn, Http2, PATIENCE, Request, Response, cache_dir, command, guest, guests_dir, process};

/// A host about to be started.
#[derive(Debug)]
pub struct HostBuilder {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    listen: Vec<String>,
    log_filter: String,
    cache: PathBuf,
    /// The command that starts it.
    through: Option<command::Through>,
    /// Its own folder: spool, configuration, and whatever a test puts there.
    dir: Arc<TempDir>,
}

/// A running host; it is killed when dropped.
#[derive(Debug)]
pub struct Host {
    child: Child,
    addresses: Vec<Address>,
    stdout: Lines,
    log: Lines,
    dir: Arc<TempDir>,
}

/// What a host has left behind.
#[derive(Debug)]
pub struct Stopped {
    /// How it ended.
    pub status: ExitStatus,
    /// Its log, all lines.
    pub log: Vec<String>,
    /// Its access log, if that goes to stdout: all lines.
    pub access: Vec<String>,
    /// Its folder, still there.
    pub dir: Arc<TempDir>,
}

impl Host {
    /// A host that serves one guest at `/`.
    pub fn serving(name: &str) -> HostBuilder {
        Self::serving_file(&guest(name))
    }

    /// A host that serves one file at `/`.
    pub fn serving_file(path: &Path) -> HostBuilder {
        HostBuilder::new().arg(path)
    }

    /// A host that serves a directory with these guests, each at `/NAME`.
    pub fn dir(names: &[&str]) -> HostBuilder {
        let builder = HostBuilder::new();
        let apps = builder.path("apps");
        fs::create_dir(&apps).expect("a new folder");
        for name in names {
            fs::copy(guest(name), apps.join(name).with_added_extension("wasm")).expect("a guest can be copied");
        }
        builder.arg(apps)
    }

    /// A host with this host.toml, in which `$GUESTS` stands for the folder of the guests and `$DIR` for the host's own.
    /// The addresses come from flags, unless [`HostBuilder::listen_as_configured`] is called.
    pub fn config(toml: &str) -> HostBuilder {
        let builder = HostBuilder::new();
        let toml = toml
            .replace("$GUESTS", &guests_dir().display().to_string())
            .replace("$DIR", &builder.dir.path().display().to_string());
        let path = builder.path("host.toml");
        fs::write(&path, toml).expect("a file in a new folder");
        builder.arg("--config").arg(path)
    }

    /// Where it listens, in the order it said so.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The port of its first address.
    pub fn port(&self) -> u16 {
        match &self.addresses[0] {
            Address::Tcp(address) => address.port(),
            Address::Unix(path) => panic!("{} has no port", path.display()),
        }
    }

    /// A file in its own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its log, which is its stderr.
    pub fn log(&self) -> &Lines {
        &self.log
    }

    /// Its stdout: the addresses, then the access log.
    pub fn access_log(&self) -> &Lines {
        &self.stdout
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection to its first address.
    pub fn connect(&self) -> Conn {
        Conn::open(&self.addresses[0])
    }

    /// A new HTTP/2 connection to its first address.
    pub fn http2(&self) -> Http2 {
        Http2::open(&self.addresses[0])
    }

    /// Sends a request on a connection of its own and reads the response.
    pub fn request(&self, request: &Request) -> Response {
        let mut conn = self.connect();
        // The host may answer, and close, before it has taken all.
        let _ = conn.try_send(request.bytes());
        conn.response_to(&request.method)
    }

    /// The response to a GET request.
    pub fn get(&self, target: &str) -> Response {
        self.request(&Request::get(target))
    }

    /// The response to a POST request.
    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.request(&Request::post(target, body))
    }

    /// Sends SIGTERM: it drains and then ends.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(&self.child, signal);
    }

    /// Sends SIGTERM, waits for the end, and asserts that all went well.
    pub fn stop(self) -> Stopped {
        self.terminate();
        let stopped = self.wait();
        assert_eq!(stopped.status.code(), Some(0), "after SIGTERM; the log:\n{}", last(&stopped.log));
        stopped
    }

    /// Waits until it ends by itself, or by a signal sent before.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait(mut self) -> Stopped {
        let Some(status) = process::wait_for_exit(&mut self.child, PATIENCE) else {
            panic!("the host does not end; its log:\n{}", last(&self.log.so_far()));
        };
        let access = self.stdout.all().into_iter().filter(|line| !line.starts_with(LISTENING)).collect();
        let log = self.log.all();
        Stopped { status, log, access, dir: Arc::clone(&self.dir) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the host's log:\n{}", last(&self.log.so_far()));
        }
    }
}

impl HostBuilder {
    /// A host that serves nothing yet.
    pub fn new() -> Self {
        Self {
            args: Vec::new(),
            env: Vec::new(),
            listen: Vec::new(),
            log_filter: "info".into(),
            cache: cache_dir(),
            through: None,
            dir: Arc::new(TempDir::with_prefix("wasgi-test-").expect("the temporary folder can be written")),
        }
    }

    /// Adds an argument of `wasgi serve`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments of `wasgi serve`.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Listens here; may be called more than once. Without it, on a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen.push(address.into());
        self
    }

    /// Makes a failure point fail: `name=return`, in the syntax of the crate `fail`; several are separated by `;`.
    #[must_use]
    pub fn failing(self, points: &str) -> Self {
        self.env("FAILPOINTS", points)
    }

    /// Sets a variable of the host's own environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Logs what this filter lets through, in place of `info`.
    #[must_use]
    pub fn log_filter(mut self, filter: &str) -> Self {
        self.log_filter = filter.into();
        self
    }

    /// Keeps compiled code here, in place of the cache that all tests share.
    #[must_use]
    pub fn cache(mut self, dir: &Path) -> Self {
        self.cache = dir.into();
        self
    }

    /// Has another command, such as `nohup`, start it in its own place.
    #[must_use]
    pub fn through(mut self, program: &'static str, args: &'static [&'static str]) -> Self {
        self.through = Some((program, args));
        self
    }

    /// Has the host hear SIGHUP even where whoever runs the tests ignores it, which is inherited.
    #[must_use]
    pub fn hears_hangups(self) -> Self {
        self.through("env", &["--default-signal=HUP"])
    }

    /// Grants the folder `name` of the host's own folder, which is made, to the app as `guest_path`; `:ro` may follow.
    #[must_use]
    pub fn grant(self, name: &str, guest_path: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a folder in a new folder");
        let grant = format!("{}:{guest_path}", path.display());
        self.arg("--dir").arg(grant)
    }

    /// A file in the folder that the host will have.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts it and waits until it listens on each of its addresses.
    ///
    /// # Panics
    /// If it ends instead.
    pub fn start(mut self) -> Host {
        if self.listen.is_empty() {
            self.listen.push("127.0.0.1:0".into());
        }
        let count = self.listen.len();
        self.start_with(count)
    }

    /// Starts it without a flag for its addresses, of which its configuration names `count`.
    pub fn listen_as_configured(self, count: usize) -> Host {
        assert!(self.listen.is_empty(), "flags would replace what the configuration names");
        self.start_with(count)
    }

    /// Starts it, and does not wait until it listens.
    pub fn start_without_waiting(self) -> Host {
        self.start_with(0)
    }

    fn start_with(self, listeners: usize) -> Host {
        let spool = self.path("spool");
        fs::create_dir_all(&spool).expect("a folder in a new folder");
        let mut command = self.through.map_or_else(command::command, command::command_through);
        command.arg("serve").args(&self.args);
        for address in &self.listen {
            command.arg("--listen").arg(address);
        }
        command.arg("--cache").arg(&self.cache);
        if !self.args.iter().any(|arg| arg == "--spool-dir") {
            command.arg("--spool-dir").arg(spool);
        }
        command.env("WASGI_LOG", &self.log_filter).envs(self.env);
        let mut child = command.spawn().expect("the binary starts");
        let stdout = Lines::follow("access log", child.stdout.take().expect("stdout is piped"));
        let log = Lines::follow("log", child.stderr.take().expect("stderr is piped"));
        let mut host = Host { child, addresses: Vec::new(), stdout, log, dir: self.dir };
        host.addresses = host.stdout.wait_until("all addresses", |lines| {
            let listening: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(LISTENING)).collect();
            (listening.len() == listeners).then(|| listening.into_iter().map(Address::parse).collect())
        });
        host
    }
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self::new()
    }
}

const LISTENING: &str = "listening on ";
