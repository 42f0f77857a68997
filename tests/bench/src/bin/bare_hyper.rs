//! The ceiling: hyper as wasgi uses it (`net/server.rs`), built with the same profile and allocator, and nothing on it.
//! `bare-hyper ADDRESS` answers every request with the `hello` example's response.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).ok_or("usage: bare-hyper ADDRESS")?.parse()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        #[expect(clippy::disallowed_methods, reason = "this program is ended by a signal and drains nothing")]
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) {
    // A client that goes away is no error here.
    let _ = protocol().serve_connection(TokioIo::new(stream), service_fn(hello)).await;
}

/// The host's settings, but for the date: it writes its own where this leaves it to hyper.
fn protocol() -> auto::Builder<TokioExecutor> {
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(None).max_headers(100).max_buf_size((64 + 8) * 1024);
    protocol.http2().timer(TokioTimer::new());
    protocol
}

async fn hello(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"Hello, world!\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
