"""`wsgi.errors`, and the errors that an application may meet."""

import errno
from collections.abc import Callable, Iterable

from wasgi import bindings


class ClientDisconnected(ConnectionResetError):
    """The client has gone: clean up and return. An `OSError`, as on a socket."""

    #: The name of the error in `wit/gateway.wit`, as in the classes below.
    kind = "closed"

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client has gone or broke off the request body")


class InputTooLarge(OSError):
    """The request body, streamed without a length, has passed the host's `body-max`."""

    kind = "too-large"

    def __init__(self) -> None:
        super().__init__(errno.EFBIG, "the request body is over the host's body-max")


class InputTimedOut(TimeoutError):
    """The client sent nothing for longer than the host's `body-idle-max`."""

    kind = "timed-out"

    def __init__(self) -> None:
        super().__init__(errno.ETIMEDOUT, "the client sent no more of the request body in time")


class StartResponseError(AssertionError):
    """`start_response` was called wrongly; the text says how (rules 43 to 56)."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class BodyError(TypeError):
    """What the application returned, yielded or wrote is no body; the text says how to mend it."""


class WriteError(AssertionError):
    """A chunk cannot be sent; the text says why (rules 60 and 62)."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class ErrorStream:
    """`wsgi.errors`: the application's own log, each line under its request (rules 39 to 42).

    One stream serves all requests of an instance: the host knows which request is in hand.
    """

    encoding = "utf-8"
    errors = "backslashreplace"
    closed = False

    def __init__(self, sink: Callable[[str], object]) -> None:
        self.sink = sink

    def write(self, text: str) -> int:
        """Appends any text; what UTF-8 cannot carry is escaped (rule 40)."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}: decode it first")
        self.sink(text if text.isascii() else encodable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is kept back."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False


def encodable(text: str) -> str:
    """`text` without lone surrogates, which a component's strings cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


#: The stream that each request gets. While a component is built its sink is the build's log.
error_stream = ErrorStream(bindings.write_errors)
