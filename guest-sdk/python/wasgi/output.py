"""stdout and stderr that survive the build.

Whatever runs while a component is built may keep `sys.stdout` or `sys.stderr` (as the handlers of
`logging` do), so these two objects stay for good and only change where they write to.
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Output(io.TextIOBase):
    """A text stream in front of another."""

    def __init__(self, target: TextIO) -> None:
        super().__init__()
        self.target: TextIO = target

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        return self.target.write(text)

    def flush(self) -> None:
        self.target.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.target.fileno()

    @property
    def encoding(self) -> str:
        return "utf-8"

    @property
    def buffer(self) -> Any:
        return self.target.buffer


class BuildLog(io.TextIOBase):
    """What is printed while a component is built: its beginning, in memory."""

    #: Characters that are kept; what is past them is counted.
    LIMIT = 256 * 1024

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._room = self.LIMIT
        self._dropped = 0
        self.buffer = _Decoder(self)

    def write(self, text: str) -> int:
        kept = text[: self._room]
        self._pieces.append(kept)
        self._room -= len(kept)
        self._dropped += len(text) - len(kept)
        return len(text)

    def writable(self) -> bool:
        return True

    def text(self) -> str:
        end = f"\n({self._dropped} more characters were printed)\n" if self._dropped else ""
        return "".join(self._pieces) + end


class _Decoder(io.RawIOBase):
    """`sys.stdout.buffer` while a component is built."""

    def __init__(self, log: BuildLog) -> None:
        super().__init__()
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._log.write(data.decode("utf-8", "replace"))
        return len(data)


def redirect(log: BuildLog) -> None:
    """From now on what is printed goes to `log`."""
    sys.stdout = Output(log)
    sys.stderr = Output(log)


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """What is printed meanwhile is dropped."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, Output)]
    targets = [stream.target for stream in streams]
    for stream in streams:
        stream.target = BuildLog()
    try:
        yield
    finally:
        for stream, target in zip(streams, targets, strict=True):
            stream.target = target


def restore() -> None:
    """From now on what is printed goes to the standard streams."""
    for stream, real in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)):
        if isinstance(stream, Output):
            stream.target = real
