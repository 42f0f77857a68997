//! One request at a time, for what is not load: is it up, and how long does this take.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// No server of a benchmark is this slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// The body of the answer to `GET path`.
///
/// # Errors
/// If there is no answer, or one whose status is not 200.
pub(crate) fn get(port: u16, path: &str) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    stream.write_all(request(path).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        return Err(io::Error::other(format!("it answers {status}")));
    }
    if head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked") {
        joined(body)
    } else {
        Ok(body.to_owned())
    }
}

/// A body that came in chunks.
fn joined(mut chunks: &str) -> io::Result<String> {
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            return Ok(body);
        }
        let (chunk, rest) = rest.split_at_checked(size).ok_or(io::ErrorKind::UnexpectedEof)?;
        body.push_str(chunk);
        chunks = rest.strip_prefix("\r\n").ok_or(io::ErrorKind::InvalidData)?;
    }
}

/// Its answer ends with the connection.
fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_up_to_the_last() {
        assert_eq!(joined("5\r\nHello\r\nA\r\n, world!\n\n\r\n0\r\n\r\n").unwrap(), "Hello, world!\n\n");
        assert_eq!(joined("0\r\n\r\n").unwrap(), "");
        for broken in ["", "5\r\nHell", "5\r\nHello0\r\n", "x\r\n"] {
            joined(broken).unwrap_err();
        }
    }
}
