//! A CGI program that does whatever a test asks for; `tests/guests/README.md` has its paths.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, mem, thread};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

mod secret;

/// How often this instance has been asked.
static CALLS: AtomicU32 = AtomicU32::new(0);

fn main() -> ExitCode {
    CALLS.fetch_add(1, Ordering::Relaxed);
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cgi: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> io::Result<()> {
    let query = Query::read();
    match env::var("PATH_INFO").unwrap_or_default().as_str() {
        "/ok" => print(b"Content-Type: text/plain\n\nok")?,
        "/print" => print(&query.bytes("out"))?,
        "/environ" => print_json(&json!(env::vars().collect::<BTreeMap<_, _>>()))?,
        "/args" => print_json(&json!(env::args().collect::<Vec<_>>()))?,
        "/echo" => return echo(),
        "/read" => print_json(&read(query.number("bytes", u64::MAX)))?,
        "/leave" => return leave(&query),
        "/calls" => print_json(&json!({"calls": CALLS.load(Ordering::Relaxed)}))?,
        "/open" => print_json(&json!({"error": open_all().to_string()}))?,
        "/secret/plant" => print_json(&secret::plant(query.number("mib", 1)))?,
        "/secret/search" => print_json(&secret::search(query.number("mib", 1)))?,
        _ => print(b"Status: 404 Not Found\nContent-Type: text/plain\n\nno such path\n")?,
    }
    then(&query);
    Ok(())
}

/// What comes after the output.
fn then(query: &Query) {
    match query.text("then").as_str() {
        "exit" => std::process::exit(i32::try_from(query.number("code", 1)).unwrap_or(1)),
        "spin" => loop {
            black_box(0);
        },
        "sleep" => thread::sleep(Duration::from_secs(3600)),
        "panic" => panic!("cgi: a panic with a message"),
        "memory" => loop {
            mem::forget(black_box(vec![7_u8; 1 << 20]));
        },
        "endless" => while print(&[b'x'; 4096]).is_ok() {},
        _ => {}
    }
}

/// Prints and flushes.
fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn print_json(value: &Value) -> io::Result<()> {
    print(format!("Content-Type: application/json\n\n{value}").as_bytes())
}

/// Gives each piece of the body back as it comes.
fn echo() -> io::Result<()> {
    print(b"Content-Type: application/octet-stream\n\nbegun\n")?;
    let mut stdin = io::stdin().lock();
    let mut piece = [0; 64 * 1024];
    loop {
        match stdin.read(&mut piece)? {
            0 => return Ok(()),
            length => print(&piece[..length])?,
        }
    }
}

/// Reads so many bytes of the body, or up to its end.
fn read(bytes: u64) -> Value {
    let mut body = Vec::new();
    let read = io::stdin().lock().take(bytes).read_to_end(&mut body);
    json!({"total": body.len(), "sum": body.iter().map(|byte| u64::from(*byte)).sum::<u64>(), "error": error(read.err())})
}

/// Prints until that fails, then appends to a file that it cleaned up.
fn leave(query: &Query) -> io::Result<()> {
    print(b"Content-Type: text/plain\n\nbegun\n")?;
    let mut bytes = 0_u64;
    let error = loop {
        match print(&[b'x'; 4096]) {
            Ok(()) => bytes += 4096,
            Err(error) => break error,
        }
    };
    let mut file = OpenOptions::new().append(true).create(true).open(query.text("file"))?;
    writeln!(file, "cleaned up after {bytes} bytes: {error}")
}

/// Opens files until there are too many.
fn open_all() -> io::Error {
    loop {
        match File::open("/data/file") {
            Ok(file) => mem::forget(file),
            Err(error) => return error,
        }
    }
}

fn error(error: Option<io::Error>) -> Option<String> {
    error.map(|error| error.to_string())
}

/// QUERY_STRING, decoded.
struct Query(Vec<(String, Vec<u8>)>);

impl Query {
    fn read() -> Self {
        let query = env::var("QUERY_STRING").unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), percent_decode_str(value).collect())).collect())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.bytes(name)).into_owned()
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name).parse().unwrap_or(default)
    }
}
