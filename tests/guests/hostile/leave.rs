//! What happens when the client leaves, recorded in a file that the test grants.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;
use std::time::Duration;

use guest_fixtures::{Answer, Name as _, log, outcome};
use wasgi_guest::{Body, WriteError, Writer};

use crate::{Call, cpu};

pub(crate) fn answer(call: &Call, path: &str) -> Option<Answer> {
    let answer = match path {
        "/leave/write" => write(call),
        "/leave/read" => read(call),
        "/leave/wait" => wait(call),
        "/leave/linger" => linger(call),
        _ => return None,
    };
    Some(answer)
}

/// Appends a line, and has it on disk before it returns.
fn record(call: &Call, line: &str) {
    let path = call.query.text("file", "");
    let written = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| {
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    });
    if let Err(error) = written {
        log(&format!("cannot write {path}: {error}"));
    }
}

/// Writes chunks until that fails.
fn until_refused(writer: &Writer, chunk: &[u8], pause: Option<Duration>) -> WriteError {
    loop {
        if let Err(error) = writer.send(chunk) {
            return error;
        }
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
    }
}

fn write(call: &Call) -> Answer {
    let writer = call.start()?;
    let error = until_refused(&writer, &[b'l'; 64 * 1024], None);
    record(call, &format!("write: {}", error.name()));
    record(call, "cleaned up");
    Ok(Body::empty())
}

fn wait(call: &Call) -> Answer {
    let writer = call.start()?;
    record(call, "waiting");
    crate::bodies::send(&writer, b"begun\n");
    let error = until_refused(&writer, b".", Some(Duration::from_millis(10)));
    record(call, &format!("write: {}", error.name()));
    record(call, "cleaned up");
    Ok(Body::empty())
}

fn read(call: &Call) -> Answer {
    let result = call.environ.input().and_then(|mut input| while_there(|| input.read_chunk(64 * 1024)));
    let end = if result.is_ok() { "end" } else { outcome(&result) };
    record(call, &format!("read: {end}"));
    record(call, "cleaned up");
    call.start()?;
    Ok(Body::empty())
}

fn while_there<E>(mut piece: impl FnMut() -> Result<Vec<u8>, E>) -> Result<(), E> {
    while !piece()?.is_empty() {}
    Ok(())
}

fn linger(call: &Call) -> Answer {
    let writer = call.start()?;
    let error = until_refused(&writer, &[b'l'; 64 * 1024], None);
    record(call, &format!("write: {}", error.name()));
    if call.query.text("how", "spin") == "sleep" {
        loop {
            thread::sleep(Duration::from_secs(3600));
        }
    }
    cpu::spin()
}
