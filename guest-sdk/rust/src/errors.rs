//! `wsgi.errors`.

use std::io::{self, Write};

use crate::bindings::app::wasgi::gateway::gateway::write_errors;

/// `wsgi.errors`: the application's own log, where each line stands under the request's id (rule 39).
///
/// Bytes that are not UTF-8 are replaced (rule 40). What passes the host's `log-max` is dropped there.
#[derive(Clone, Copy, Debug)]
pub struct Errors;

/// `wsgi.errors`, of the request in hand or of `initialize`: `writeln!(errors(), "..")`.
pub fn errors() -> Errors {
    Errors
}

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_errors(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    /// One line is one call, however many pieces the format has.
    fn write_fmt(&mut self, arguments: std::fmt::Arguments<'_>) -> io::Result<()> {
        write_errors(&arguments.to_string());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
