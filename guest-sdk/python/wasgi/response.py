"""One response: `start_response`, `write`, and what the application returns."""

from collections.abc import Iterable
from typing import Any

from wasgi import bindings
from wasgi.errors import BodyError, ClientDisconnected, StartResponseError, WriteError, error_stream
from wasgi.faults import place_of, traceback_of
from wasgi.file import FileWrapper

#: A body up to this size is returned in one piece, in bytes; a larger one is written first.
ONE_PIECE = 256 * 1024

Header = tuple[str, str]


class Aborted(Exception):
    """Ends the request by a trap: nothing else tells a client that its body is cut off."""


class Response:
    """What PEP 3333 calls the server's side of `start_response`.

    The host holds the state and decides; this checks types, which a call into the host would not
    survive, and turns the host's refusals into exceptions.
    """

    __slots__ = ("_start", "_writer", "_called", "_headers", "_bodiless", "_sent")

    #: Bytes of one write; lowered as the host asks.
    chunk_max = 256 * 1024

    def __init__(self, start: Any) -> None:
        self._start = start
        self._writer: Any = None
        self._called = False
        self._headers: list[Header] = []
        # A body with 204 or 304 is dropped, as other servers do: frameworks make one where authors forget.
        self._bodiless = False
        self._sent = 0

    def start_response(self, status: str, headers: list[Header], exc_info: Any = None) -> Any:
        """Sets status and headers, and returns `write` (rules 5 and 43 to 54)."""
        try:
            if self._called and not exc_info:
                raise StartResponseError(
                    "already-called",
                    "start_response was called before: call it once, or with exc_info to report an error",
                )
            self._called = True
            if exc_info and self._sent:
                raise exc_info[1].with_traceback(exc_info[2])
            _check_head(status, headers)
            self._call(status, headers, exc_info)
        finally:
            exc_info = None  # it refers to this frame, so the frame would keep itself alive (rule 54)
        return self.write

    def _call(self, status: str, headers: list[Header], exc_info: Any) -> None:
        text = traceback_of(exc_info[1]) if exc_info else None
        try:
            self._writer = self._start.call(status, headers, text)
        except bindings.Err as error:
            if exc_info and isinstance(error.value, bindings.StartError_HeadSent):
                raise exc_info[1].with_traceback(exc_info[2]) from None
            raise _start_error(error.value) from None
        self._headers = headers
        self._bodiless = status.startswith(("204", "304"))

    def write(self, data: bytes) -> None:
        """Sends `data` on its way before it returns (rules 57 and 63)."""
        if type(data) is not bytes:
            data = _checked(data, "write() was given")
        if data:
            self._send(data)

    def body(self, result: Any) -> Any:
        """The body that the application returned, as the host takes it; most of a long one is sent already."""
        kind = type(result)
        if self._bodiless:
            return _NOTHING
        if kind is list or kind is tuple:
            if len(result) == 1 and type(result[0]) is bytes and len(result[0]) <= ONE_PIECE:
                return bindings.Body_Bytes(result[0])
            return self._listed(result)
        if kind is FileWrapper:
            return self._file(result)
        self._stream(result)
        return _NOTHING

    def fail(self, error: BaseException) -> Any:
        """Logs `error` and answers 500 in place of whatever was started (rule 68).

        Raises `Aborted` if the head is with the client.
        """
        if isinstance(error, ClientDisconnected):
            error_stream.write(f"{error.strerror}: {_innermost(error)} was told so\n")
            return _NOTHING
        error_stream.write(traceback_of(error))
        if self._sent:
            raise Aborted("the application failed after its head was sent; its error is in the log") from None
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        try:
            self._start.call("500 Internal Server Error", headers, f"{type(error).__name__}, see above")
        except bindings.Err as refused:
            if isinstance(refused.value, bindings.StartError_HeadSent):
                raise Aborted("the application failed after its head was sent; its error is in the log") from None
            return _NOTHING
        return bindings.Body_Bytes(b"Internal Server Error\n")

    def _listed(self, result: Any) -> Any:
        """A list or tuple that is not the usual one of one element: all of it is there, so nothing waits."""
        chunks = [
            item if type(item) is bytes else _checked(item, "the application returned a list with") for item in result
        ]
        if sum(map(len, chunks)) <= ONE_PIECE:
            return bindings.Body_Bytes(b"".join(chunks))
        for chunk in chunks:
            if chunk and not self._send_item(chunk):
                break
        return _NOTHING

    def _file(self, wrapper: FileWrapper) -> Any:
        place = wrapper.bundled_range()
        if place is None:
            self._stream(wrapper)
            return _NOTHING
        path, offset = place
        return bindings.Body_File(bindings.FileRange(path, offset, self._content_length()))

    def _stream(self, result: Any) -> None:
        for item in _iterable(result):
            if type(item) is not bytes:
                item = _checked(item, "the application yielded")
            if item and not self._send_item(item):
                return

    def _send_item(self, chunk: bytes) -> bool:
        """Sends an element of the body; false if no more of it is wanted (rule 60)."""
        if self._writer is None:
            error_stream.write("the application gave a body without calling start_response: call it first\n")
            return False
        try:
            self._send(chunk)
        except WriteError as error:
            left = (self._content_length() or 0) - self._sent
            if left > 0:
                self._send(chunk[:left])
            error_stream.write(f"the rest of the body is dropped: {error}\n")
            return False
        return not self._bodiless

    def _send(self, data: bytes) -> None:
        if self._bodiless:
            return
        while True:
            try:
                self._send_pieces(data)
                break
            except bindings.Err as error:
                why = error.value
            if not isinstance(why, bindings.WriteError_TooLarge) or why.value >= self.chunk_max:
                raise self._write_error(why, len(data))
            # Nothing was sent. The limit is the app's, so it holds for every response of this instance.
            Response.chunk_max = why.value
        self._sent += len(data)

    def _send_pieces(self, data: bytes) -> None:
        size = self.chunk_max
        if len(data) <= size:
            self._writer.write(data)
            return
        # The host sends nothing of a chunk that passes the Content-Length, and pieces must not differ.
        length = self._content_length()
        if length is not None and self._sent + len(data) > length:
            raise bindings.Err(bindings.WriteError_PastContentLength())
        for start in range(0, len(data), size):
            self._writer.write(data[start : start + size])

    def _write_error(self, why: Any, size: int) -> Exception:
        """The exception for a write that the host refused."""
        if isinstance(why, bindings.WriteError_PastContentLength):
            return WriteError(
                "past-content-length",
                f"a chunk of {size} bytes would pass the Content-Length of {self._content_length()}: "
                "set it to the length of the body, or leave it to the server",
            )
        if isinstance(why, bindings.WriteError_NoBodyAllowed):
            return WriteError("no-body-allowed", "this response has no body: return none")
        return ClientDisconnected()

    def _content_length(self) -> int | None:
        """What the application set, and the host took."""
        for name, value in self._headers:
            if name.lower() == "content-length":
                return int(value)
        return None


_NOTHING = bindings.Body_Bytes(b"")


def _check_head(status: Any, headers: Any) -> None:
    """Refuses what is no head by its types (rules 43, 44, 56); the host checks what is in them."""
    if not isinstance(status, str):
        raise StartResponseError("bad-status", f"the status is {_a(status)}: give a str such as '200 OK'")
    if not isinstance(headers, list):
        raise StartResponseError("bad-header", f"the headers are {_a(headers)}: give a list of (name, value) tuples")
    if not status.isascii():
        _check_latin_1("bad-status", "the status", status)
    for header in headers:
        if not isinstance(header, tuple) or len(header) != 2:
            raise StartResponseError("bad-header", f"the header {header!r} is no tuple of two: give (name, value)")
        name, value = header
        if not isinstance(name, str) or not isinstance(value, str):
            raise StartResponseError("bad-header", f"the header {header!r} is not of two str: decode or format it")
        if not (name.isascii() and value.isascii()):
            _check_latin_1("bad-header", f"the header {name!r}", name + value)


def _check_latin_1(kind: str, what: str, text: str) -> None:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise StartResponseError(
            kind,
            f"{what} has the character U+{ord(text[error.start]):04X}, and HTTP carries Latin-1 only: "
            "encode it, as RFC 8187 does",
        ) from None


def _start_error(why: Any) -> Exception:
    """The exception for a head that the host refused."""
    if isinstance(why, bindings.StartError_Closed):
        return ClientDisconnected()
    kind, text = _START_ERRORS[type(why)]
    return StartResponseError(kind, text or why.value)


#: The names of the WIT; the text where the host gives none.
_START_ERRORS = {
    bindings.StartError_AlreadyCalled: (
        "already-called",
        "start_response was called before: to replace the head, give exc_info",
    ),
    bindings.StartError_HeadSent: ("head-sent", "the head is with the client and cannot be replaced"),
    bindings.StartError_BadStatus: ("bad-status", None),
    bindings.StartError_BadHeader: ("bad-header", None),
    bindings.StartError_TooLarge: ("too-large", None),
}


def _iterable(result: Any) -> Iterable[Any]:
    if isinstance(result, bytes | str):
        hint = "[body]" if isinstance(result, bytes) else "[text.encode()]"
        raise BodyError(f"the application returned {_a(result)}: return an iterable of bytes, such as {hint}")
    try:
        return iter(result)
    except TypeError:
        raise BodyError(
            f"the application returned {_a(result)}: return an iterable of bytes, such as [b'...']; "
            'if it is an ASGI application, say so: [build] interface = "asgi"'
        ) from None


def _checked(item: Any, what: str) -> bytes:
    """`item` as bytes, if it is of a class derived from them."""
    if isinstance(item, bytes):
        return bytes(item)
    mend = "encode it" if isinstance(item, str) else "convert it with bytes()"
    raise BodyError(f"{what} {_a(item)}, but a body is of bytes: {mend}")


def _a(value: Any) -> str:
    """A value by its kind, for a message: `None`, `a str`, `an int`."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _innermost(error: BaseException) -> str:
    """Where the application was when it met `error`."""
    return place_of(error) or "the application"
