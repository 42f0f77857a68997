use wasgi_guest::{Body, Environ, StartError, StartResponse};

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Result<Body, StartError> {
    start_response.start(200, [("Content-Type", "text/plain")])?;
    Ok("Hello, world!\n".into())
}
