//! Who is measured, and how each is started: at its fastest, but for wasgi, which has all its defaults on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Explain as _, Result};
use crate::host::{self, REUSE};
use crate::lab::{Lab, free_port};

pub(crate) mod wsgi;

/// What all servers of a comparison serve.
pub(crate) struct Application {
    /// For wasgi: the guest's name.
    pub(crate) guest: &'static str,
    /// What it answers to `GET /`.
    pub(crate) body: &'static str,
    /// For servers of WSGI: its module, the text of that, and the callable in it.
    pub(crate) module: &'static str,
    pub(crate) text: &'static str,
    pub(crate) callable: &'static str,
    /// Programs that come with what it imports, or that it is when it is no guest, which every peer needs then that needs
    /// a program.
    pub(crate) tools: &'static [&'static str],
}

/// A server.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The programs that it needs; without one of them it is left out.
    pub(crate) tools: &'static [&'static str],
    /// The processes, that which listens on the port last.
    pub(crate) commands: Commands,
    /// Whether it is loaded for a while before it is measured.
    pub(crate) warms_up: bool,
}

type Commands = fn(&Lab, &Application, u16) -> Result<Vec<Command>>;

impl Peer {
    const fn new(name: &'static str, tools: &'static [&'static str], commands: Commands) -> Self {
        Self { name, tools, commands, warms_up: true }
    }

    /// One that starts a process for each request: nothing in it gets warm, and what was asked before would still run.
    const fn cold(self) -> Self {
        Self { warms_up: false, ..self }
    }
}

pub(crate) const BARE_HYPER: &str = "bare hyper";
pub(crate) const WASGI_FRESH: &str = "wasgi, fresh";
pub(crate) const WASGI_REUSED: &str = "wasgi, reused";
/// `wasmtime serve` with and without the scan, a fresh instance for each request.
pub(crate) const SERVE_FRESH: [&str; 2] = ["wasmtime serve, fresh", "wasmtime serve, fresh, pagemap scan"];
/// The same with reuse.
pub(crate) const SERVE_REUSED: [&str; 2] = ["wasmtime serve, reused", "wasmtime serve, reused, pagemap scan"];

/// Not held against a target: with the scan, more than what `wasmtime serve` is asked for in P1.
const SERVE_TUNED: &str = "wasmtime serve, fresh, scan, 1 MiB kept";

/// All peers of the `hello` example, in the order of the table.
pub(crate) const PEERS: [Peer; 15] = [
    Peer::new(BARE_HYPER, &[], bare_hyper),
    FRESH,
    REUSED,
    Peer::new(SERVE_FRESH[0], &["wasmtime"], |lab, _, port| serve(lab, port, &[])),
    Peer::new(SERVE_FRESH[1], &["wasmtime"], |lab, _, port| serve(lab, port, &[SCAN])),
    Peer::new(SERVE_TUNED, &["wasmtime"], |lab, _, port| serve(lab, port, &[SCAN, KEEP])),
    Peer::new(SERVE_REUSED[0], &["wasmtime"], |lab, _, port| serve_reused(lab, port, &[])),
    Peer::new(SERVE_REUSED[1], &["wasmtime"], |lab, _, port| serve_reused(lab, port, &[SCAN])),
    Peer::new("NGINX, `return 200`", &["nginx"], nginx),
    wsgi::GUNICORN,
    wsgi::GUNICORN_THREADS,
    wsgi::UWSGI,
    wsgi::UWSGI_KEEPING,
    wsgi::GRANIAN,
    Peer::new("NGINX, fcgiwrap, CPython (CGI)", &["nginx", "fcgiwrap"], |lab, _, port| {
        cgi(lab, port, &lab.write("hello.cgi", include_str!("peers/hello.cgi"))?)
    }),
];

pub(crate) const FRESH: Peer = Peer::new(WASGI_FRESH, &[], |lab, app, port| Ok(vec![host::one(lab, app.guest, port)?]));
pub(crate) const REUSED: Peer = Peer::new(WASGI_REUSED, &[], |lab, app, port| {
    let mut command = host::one(lab, app.guest, port)?;
    command.arg("--reuse").arg(REUSE.to_string());
    Ok(vec![command])
});

/// The same program in native code, in a process for each request; xtask builds it under the guest's name.
pub(crate) const NATIVE: Peer = Peer::new("NGINX, fcgiwrap, native (CGI)", &["nginx", "fcgiwrap"], |lab, app, port| {
    cgi(lab, port, &path(lab, app.guest)?)
})
.cold();

const SCAN: &str = "-Opooling-pagemap-scan=y";
const KEEP: &str = "-Opooling-memory-keep-resident=1048576";

fn bare_hyper(lab: &Lab, _: &Application, port: u16) -> Result<Vec<Command>> {
    let mut command = Command::new(lab.binary("bare-hyper"));
    command.arg(format!("127.0.0.1:{port}"));
    Ok(vec![command])
}

fn serve_reused(lab: &Lab, port: u16, options: &[&str]) -> Result<Vec<Command>> {
    let reuse = format!("--max-instance-reuse-count={REUSE}");
    serve(lab, port, &[&[reuse.as_str()], options].concat())
}

fn serve(lab: &Lab, port: u16, options: &[&str]) -> Result<Vec<Command>> {
    let mut command = tool(lab, "wasmtime")?;
    // Rust's standard library imports all of wasi:cli.
    command.args(["serve", "-Scli"]).args(options).arg("--addr").arg(format!("127.0.0.1:{port}"));
    command.arg(lab.guest("http-hello")?);
    Ok(vec![command])
}

fn nginx(lab: &Lab, _: &Application, port: u16) -> Result<Vec<Command>> {
    nginx_with(lab, port, r#"return 200 "Hello, world!\n";"#)
}

fn nginx_with(lab: &Lab, port: u16, location: &str) -> Result<Vec<Command>> {
    let config = include_str!("peers/nginx.conf")
        .replace("@DIR@", &lab.scratch().to_string_lossy())
        .replace("@PORT@", &port.to_string())
        .replace("@LOCATION@", location);
    let config = lab.write("nginx.conf", &config)?;
    let mut command = tool(lab, "nginx")?;
    command.arg("-c").arg(config).arg("-p").arg(lab.scratch());
    Ok(vec![command])
}

/// NGINX before a script that is started for each request.
fn cgi(lab: &Lab, port: u16, script: &Path) -> Result<Vec<Command>> {
    fs::set_permissions(script, Permissions::from_mode(0o755))
        .explain(|| format!("cannot mark {}", script.display()))?;
    let wrapped = free_port()?;
    let mut wrapper = tool(lab, "fcgiwrap")?;
    wrapper.args(["-c", "2", "-s"]).arg(format!("tcp:127.0.0.1:{wrapped}"));
    let location = include_str!("peers/fastcgi.conf")
        .replace("@PORT@", &wrapped.to_string())
        .replace("@SCRIPT@", &script.to_string_lossy());
    let mut commands = vec![wrapper];
    commands.extend(nginx_with(lab, port, &location)?);
    Ok(commands)
}

fn tool(lab: &Lab, name: &str) -> Result<Command> {
    path(lab, name).map(Command::new)
}

fn path(lab: &Lab, name: &str) -> Result<PathBuf> {
    lab.tool(name).explain(|| "left out".to_owned())
}
