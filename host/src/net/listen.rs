//! Addresses to listen on, bound.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::ListenAddr;
use crate::environ::Endpoint;
use crate::net::io::Reset;

/// Connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}; free the address, or name another with --listen")]
pub struct BindError {
    address: ListenAddr,
    error: io::Error,
}

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, whose file is removed in the end.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Both kinds of connection.
pub trait Stream: AsyncRead + AsyncWrite + Reset + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Reset + Unpin + Send> Stream for S {}

impl Reset for TcpStream {
    fn reset_on_close(&self) {
        // Refused only for a socket that is gone already.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Reset for UnixStream {
    // Unix sockets have no reset; their clients see a plain end.
    fn reset_on_close(&self) {}
}

impl Reset for Box<dyn Stream> {
    fn reset_on_close(&self) {
        (**self).reset_on_close();
    }
}

/// A connection with its two ends.
pub struct Accepted {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// This end.
    pub local: Endpoint,
    /// The client's.
    pub peer: Endpoint,
}

impl Listener {
    /// Binds all addresses that `address` stands for: a name may have several.
    ///
    /// # Errors
    /// [`BindError`] if one of them cannot be bound.
    pub async fn bind(address: &ListenAddr) -> Result<Vec<Self>, BindError> {
        let failed = |error| BindError { address: address.clone(), error };
        match address {
            ListenAddr::Unix(path) => Ok(vec![bind_unix(path).await.map_err(failed)?]),
            ListenAddr::Tcp { host, port } => {
                let resolved = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(failed)?;
                let mut addresses: Vec<SocketAddr> = resolved.collect();
                addresses.dedup();
                if *port == 0 {
                    // Each would get a port of its own.
                    addresses.truncate(1);
                }
                addresses.into_iter().map(|address| bind_tcp(address).map_err(failed)).collect()
            }
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// Those of the operating system; mostly passing ones.
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Responses are written in one piece; waiting for more would only delay them.
                stream.set_nodelay(true)?;
                let local = Endpoint::Tcp(stream.local_addr()?);
                Ok(Accepted { stream: Box::new(stream), local, peer: Endpoint::Tcp(peer) })
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted { stream: Box::new(stream), local: Endpoint::Unix, peer: Endpoint::Unix })
            }
        }
    }
}

/// As printed when the host is ready.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "http://{address}"),
                Err(error) => write!(f, "an address that cannot be told ({error})"),
            },
            Self::Unix(_, file) => write!(f, "unix:{}", file.0.display()),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted host takes its port back at once.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listener::Tcp(TcpListener::from_std(socket.into())?))
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    if is_stale(path).await {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    Ok(Listener::Unix(listener, SocketFile(path.into())))
}

/// Whether `path` is a socket that nobody listens on: left by a host that was killed.
async fn is_stale(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    is_socket && UnixStream::connect(path).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error_with_the_mend() {
        let first = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first[0].to_string().replace("http://", "");
        let error = Listener::bind(&address.parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(&address) && error.contains("--listen"), "{error}");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let address = ListenAddr::Unix(path.clone());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let live = Listener::bind(&address).await.unwrap();
        assert!(Listener::bind(&address).await.is_err());
        drop(live);
        assert!(!path.exists());
        std::fs::write(&path, "not a socket").unwrap();
        assert!(Listener::bind(&address).await.is_err());
        assert!(path.exists());
    }
}
