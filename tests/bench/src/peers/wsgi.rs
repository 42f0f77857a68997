//! Servers of WSGI, which serve the file that a guest was made of.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Application, FRESH, Peer, REUSED, cgi, path};
use crate::failure::Result;
use crate::host;
use crate::lab::Lab;

/// WSGI without a framework; it answers what the `hello` example does.
pub(crate) const RAW: Application = Application {
    guest: "raw-wsgi",
    body: "Hello, world!\n",
    module: "app",
    text: include_str!("../../../guests/python/raw-wsgi/app.py"),
    callable: "application",
    tools: &[],
};

/// The `flask-hello` example.
pub(crate) const FLASK: Application = Application {
    guest: "flask-hello",
    body: "<p>Hello, World!</p>",
    module: "hello",
    text: include_str!("../../../../examples/flask-hello/hello.py"),
    callable: "app",
    tools: &["flask"],
};

pub(crate) const GUNICORN: Peer =
    Peer::new("Gunicorn, 2 workers", &["gunicorn"], |lab, app, port| gunicorn(lab, app, port, &[]));
/// Its default kind of worker closes each connection; this one does not.
pub(crate) const GUNICORN_THREADS: Peer = Peer::new("Gunicorn, 2 workers, threads", &["gunicorn"], |lab, app, port| {
    gunicorn(lab, app, port, &["--worker-class", "gthread", "--threads", "8"])
});
/// uWSGI's own server, which tells the client that it closes only if asked to.
pub(crate) const UWSGI: Peer = Peer::new("uWSGI, 2 processes", &["uwsgi"], |lab, app, port| {
    uwsgi(lab, app, port, &["--add-header", "Connection: close", "--http-socket"])
});
/// The same with what its documentation calls experimental.
pub(crate) const UWSGI_KEEPING: Peer = Peer::new("uWSGI, 2 processes, keep-alive", &["uwsgi"], |lab, app, port| {
    uwsgi(lab, app, port, &["--http11-socket"])
});
pub(crate) const GRANIAN: Peer = Peer::new("Granian, 2 workers", &["granian"], granian);

/// wasgi with instances made before their requests come, up to as many as there are clients.
pub(crate) const WARM: Peer = Peer::new("wasgi, fresh, warm instances", &[], |lab, app, port| {
    let mut command = host::one(lab, app.guest, port)?;
    command.args(["--warm-max", "16"]);
    Ok(vec![command])
});
/// CPython's own way to run an application for one request.
pub(crate) const CGI: Peer =
    Peer::new("NGINX, fcgiwrap, CPython (CGI)", &["nginx", "fcgiwrap", "python3"], per_request).cold();

/// All of them, in the order of the table.
pub(crate) const SERVERS: [Peer; 9] =
    [FRESH, WARM, REUSED, GUNICORN, GUNICORN_THREADS, UWSGI, UWSGI_KEEPING, GRANIAN, CGI];

fn gunicorn(lab: &Lab, app: &Application, port: u16, options: &[&str]) -> Result<Vec<Command>> {
    let mut command = server(lab, app, "gunicorn")?;
    command.args(["--workers", "2", "--log-level", "warning"]).args(options);
    command.arg("--bind").arg(format!("127.0.0.1:{port}")).arg(target(app));
    Ok(vec![command])
}

fn uwsgi(lab: &Lab, app: &Application, port: u16, socket: &[&str]) -> Result<Vec<Command>> {
    let mut command = server(lab, app, "uwsgi")?;
    command.args(["--master", "--processes", "2", "--need-app", "--disable-logging"]);
    // Unlike the others it does not know by its own place where its libraries are.
    if let Some(environment) = environment(&path(lab, "uwsgi")?) {
        command.arg("--virtualenv").arg(environment);
    }
    command.args(["--module", &target(app)]).args(socket).arg(format!("127.0.0.1:{port}"));
    Ok(vec![command])
}

fn granian(lab: &Lab, app: &Application, port: u16) -> Result<Vec<Command>> {
    let mut command = server(lab, app, "granian")?;
    command.args(["--interface", "wsgi", "--workers", "2", "--no-ws", "--log-level", "warning"]);
    command.args(["--host", "127.0.0.1", "--port"]).arg(port.to_string()).arg(target(app));
    Ok(vec![command])
}

fn per_request(lab: &Lab, app: &Application, port: u16) -> Result<Vec<Command>> {
    write_module(lab, app)?;
    let script = include_str!("wsgi.cgi")
        .replace("@PYTHON@", &path(lab, "python3")?.to_string_lossy())
        .replace("@MODULE@", app.module)
        .replace("@CALLABLE@", app.callable);
    cgi(lab, port, &lab.write("wsgi.cgi", &script)?)
}

/// A program, started where the application's module is.
fn server(lab: &Lab, app: &Application, name: &str) -> Result<Command> {
    write_module(lab, app)?;
    let mut command = Command::new(path(lab, name)?);
    command.current_dir(lab.scratch());
    Ok(command)
}

fn write_module(lab: &Lab, app: &Application) -> Result<PathBuf> {
    lab.write(&format!("{}.py", app.module), app.text)
}

/// As Python servers are told of an application.
fn target(app: &Application) -> String {
    format!("{}:{}", app.module, app.callable)
}

/// The virtual environment that a program is in.
fn environment(program: &Path) -> Option<&Path> {
    program.parent()?.parent().filter(|folder| folder.join("pyvenv.cfg").exists())
}
