"""The response body, in the ways that all languages have."""

import os
import time

from call import PLAIN, text

RETURN = 1024 * 1024
CHUNK = 64 * 1024


def write_logged(call, write, chunk):
    """One write; a refusal is logged."""
    try:
        write(chunk)
    except (AssertionError, OSError) as error:
        call.log(f"write: {error.kind}")


def returned(call):
    return text(call, b"r" * call.query.number("size", 5))


def written(call):
    write = call.start_response("200 OK", list(PLAIN))
    size, done = call.query.number("size", 5), 0
    chunk = b"w" * max(call.query.number("chunk", CHUNK), 1)
    while done < size:
        count = min(len(chunk), size - done)
        try:
            write(chunk[:count])
        except OSError as error:
            call.log(f"write: {error.kind} after {done} bytes")
            return []
        done += count
    call.log(f"wrote {done} bytes")
    return []


def written_then_returned(call):
    call.start_response("200 OK", list(PLAIN))(b"written,")
    return [b"returned"]


def writers(call):
    first = call.start_response("200 OK", list(PLAIN))
    try:
        raise ValueError("a second writer")
    except ValueError as error:
        second = call.start_response("200 OK", list(PLAIN), (ValueError, error, error.__traceback__))
    first(b"a")
    second(b"b")
    first(b"c")
    return [b"d"]


def binary(call):
    size = call.query.number("size", 256)
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    write = call.start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if size <= RETURN:
        return [body]
    for start in range(0, size, CHUNK):
        write(body[start : start + CHUNK])
    return []


def content_length(call):
    write = call.start_response("200 OK", [*PLAIN, ("Content-Length", call.query.text("set", "5"))])
    body = b"c" * call.query.number("send", 5)
    via = call.query.text("via", "return")
    if via == "return":
        return [body]
    half = len(body) // 2 if via == "both" else len(body)
    write_logged(call, write, body[:half])
    return [body[half:]]


def content_length_chunks(call):
    write = call.start_response("200 OK", [*PLAIN, ("Content-Length", call.query.text("set", "5"))])
    chunk, done = b"c" * max(call.query.number("chunk", 1), 1), 0
    while True:
        try:
            write(chunk)
        except (AssertionError, OSError) as error:
            call.log(f"write: {error.kind} after {done} bytes")
            return []
        done += len(chunk)


def no_body(call):
    status = "304 Not Modified" if call.query.number("status", 204) == 304 else "204 No Content"
    write = call.start_response(status, [("X-Path", "no-body")])
    body = b"n" * call.query.number("send", 0)
    if call.query.text("via", "return") == "write":
        write_logged(call, write, body)
        return []
    return [body] if body else []


def gate_input(call):
    write = call.start_response("200 OK", list(PLAIN))
    write(b"first\n")
    call.input.read(1)
    write(b"second\n")
    call.input.read(1 << 30)
    return [b"last\n"]


def wait_for(call):
    """Looks every 5 ms whether the test has made the file."""
    path, end = call.query.text("path", ""), time.monotonic() + 10
    while not os.path.exists(path):
        if time.monotonic() > end:
            call.log(f"gate: {path} did not come")
            break
        time.sleep(0.005)


def gate_file(call):
    write = call.start_response("200 OK", list(PLAIN))
    if call.query.text("at", "write") == "write":
        write(b"first\n")
    wait_for(call)
    return [b"last\n"]


PATHS = {
    "/return": returned,
    "/write": written,
    "/write-then-return": written_then_returned,
    "/writers": writers,
    "/binary": binary,
    "/content-length": content_length,
    "/content-length/chunks": content_length_chunks,
    "/no-body": no_body,
    "/gate/input": gate_input,
    "/gate/file": gate_file,
}
