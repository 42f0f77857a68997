mod methods;
mod registry;
mod rpc;

use registry::Registry;
use rpc::Rpc;
use wasgi_guest::{Body, Environ, StartError, StartResponse};

#[wasgi_guest::initialize]
fn initialize() {
    Registry::initialize();
}

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Result<Body, StartError> {
    let (status, headers, value) = Rpc::new(environ).get_result().values();
    start_response.start(status, headers)?;
    Ok(value)
}
