"""What only Python has: iterables, their close(), and objects of the wrong kind."""

import io
import os

from body import wait_for
from call import PLAIN, json


class Closing:
    """An iterable that logs when it is closed."""

    def __init__(self, call, items):
        self.call = call
        self.items = items

    def __iter__(self):
        return iter(self.items)

    def close(self):
        self.call.log("closed")
        if self.call.query.is_on("close-fails"):
            raise ValueError("close failed")


def types(call):
    return json(
        call,
        {name: type(value).__name__ for name, value in call.environ.items()} | {"environ": type(call.environ).__name__},
    )


def iterable(call):
    """The kinds of bodies that are none of the usual list of one."""
    call.start_response("200 OK", list(PLAIN))
    kinds = {
        "list": [b"a", b"", b"bc"],
        "tuple": (b"a", b"bc"),
        "generator": (item for item in [b"a", b"", b"bc"]),
        "closing": Closing(call, [b"a", b"bc"]),
        "empty": [],
        "nothing": iter(()),
        "large": [b"x" * 3_000_000],
        "file": call.environ["wsgi.file_wrapper"](io.BytesIO(b"abc"), 2),
    }
    return kinds[call.query.text("kind", "list")]


def file(call):
    """A file of the bundle, from an offset, under a Content-Length if one is given."""
    page = open(os.path.join(os.path.dirname(__file__), "page.html"), "rb")
    page.seek(call.query.number("offset", 0))
    headers = [("Content-Type", "text/html")]
    if length := call.query.text("length", ""):
        headers.append(("Content-Length", length))
    call.start_response("200 OK", headers)
    return call.environ["wsgi.file_wrapper"](page)


def late_start(call):
    """start_response with the first block."""
    call.start_response("200 OK", list(PLAIN))
    yield b"started late"


def gate(call):
    """Yields a block, waits for a file, yields another."""
    call.start_response("200 OK", list(PLAIN))
    yield b"first\n"
    wait_for(call)
    yield b"last\n"


def closing(call):
    """A body that fails, never ends, or passes its Content-Length; each is closed."""

    def items():
        yield b"begun\n"
        if call.query.text("end", "") == "error":
            raise ValueError("failed between blocks")
        while True:
            yield b"x" * 65536

    headers = list(PLAIN)
    if length := call.query.text("length", ""):
        headers.append(("Content-Length", length))
    call.start_response("200 OK", headers)
    return Closing(call, items())


def wrong(call):
    """What is no body."""
    wrongs = {
        "none": None,
        "number": 7,
        "text": "text",
        "bytes": b"bytes",
        "item": ["text"],
        "yielded": iter([bytearray(b"x")]),
    }
    call.start_response("200 OK", list(PLAIN))
    return wrongs[call.query.text("what", "none")]


def raising(call):
    """Errors of every kind, at every time."""
    errors = {
        "error": ValueError,
        "exit": SystemExit,
        "interrupt": KeyboardInterrupt,
        "memory": MemoryError,
        "base": type("Base", (BaseException,), {}),
    }
    error = errors[call.query.text("what", "error")]("asked to fail")
    at = call.query.text("at", "call")
    if at == "call":
        raise error
    write = call.start_response("200 OK", [*PLAIN, ("X-Call", "first")])
    if at == "write":
        write(b"begun\n")
    raise error


def odd_name(call):
    """A head that HTTP allows, and those who check do not."""
    call.start_response("200 OK", [*PLAIN, ("1-Digit", "first")])
    return [b"oddly named"]


def trap(call):
    """What is a trap elsewhere is an error here."""
    at = call.query.text("at", "call")
    if at != "call":
        write = call.start_response("200 OK", list(PLAIN))
        if at == "write":
            write(b"begun\n")
    raise RuntimeError("asked to trap")


def recursion(call):
    def deeper(depth):
        return deeper(depth + 1) + 1

    return deeper(0)


PATHS = {
    "/types": types,
    "/iterable": iterable,
    "/wrapped-file": file,
    "/late-start": late_start,
    "/gate/yield": gate,
    "/closing": closing,
    "/wrong-body": wrong,
    "/raise": raising,
    "/trap": trap,
    "/odd-name": odd_name,
    "/recursion": recursion,
}
