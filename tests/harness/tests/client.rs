//! The raw client against a server of a few bytes: it must tell a whole body from one that was cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use wasgi_harness::{Address, BodyEnd, Conn, Ending, Request};

/// Serves these bytes to one client, then closes; `unread` leaves what the client sent, which makes the close a reset.
fn served(bytes: &'static [u8], unread: bool) -> Conn {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        if unread {
            stream.peek(&mut request).unwrap();
        } else {
            let _ = stream.read(&mut request).unwrap();
        }
        stream.write_all(bytes).unwrap();
    });
    let mut conn = Conn::open(&address);
    conn.send(Request::get("/").bytes());
    server.join().unwrap();
    conn
}

#[test]
fn whole_bodies_are_complete_and_parts_are_cut() {
    for (bytes, body, end) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..], &b"abc"[..], BodyEnd::Complete),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", b"abc", BodyEnd::Cut),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", BodyEnd::Complete),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"abc", BodyEnd::Cut),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", b"abc", BodyEnd::Cut),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", b"ab", BodyEnd::Cut),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", BodyEnd::Complete),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", BodyEnd::Complete),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", BodyEnd::Complete),
    ] {
        let response = served(bytes, false).response();
        assert_eq!((response.body.as_slice(), response.end), (body, end), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_close_is_told_from_a_reset() {
    let whole = b"HTTP/1.0 200 OK\r\n\r\nabc";
    assert_eq!(served(whole, false).rest(), (whole.to_vec(), Ending::Closed));
    assert_eq!(served(whole, true).rest().1, Ending::Reset);
}

#[test]
fn the_answer_to_head_has_no_body_whatever_its_length_says() {
    let response = served(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false).response_to("HEAD");
    assert_eq!((response.body.as_slice(), response.end), (&b""[..], BodyEnd::Complete));
}

#[test]
fn a_connection_that_ends_before_a_head_is_told_so() {
    assert_eq!(served(b"", false).try_head(), Err(Ending::Closed));
}

#[test]
#[should_panic(expected = "more than once")]
fn a_header_that_must_be_alone_and_is_not_fails_the_test() {
    let response = served(b"HTTP/1.1 200 OK\r\nDate: a\r\nDate: b\r\nContent-Length: 0\r\n\r\n", false).response();
    let _ = response.header("date");
}
