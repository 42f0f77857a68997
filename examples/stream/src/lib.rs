use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use wasgi_guest::{Environ, StartResponse, Writer};

#[wasgi_guest::application]
fn application(environ: Environ, start_response: StartResponse) -> Result<(), Box<dyn std::error::Error>> {
    let count = number(&environ, "count", 5, 10_000);
    let interval = Duration::from_millis(number(&environ, "interval", 1_000, 60_000));
    // A browser that lost the connection says what it saw last, and goes on from there.
    let seen = environ.header("Last-Event-ID").and_then(|id| id.parse().ok()).unwrap_or(0);

    let headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")];
    let mut writer = start_response.start(200, headers)?;
    match ticks(&mut writer, seen, count, interval) {
        // The client has gone: there is nothing to clean up here.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Each `write_all` is one event, and is with the client before the next one is due.
fn ticks(writer: &mut Writer, seen: u64, count: u64, interval: Duration) -> io::Result<()> {
    for tick in seen.saturating_add(1)..=count {
        let event = format!("id: {tick}\nevent: tick\ndata: {{\"tick\": {tick}, \"of\": {count}}}\n\n");
        writer.write_all(event.as_bytes())?;
        if tick < count {
            thread::sleep(interval);
        }
    }
    writer.write_all(b"event: end\ndata: {}\n\n")
}

fn number(environ: &Environ, name: &str, default: u64, most: u64) -> u64 {
    let given = environ.query_value(name).and_then(|value| value.parse().ok());
    given.unwrap_or(default).min(most)
}
