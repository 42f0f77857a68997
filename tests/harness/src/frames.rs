//! HTTP/2 byte by byte, for a [`Conn`](crate::Conn): what [`Http2`](crate::Http2) is too polite to send.

/// Kinds of frame (RFC 9113 section 6).
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// What a client sends first: the preface and its settings, among them the window that each stream begins with.
pub fn opening(window: u32) -> Vec<u8> {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &setting)[..]].concat()
}

/// A GET request of `path` on `stream`, in one frame.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &get_headers(path))
}

/// A frame of headers that end neither with it nor with the next ones.
pub fn open_headers(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM, stream, block)
}

/// More of the headers of `stream`; `ends` says that these are the last.
pub fn continuation(stream: u32, block: &[u8], ends: bool) -> Vec<u8> {
    frame(CONTINUATION, if ends { END_HEADERS } else { 0 }, stream, block)
}

/// The headers of a GET request of `path`, encoded (RFC 7541).
pub fn get_headers(path: &str) -> Vec<u8> {
    const METHOD_GET: u8 = 0x82;
    const SCHEME_HTTP: u8 = 0x86;
    // Literals whose names are in the static table.
    const AUTHORITY: u8 = 0x01;
    const PATH: u8 = 0x04;
    let mut block = vec![METHOD_GET, SCHEME_HTTP, AUTHORITY];
    block.extend(string("test"));
    block.push(PATH);
    block.extend(string(path));
    block
}

/// One header, encoded.
pub fn header(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &string(name), &string(value)].concat()
}

fn string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 0x7f).expect("short enough for one byte");
    [&[length], text.as_bytes()].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length =
        u32::try_from(payload.len()).ok().filter(|length| *length < 1 << 24).expect("three bytes").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
