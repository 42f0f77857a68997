use wasgi_guest::{Body, Environ, StartError, StartResponse};

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Result<Body, StartError> {
    let (status, text) = answer(&environ.path());
    start_response.start(status, [("Content-Type", "text/plain; charset=utf-8")])?;
    Ok(text.into())
}

fn answer(path: &str) -> (u16, String) {
    match path {
        "" | "/" => (200, "Hello from {{name}}!\n".to_owned()),
        _ => (404, "There is nothing here.\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_greets() {
        assert_eq!(answer("/"), (200, "Hello from {{name}}!\n".to_owned()));
    }

    #[test]
    fn elsewhere_is_nothing() {
        assert_eq!(answer("/elsewhere").0, 404);
    }
}
