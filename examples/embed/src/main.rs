//! Serves one request with wasgi as a library: `embed APP.wasm [PATH]`.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use wasgi::config::{Config, Flags};
use wasgi::host::{Host, Setting};
use wasgi::sandbox::prepare::Compiler;
use wasgi::telemetry::AccessLog;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let component = arguments.next().ok_or("usage: embed APP.wasm [PATH]")?;
    let path = arguments.next().unwrap_or("/".into());

    // A component of one's own may be compiled in this process; one of a stranger belongs in a child.
    let setting = Setting { compiler: Compiler::InProcess, access_log: AccessLog::off(), dev: true };
    let config = Config::from_path(component.as_ref(), Flags::default())?;
    let host = Host::load(&config, setting).await?;

    let request = http::Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new())?;
    let response = host.handle(request).await;
    println!("{} {:#?}", response.status(), response.headers());
    let body = response.into_body().collect().await?.to_bytes();
    println!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
