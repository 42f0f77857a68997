//! Clients that ask at a pace, each once its last answer is there: wrk does not tell which answers took how long.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::failure::{Explain as _, Result};

/// At least, after a connection that failed.
const RETRY: Duration = Duration::from_millis(10);

/// Whom they ask for what, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clients<'a> {
    pub(crate) port: u16,
    pub(crate) path: &'a str,
    /// Clients, each with a connection of its own.
    pub(crate) count: usize,
    /// From one request of a client to its next; a client whose answer took longer asks again at once.
    pub(crate) period: Duration,
    /// For how long what they get is counted.
    pub(crate) time: Duration,
    /// How long they ask before that.
    pub(crate) warm_up: Duration,
}

/// What they got within the time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Microseconds that each answer with status 200 took.
    pub(crate) served: Vec<f64>,
    /// Answers with status 503.
    pub(crate) refused: u64,
    /// Answers with another status.
    pub(crate) others: u64,
    /// Connections that failed.
    pub(crate) broken: u64,
}

/// Loads from one thread.
pub(crate) fn load(clients: &Clients<'_>) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.explain(|| "cannot start the clients".to_owned())?.block_on(all(clients)))
}

async fn all(clients: &Clients<'_>) -> Outcome {
    let request: Arc<str> = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", clients.path).into();
    let counted = Instant::now() + clients.warm_up;
    let end = counted + clients.time;
    let mut tasks = JoinSet::new();
    for index in 0..clients.count {
        // They come one after the other, as they would if they had started long ago.
        let first = clients.period.mul_f64(f64::from(u32::try_from(index).unwrap_or(0)) / clients.count.max(1) as f64);
        let client = Client { port: clients.port, request: Arc::clone(&request), period: clients.period, counted };
        tasks.spawn(async move {
            sleep(first).await;
            client.go_on(end).await
        });
    }
    let mut all = Outcome::default();
    while let Some(one) = tasks.join_next().await {
        let Ok(one) = one else { continue };
        all.served.extend(one.served);
        all.refused += one.refused;
        all.others += one.others;
        all.broken += one.broken;
    }
    all
}

struct Client {
    port: u16,
    request: Arc<str>,
    period: Duration,
    /// What comes before is not counted.
    counted: Instant,
}

impl Client {
    async fn go_on(&self, end: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        // What is not answered in time is not counted.
        while let Ok(Err(_)) = timeout_at(end, self.connection(&mut outcome)).await {
            outcome.broken += 1;
            sleep(self.period.max(RETRY)).await;
        }
        outcome
    }

    /// Asks on one connection until it fails.
    async fn connection(&self, outcome: &mut Outcome) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        let mut buffer = Vec::new();
        loop {
            let start = Instant::now();
            stream.write_all(self.request.as_bytes()).await?;
            let (status, closes) = answer(&mut stream, &mut buffer).await?;
            match status {
                _ if Instant::now() < self.counted => {}
                200 => outcome.served.push(start.elapsed().as_secs_f64() * 1e6),
                503 => outcome.refused += 1,
                _ => outcome.others += 1,
            }
            sleep_until(start + self.period).await;
            if closes {
                stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
                stream.set_nodelay(true)?;
            }
        }
    }
}

/// Reads one answer: its status, and whether the connection ends with it.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<(u16, bool)> {
    buffer.clear();
    loop {
        if let Some((status, closes)) = whole(buffer)? {
            return Ok((status, closes));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Status and `Connection: close` of an answer that is whole; none while it is not.
fn whole(bytes: &[u8]) -> io::Result<Option<(u16, bool)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    let head = match answer.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Ok(None),
    };
    let value = |name: &str| {
        let header = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map_or("", |header| std::str::from_utf8(header.value).unwrap_or_default())
    };
    // The host tells the length of every short answer.
    let length: usize = value("content-length").parse().map_err(io::Error::other)?;
    let closes = value("connection").eq_ignore_ascii_case("close");
    Ok((bytes.len() >= head + length).then(|| (answer.code.unwrap_or(0), closes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let bytes = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n";
        for length in 0..bytes.len() {
            assert_eq!(whole(&bytes[..length]).unwrap(), None, "{length}");
        }
        assert_eq!(whole(bytes).unwrap(), Some((503, true)));
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap(), Some((200, false)));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        whole(b"SSH-2.0-x\r\n").unwrap_err();
        whole(b"HTTP/1.1 200 OK\r\n\r\n").unwrap_err();
    }
}
