//! The kinds of guests that are measured: a new one is one more row.

/// One kind of guest, by a guest that `cargo xtask guests` builds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What it is, as the tables have it.
    pub name: &'static str,
    /// The guest's name: `hello` for `target/guests/hello.wasm`.
    pub guest: &'static str,
    /// How the body of its answer to `GET /` begins.
    pub begins: &'static str,
    /// Whether an instance may serve several requests: a program runs once for each.
    pub reuses: bool,
    /// Milliseconds that it may take from the start of the host to the first answer (target P5), if it is held to any.
    pub start_max_ms: Option<f64>,
}

/// All kinds.
pub const KINDS: [Kind; 8] = [
    Kind { start_max_ms: Some(20.0), ..Kind::new("Rust, with the SDK", "hello", HELLO) },
    Kind::new("WAT, by hand", "nested", "nested"),
    Kind { start_max_ms: Some(100.0), ..Kind::new("Python, raw WSGI", "raw-wsgi", HELLO) },
    Kind { start_max_ms: Some(100.0), ..Kind::new("Python, Flask", "flask-hello", "<p>Hello, World!</p>") },
    Kind::new("JavaScript, fetch", "js-hello", HELLO),
    Kind::new("C, with the SDK", "c-hello", HELLO),
    Kind { reuses: false, ..Kind::new("Go, CGI", "go-cgi", "<!doctype html>\n<title>Go</title>\n") },
    Kind { reuses: false, ..Kind::new("Rust, CGI", "rust-cgi", "POST a text to have its words counted.\n") },
];

const HELLO: &str = "Hello, world!\n";

impl Kind {
    const fn new(name: &'static str, guest: &'static str, begins: &'static str) -> Self {
        Self { name, guest, begins, reuses: true, start_max_ms: None }
    }

    /// Whether its answer may have this body.
    pub fn answers(&self, body: &[u8]) -> bool {
        body.starts_with(self.begins.as_bytes())
    }
}
