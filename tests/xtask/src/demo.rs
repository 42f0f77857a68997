//! `cargo xtask demo`: the examples, served.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::phase::command_phase;
use crate::{guests, paths, test};

/// What the command line chose.
#[derive(Debug)]
pub(crate) struct Options {
    /// Passed on to the host.
    pub(crate) listen: String,
    /// The binary of the dev profile, which tests have at hand.
    pub(crate) debug: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned(), debug: false }
    }
}

/// An example, and how to see it at work.
struct Example {
    /// Of its guest, and of its route.
    name: &'static str,
    /// What it is written in, and by which contract it is called.
    kind: &'static str,
    /// What it shows.
    shows: &'static str,
    /// The path below its mount point, and what curl needs besides.
    path: &'static str,
    curl: &'static str,
    /// The path for a browser, on the index page; none if there is nothing for a browser to see.
    page: Option<&'static str>,
    /// Where it gets a folder of its own, and the variable in which it gets a key; none if it asks for neither.
    granted: Option<(&'static str, &'static str)>,
    /// The host it is served at, if it must be at the root of one.
    host: Option<&'static str>,
}

impl Example {
    /// One that asks for nothing, and answers a browser where it answers curl.
    const fn new(name: &'static str, kind: &'static str, shows: &'static str, path: &'static str) -> Self {
        Self { name, kind, shows, path, curl: "", page: Some(path), granted: None, host: None }
    }

    /// One that needs more of curl, and has this page for a browser.
    const fn curl(self, curl: &'static str, page: Option<&'static str>) -> Self {
        Self { curl, page, ..self }
    }
}

/// In the order in which they are shown: a new example is one more row.
const EXAMPLES: [Example; 17] = [
    Example::new("hello", RUST, "the smallest application", "/"),
    Example::new("rpc", RUST, "JSON-RPC over a registry built at deployment", "/").curl(CALL, None),
    Example::new("environ", RUST, "the request as the application sees it", "/any/path?x=1"),
    Example::new("stream", RUST, "server-sent events", "/?count=5&interval=300")
        .curl("-N ", Some("/?count=5&interval=300")),
    Example::new("upload", RUST, "a hash of a body of any size", "/Cargo.lock").curl("-T Cargo.lock ", None),
    Example::new("axum", "Rust, http", "an axum router as a guest", "/greet/Ada"),
    Example::new("rpc-python", WSGI, "the same JSON-RPC in Python, initialised when it was built", "/")
        .curl(CALL, None),
    Example::new("new-python", WSGI, "what `wasgi new --lang python` begins", "/?name=you"),
    Example::new("flask-hello", WSGI, "the smallest Flask application", "/"),
    Example {
        granted: Some(("/app/instance", "SECRET_KEY")),
        ..Example::new("flask-guestbook", WSGI, "a Flask site with users, sessions and pictures", "/")
    },
    Example {
        granted: Some(("/app/data", "DJANGO_SECRET_KEY")),
        // Its URLs of static files are those of the build.
        host: Some("django-site.localhost"),
        ..Example::new("django-site", WSGI, "a Django site with its admin, on SQLite", "/")
    },
    Example::new("starlette", "Python, ASGI", "an ASGI application", "/"),
    Example::new("js-hello", "JavaScript, fetch", "a fetch handler with streams", "/greet/Ada"),
    Example::new("c-hello", "C, gateway", "an application in C", "/count").curl("-d 'two lines' ", Some("/")),
    Example::new("go-cgi", "Go, CGI", "net/http of Go's standard library, as a CGI program", "/"),
    Example::new("rust-cgi", "Rust, CGI", "a CGI program, which is run for each request", "/")
        .curl("-d 'to be or not to be' ", Some("/")),
    Example::new("http-hello", "Rust, wasi:http", "a component made for any host of wasi:http", "/"),
];

const RUST: &str = "Rust, gateway";
const WSGI: &str = "Python, WSGI";

/// A call of JSON-RPC.
const CALL: &str = r#"-d '{"jsonrpc":"2.0","id":1,"method":"add","params":[2,3]}' "#;

/// Builds and serves the examples until the host ends; its exit code is the demo's.
///
/// # Errors
/// If something does not build, or the host cannot be started.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let root = paths::root()?;
    guests::build()?;
    let host = build_host(&root, options)?;
    test::built_guests(&root, &host)?;
    let config = write_config(&root)?;
    // Before the host runs, so that no signal is lost on us while it does.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot catch signals")?;
    let mut child = Command::new(&host)
        .args(["serve", "--config"])
        .arg(&config)
        .args(["--listen", &options.listen])
        .stdout(Stdio::piped())
        // Of its own, so that Ctrl-C reaches it once, through us: a second signal makes it stop at once.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", host.display()))?;
    let handle = signals.handle();
    let forwarder = forward(signals, &child)?;
    if let Some(output) = child.stdout.take() {
        relay(output);
    }
    let status = child.wait().context("cannot wait for the host")?;
    handle.close();
    let _ = forwarder.join();
    // Ended by a signal, it has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

fn build_host(root: &Path, options: &Options) -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "wasgi"]).current_dir(root);
    if !options.debug {
        cargo.arg("--release");
    }
    let profile = if options.debug { "debug" } else { "release" };
    let binary = paths::target(root).join(profile).join("wasgi");
    if !binary.exists() {
        println!("host: building it, which takes some minutes the first time");
    }
    command_phase("host", &mut cargo)?;
    Ok(binary)
}

/// One app per example, each with what it asks for.
fn write_config(root: &Path) -> Result<PathBuf> {
    let folder = paths::target(root).join("demo");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("host.toml");
    for Example { name, .. } in EXAMPLES.iter().filter(|example| example.granted.is_some()) {
        let data = folder.join(name);
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    }
    fs::write(&path, config(&key(&folder)?)).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// A key for sessions, which outlives the demo.
fn key(folder: &Path) -> Result<String> {
    let path = folder.join("key");
    if let Ok(key) = fs::read_to_string(&path) {
        return Ok(key);
    }
    let mut chance = [0_u8; 32];
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut chance)).context("no random numbers")?;
    let key = chance.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    fs::write(&path, &key).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

fn config(key: &str) -> String {
    let mut text = format!(
        "# Written by `cargo xtask demo`.\n\n# The page that leads to the others.\n[[app]]\nname = \"index\"\n\
         component = \"../guests/index.wasm\"\nroutes = [\"/\"]\nenv.LINKS = \"\"\"\n{}\"\"\"\n",
        links()
    );
    for Example { name, shows, granted, host, .. } in &EXAMPLES {
        let route = host.map_or_else(|| format!("/{name}"), |host| format!("{host}/"));
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n# {shows}\n[[app]]\nname = \"{name}\"\ncomponent = \"../guests/{name}.wasm\"\nroutes = [\"{route}\"]\n"
        );
        if let Some((guest, variable)) = granted {
            let _ = write!(
                text,
                "env = {{ {variable} = \"{key}\" }}\n[[app.dir]]\nhost = \"{name}\"\nguest = \"{guest}\"\nwritable = true\n"
            );
        }
    }
    text
}

/// What the example `index` is told of the others.
fn links() -> String {
    let mut text = String::new();
    for Example { name, kind, shows, page, host, .. } in &EXAMPLES {
        let Some(page) = page else { continue };
        let mount = host.map_or_else(|| format!("/{name}"), |host| format!("//{host}"));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mount}{page} | {name} | {kind} | {shows}");
    }
    text
}

/// Sends on what we are told to the host, which drains and ends, and so ends us.
fn forward(mut signals: Signals, child: &Child) -> Result<std::thread::JoinHandle<()>> {
    let host = Pid::from_child(child);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let signal = if signal == SIGTERM { Signal::TERM } else { Signal::INT };
                // It may have ended meanwhile; then so do we.
                let _ = kill_process(host, signal);
            }
        })
        .context("cannot start a thread")
}

/// Shows the host's lines, and behind the first address it listens on, where to look.
fn relay(output: ChildStdout) {
    let mut told = false;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let mut out = std::io::stdout().lock();
        // Without a reader of ours the host goes on all the same.
        let _ = writeln!(out, "{line}");
        if let Some(base) = line.strip_prefix("listening on ").filter(|_| !told) {
            let _ = write!(out, "{}", guide(base));
            told = true;
        }
        let _ = out.flush();
    }
}

fn guide(base: &str) -> String {
    let mut text = match base.strip_prefix("unix:") {
        Some(_) => "\n".to_owned(),
        None => format!("\n  the examples on one page: {base}/\n\n"),
    };
    for Example { name, shows, path, curl, host, .. } in &EXAMPLES {
        let place = host.map_or_else(|| format!("/{name}{path}"), |_| (*path).to_owned());
        let command = match (base.strip_prefix("unix:"), host) {
            (Some(socket), host) => {
                format!("curl --unix-socket {socket} {curl}'http://{}{place}'", host.unwrap_or("localhost"))
            }
            // Names under `localhost` are this machine, as browsers and curl know.
            (None, Some(host)) => match base.rsplit_once(':') {
                Some((_, port)) => format!("curl {curl}'http://{host}:{port}{place}'"),
                None => format!("curl {curl}'http://{host}{place}'"),
            },
            (None, None) => format!("curl {curl}'{base}{place}'"),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "  {name}: {shows}\n    {command}\n");
    }
    text.push_str("\nCtrl-C stops it.\n\n");
    text
}

#[cfg(test)]
mod tests {
    use wasgi_harness::{Host, Request};

    use super::*;

    #[test]
    fn every_example_has_a_route_and_a_url() {
        let (config, guide) = (config("key"), guide("http://127.0.0.1:8080"));
        assert!(guide.contains("one page: http://127.0.0.1:8080/\n"), "{guide}");
        for Example { name, host, .. } in &EXAMPLES {
            let (route, url) = match host {
                Some(host) => (format!("{host}/"), format!("http://{host}:8080/")),
                None => (format!("/{name}"), format!("http://127.0.0.1:8080/{name}/")),
            };
            assert!(config.contains(&format!("routes = [\"{route}\"]")), "{config}");
            assert!(guide.contains(&url), "{guide}");
        }
    }

    #[test]
    fn a_unix_socket_is_given_to_curl_as_one() {
        let guide = guide("unix:/run/wasgi.sock");
        assert!(guide.contains("curl --unix-socket /run/wasgi.sock 'http://localhost/hello/'"), "{guide}");
    }

    /// The URLs on a page, as they stand there.
    fn urls(page: &str) -> Vec<String> {
        let behind = page.split("href=\"").skip(1);
        behind.filter_map(|rest| Some(rest.split_once('"')?.0.replace("&amp;", "&"))).collect()
    }

    /// End to end: the real host, with the guests that `cargo xtask test` has built.
    #[test]
    fn every_link_of_the_index_page_answers() {
        let host = Host::config(&config("key").replace("../guests", "$GUESTS"));
        for Example { name, .. } in EXAMPLES.iter().filter(|example| example.granted.is_some()) {
            fs::create_dir(host.path(name)).unwrap();
        }
        let host = host.start();
        let index = host.request(&Request::get("/").header("Host", format!("localhost:{}", host.port())));
        let (page, urls) = (index.expect(200).text(), urls(index.text()));
        for Example { name, kind, shows, .. } in EXAMPLES.iter().filter(|example| example.page.is_some()) {
            assert!(page.contains(&format!("\">{name}</a> ({kind}): {shows}\n")), "{name} is not on it: {page}");
        }
        assert_eq!(urls.len(), EXAMPLES.iter().filter(|example| example.page.is_some()).count(), "{page}");
        for url in urls {
            let (authority, path) = match url.strip_prefix("//").map(|rest| rest.split_once('/').unwrap()) {
                Some((authority, path)) => (authority.to_owned(), format!("/{path}")),
                None => (format!("localhost:{}", host.port()), url.clone()),
            };
            assert!(authority.ends_with(&format!(":{}", host.port())), "{url}");
            let response = host.request(&Request::get(&path).header("Host", authority));
            assert_eq!(response.head.status, 200, "{url}: {response:?}");
        }
        host.get("/nowhere").expect(404);
    }
}
