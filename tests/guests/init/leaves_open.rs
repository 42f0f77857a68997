//! `initialize` leaves a file open, whose handle means nothing in the snapshot.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;

use guest_fixtures::{Answer, text};
use wasgi_guest::{Environ, StartResponse};

static WORDS: OnceLock<File> = OnceLock::new();

#[wasgi_guest::initialize]
fn initialize() -> io::Result<()> {
    let words = File::open("/data/words.txt")?;
    WORDS.get_or_init(|| words);
    Ok(())
}

#[wasgi_guest::application]
fn application(_environ: Environ, start_response: StartResponse) -> Answer {
    let mut words = String::new();
    let read = WORDS.get().map(|mut file| file.read_to_string(&mut words));
    text(&start_response, format!("{read:?}: {words}"))
}
