//! The kinds of guests that are measured: a new one is one more row.

/// One kind of guest, by a guest that `cargo xtask guests` builds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What it is, as the tables have it.
    pub name: &'static str,
    /// The guest's name: `hello` for `target/guests/hello.wasm`.
    pub guest: &'static str,
    /// The body of its answer to `GET /`.
    pub body: &'static str,
    /// Milliseconds that it may take from the start of the host to the first answer (target P5), if it is held to any.
    pub start_max_ms: Option<f64>,
}

/// All kinds.
pub const KINDS: [Kind; 4] = [
    Kind { name: "Rust, with the SDK", guest: "hello", body: "Hello, world!\n", start_max_ms: Some(20.0) },
    Kind { name: "WAT, by hand", guest: "nested", body: "nested", start_max_ms: None },
    Kind { name: "Python, raw WSGI", guest: "raw-wsgi", body: "Hello, world!\n", start_max_ms: Some(100.0) },
    Kind { name: "Python, Flask", guest: "flask-hello", body: "<p>Hello, World!</p>", start_max_ms: Some(100.0) },
];
