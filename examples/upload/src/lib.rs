use wasgi_guest::{Body, Environ, StartResponse};

/// The body is read in pieces of this size, so memory stays small however large it is, in bytes.
const PIECE: u64 = 1024 * 1024;

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Result<Body, Box<dyn std::error::Error>> {
    if !matches!(environ.method().as_str(), "PUT" | "POST") {
        start_response.start(405, [("Content-Type", "text/plain"), ("Allow", "PUT, POST")])?;
        return Ok("PUT or POST a file here, at any path.\n".into());
    }
    let (bytes, hash) = hash(&environ)?;
    let answer = serde_json::json!({ "path": environ.path(), "bytes": bytes, "blake3": hash });
    start_response.start(200, [("Content-Type", "application/json")])?;
    Ok(format!("{answer}\n").into())
}

fn hash(environ: &Environ) -> Result<(u64, String), wasgi_guest::InputError> {
    let mut input = environ.input()?;
    let mut hasher = blake3::Hasher::new();
    loop {
        let piece = input.read_chunk(PIECE)?;
        if piece.is_empty() {
            return Ok((hasher.count(), hasher.finalize().to_hex().to_string()));
        }
        hasher.update(&piece);
    }
}
