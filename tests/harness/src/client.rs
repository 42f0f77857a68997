//! A raw HTTP/1.1 client: it sends the bytes it is given, and reads exactly one response at a time.

mod body;
mod request;
mod response;
mod stream;

use std::io::{self, ErrorKind, Read as _, Write as _};

use crate::{Address, PATIENCE};

pub use request::Request;
pub use response::{BodyEnd, Head, Response};
pub use stream::Stream;

/// A connection to a host.
#[derive(Debug)]
pub struct Conn {
    stream: Stream,
    /// What was received and not yet read.
    received: Vec<u8>,
}

/// How the host has ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Properly: the end of the stream.
    Closed,
    /// By a reset.
    Reset,
}

impl Conn {
    /// Connects to `address`.
    pub fn open(address: &Address) -> Self {
        let stream = Stream::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address:?}: {error}"));
        Self { stream, received: Vec::new() }
    }

    /// Connects to `address`, unless nobody accepts there.
    ///
    /// # Errors
    /// Those of connecting.
    pub fn try_open(address: &Address) -> io::Result<Self> {
        Ok(Self { stream: Stream::connect(address)?, received: Vec::new() })
    }

    /// Sends exactly these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("the host takes what is sent");
        self
    }

    /// Sends these bytes, if the host takes them: it may refuse a request while the client still sends.
    ///
    /// # Errors
    /// Those of writing; a time-out after [`PATIENCE`] is not one, but a panic.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if is_timeout(&error) => panic!("the host has taken nothing for {PATIENCE:?}"),
            result => result,
        }
    }

    /// Says that nothing more will be sent; the response can still be read.
    pub fn finish_sending(&mut self) -> &mut Self {
        self.stream.shutdown_write().expect("an open connection can be half-closed");
        self
    }

    /// Reads a head, be it an interim one (100 Continue) or that of a response.
    ///
    /// # Panics
    /// If what the host sends is no HTTP, or if it closes the connection.
    pub fn head(&mut self) -> Head {
        self.try_head().unwrap_or_else(|ending| panic!("instead of a response the host has {ending:?} the connection"))
    }

    /// Reads a head, unless the host ends the connection before a byte of it.
    ///
    /// # Errors
    /// How the connection was ended.
    pub fn try_head(&mut self) -> Result<Head, Ending> {
        loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                let head = self.received.drain(..end + 4).collect::<Vec<_>>();
                return Ok(Head::parse(&head[..end + 2]));
            }
            if let Err(ending) = self.receive() {
                assert!(self.received.is_empty(), "a head was cut: {:?}", String::from_utf8_lossy(&self.received));
                return Err(ending);
            }
        }
    }

    /// Reads one response; an interim 100 Continue before it is passed over.
    ///
    /// # Panics
    /// As [`Conn::head`]; a body that is cut is not a panic, but [`BodyEnd::Cut`].
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// Reads one response to a request of `method`, which decides whether a body follows.
    pub fn response_to(&mut self, method: &str) -> Response {
        let mut head = self.head();
        while head.status == 100 {
            head = self.head();
        }
        let (body, end) = self.body(&head, method);
        Response { head, body, end }
    }

    /// Reads the next `count` bytes, whatever they mean.
    ///
    /// # Panics
    /// If the connection ends before that.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            self.receive().unwrap_or_else(|ending| panic!("{ending:?} after {} bytes", self.received.len()));
        }
        self.received.drain(..count).collect()
    }

    /// Reads all that comes until the host ends the connection.
    pub fn rest(&mut self) -> (Vec<u8>, Ending) {
        loop {
            if let Err(ending) = self.receive() {
                return (std::mem::take(&mut self.received), ending);
            }
        }
    }

    /// Waits until the host ends the connection.
    ///
    /// # Panics
    /// If the host sends something instead.
    pub fn ended(&mut self) -> Ending {
        let (rest, ending) = self.rest();
        assert!(rest.is_empty(), "the connection should end, but there is {:?}", String::from_utf8_lossy(&rest));
        ending
    }

    /// Whether a byte has arrived that was not read yet. Only a test that knows by another event that a byte would
    /// be here by now learns anything from a no.
    pub fn has_bytes(&mut self) -> bool {
        self.stream.set_nonblocking(true);
        while let Ok(1..) = self.receive_some() {}
        self.stream.set_nonblocking(false);
        !self.received.is_empty()
    }

    /// Breaks the connection off with a reset, as a client that crashes does. Over a Unix socket it is just closed.
    pub fn reset(self) {
        self.stream.reset_on_close();
    }

    /// Waits for bytes and keeps them.
    fn receive(&mut self) -> Result<usize, Ending> {
        match self.receive_some() {
            Ok(0) => Err(Ending::Closed),
            Ok(count) => Ok(count),
            Err(error) if is_timeout(&error) => {
                let received = String::from_utf8_lossy(&self.received);
                panic!("the host has sent nothing for {PATIENCE:?}; not read yet: {received:?}")
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Err(Ending::Reset)
            }
            Err(error) => panic!("cannot read from the host: {error}"),
        }
    }

    fn receive_some(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 64 * 1024];
        let count = loop {
            // A socket with a time-out is interrupted when the machine stops and continues us.
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
