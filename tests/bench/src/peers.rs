//! Who is measured in the scenario `hello`, and how each is started: at its fastest, but for wasgi, which has all its
//! defaults on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::failure::{Explain as _, Result};
use crate::host::{self, REUSE};
use crate::lab::{Lab, free_port};

/// A server of the `hello` example's response.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The programs that it needs; without one of them it is left out.
    pub(crate) tools: &'static [&'static str],
    /// The processes, that which listens on the port last.
    pub(crate) commands: fn(&Lab, u16) -> Result<Vec<Command>>,
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

/// All peers, in the order of the table.
pub(crate) const PEERS: [Peer; 15] = [
    Peer { name: BARE_HYPER, tools: &[], commands: bare_hyper },
    Peer { name: WASGI_FRESH, tools: &[], commands: |lab, port| Ok(vec![host::one(lab, "hello", port)?]) },
    Peer { name: WASGI_REUSED, tools: &[], commands: wasgi_reused },
    Peer { name: SERVE_FRESH[0], tools: &["wasmtime"], commands: |lab, port| serve(lab, port, &[]) },
    Peer { name: SERVE_FRESH[1], tools: &["wasmtime"], commands: |lab, port| serve(lab, port, &[SCAN]) },
    Peer { name: SERVE_TUNED, tools: &["wasmtime"], commands: |lab, port| serve(lab, port, &[SCAN, KEEP]) },
    Peer { name: SERVE_REUSED[0], tools: &["wasmtime"], commands: |lab, port| serve_reused(lab, port, &[]) },
    Peer { name: SERVE_REUSED[1], tools: &["wasmtime"], commands: |lab, port| serve_reused(lab, port, &[SCAN]) },
    Peer { name: "NGINX, `return 200`", tools: &["nginx"], commands: nginx },
    Peer { name: "Gunicorn, 2 workers", tools: &["gunicorn"], commands: |lab, port| gunicorn(lab, port, &[]) },
    Peer { name: "Gunicorn, 2 workers, threads", tools: &["gunicorn"], commands: gunicorn_threads },
    Peer { name: "uWSGI, 2 processes", tools: &["uwsgi"], commands: |lab, port| uwsgi(lab, port, CLOSING) },
    Peer { name: "uWSGI, 2 processes, keep-alive", tools: &["uwsgi"], commands: |lab, port| uwsgi(lab, port, KEEPING) },
    Peer { name: "Granian, 2 workers", tools: &["granian"], commands: granian },
    Peer { name: "NGINX, fcgiwrap, CPython (CGI)", tools: &["nginx", "fcgiwrap"], commands: cgi },
];

const SCAN: &str = "-Opooling-pagemap-scan=y";
const KEEP: &str = "-Opooling-memory-keep-resident=1048576";

fn bare_hyper(lab: &Lab, port: u16) -> Result<Vec<Command>> {
    let mut command = Command::new(lab.binary("bare-hyper"));
    command.arg(format!("127.0.0.1:{port}"));
    Ok(vec![command])
}

fn wasgi_reused(lab: &Lab, port: u16) -> Result<Vec<Command>> {
    let mut command = host::one(lab, "hello", port)?;
    command.arg("--reuse").arg(REUSE.to_string());
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

fn nginx(lab: &Lab, port: u16) -> Result<Vec<Command>> {
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

fn cgi(lab: &Lab, port: u16) -> Result<Vec<Command>> {
    let script = lab.write("hello.cgi", include_str!("peers/hello.cgi"))?;
    fs::set_permissions(&script, Permissions::from_mode(0o755)).explain(|| "cannot mark hello.cgi".to_owned())?;
    let wrapped = free_port()?;
    let mut wrapper = tool(lab, "fcgiwrap")?;
    wrapper.args(["-c", "2", "-s"]).arg(format!("tcp:127.0.0.1:{wrapped}"));
    let location = format!(
        "fastcgi_pass 127.0.0.1:{wrapped}; fastcgi_param REQUEST_METHOD $request_method; \
         fastcgi_param SCRIPT_FILENAME {};",
        script.display()
    );
    let mut commands = vec![wrapper];
    commands.extend(nginx_with(lab, port, &location)?);
    Ok(commands)
}

// === WSGI: one application file for all ===

fn gunicorn(lab: &Lab, port: u16, options: &[&str]) -> Result<Vec<Command>> {
    let mut command = python(lab, "gunicorn")?;
    command.args(["--workers", "2", "--log-level", "warning"]).args(options);
    command.arg("--bind").arg(format!("127.0.0.1:{port}")).arg("hello:application");
    Ok(vec![command])
}

/// Its default kind of worker closes each connection; this one does not.
fn gunicorn_threads(lab: &Lab, port: u16) -> Result<Vec<Command>> {
    gunicorn(lab, port, &["--worker-class", "gthread", "--threads", "8"])
}

/// uWSGI's own server, which tells the client that it closes only if asked to.
const CLOSING: &[&str] = &["--add-header", "Connection: close", "--http-socket"];
/// The same with what its documentation calls experimental.
const KEEPING: &[&str] = &["--http11-socket"];

fn uwsgi(lab: &Lab, port: u16, socket: &[&str]) -> Result<Vec<Command>> {
    let mut command = python(lab, "uwsgi")?;
    command.args(["--master", "--processes", "2", "--need-app", "--disable-logging"]);
    command.args(["--wsgi-file", "hello.py"]).args(socket).arg(format!("127.0.0.1:{port}"));
    Ok(vec![command])
}

fn granian(lab: &Lab, port: u16) -> Result<Vec<Command>> {
    let mut command = python(lab, "granian")?;
    command.args(["--interface", "wsgi", "--workers", "2", "--no-ws", "--log-level", "warning"]);
    command.args(["--host", "127.0.0.1", "--port"]).arg(port.to_string()).arg("hello:application");
    Ok(vec![command])
}

fn python(lab: &Lab, server: &str) -> Result<Command> {
    lab.write("hello.py", include_str!("peers/hello.py"))?;
    let mut command = tool(lab, server)?;
    command.current_dir(lab.scratch());
    Ok(command)
}

fn tool(lab: &Lab, name: &str) -> Result<Command> {
    lab.tool(name).map(Command::new).explain(|| "left out".to_owned())
}
