"""`wsgi.input`: the request body (rules 31 to 38)."""

import io
from collections.abc import Iterator
from typing import Any

from wasgi import bindings
from wasgi.errors import ClientDisconnected, InputTimedOut, InputTooLarge

#: What is asked of the host at a time, in bytes: the host copies as much as it has, at most this.
CHUNK = 64 * 1024

#: A read of more is done in pieces of this size, in bytes.
LARGE = 1024 * 1024


class Input:
    """The request body as a buffered binary file that cannot be sought.

    Nothing is asked of the host before the application reads. The end of the body is the end of the
    file, however it was sent: `read()` needs no length.
    """

    __slots__ = ("_request", "_reader")

    def __init__(self, request: Any) -> None:
        self._request = request
        self._reader: io.BufferedReader | None = None

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end; all that is left if `size` is absent or negative."""
        if size is None or size <= LARGE:
            return self._open().read(size)
        return self._read_large(size)

    def read1(self, size: int = -1) -> bytes:
        """At most `size` bytes, what the host has at hand; waits only if that is nothing."""
        return self._open().read1(size)

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer`, as far as there is something to fill it with."""
        return self._open().readinto(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        """Up to and with the next newline, and at most `size` bytes."""
        return self._open().readline(size)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """The lines that are left; no further than the one that passes `hint` bytes."""
        return self._open().readlines(hint)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self._open().readline()
        if not line:
            raise StopIteration
        return line

    def __getattr__(self, name: str) -> Any:
        # The rest of what a binary file has, such as `readable`, for io.TextIOWrapper and the like.
        return getattr(self._open(), name)

    def _read_large(self, size: int) -> bytes:
        # In one piece, room for all of it would be made first.
        pieces = []
        while size > 0 and (piece := self._open().read(min(size, LARGE))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _open(self) -> io.BufferedReader:
        if self._reader is None:
            self._reader = io.BufferedReader(_Raw(self._request), CHUNK)
        return self._reader


class _Raw(io.RawIOBase):
    """The host's side, unbuffered."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self._input = _call(request.input)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = _call(self._input.read, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        pieces = []
        while data := _call(self._input.read, CHUNK):
            pieces.append(data)
        return b"".join(pieces)


def _call(function: Any, *arguments: Any) -> Any:
    """Calls the host; its errors are raised as `OSError`s, which frameworks know how to handle."""
    try:
        return function(*arguments)
    except bindings.Err as error:
        raise _ERRORS.get(type(error.value), ClientDisconnected)() from None


_ERRORS = {
    bindings.InputError_TooLarge: InputTooLarge,
    bindings.InputError_TimedOut: InputTimedOut,
}
