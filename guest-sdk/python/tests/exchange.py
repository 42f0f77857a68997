"""One request against an application, with the fake host."""

from dataclasses import dataclass
from typing import Any

from wasgi.errors import error_stream
from wasgi.fake import FakeRequest, FakeStart, variables
from wasgi.server import Server


@dataclass
class Outcome:
    """What came of a request."""

    start: FakeStart
    returned: Any
    log: str
    aborted: Exception | None

    @property
    def status(self) -> str:
        assert self.start.head is not None, f"no head; the log: {self.log}"
        return self.start.head[0]

    @property
    def headers(self) -> dict[str, str]:
        assert self.start.head is not None
        return dict(self.start.head[1])

    @property
    def body(self) -> bytes:
        """What was written, then what was returned."""
        return b"".join(self.start.chunks) + getattr(self.returned, "value", b"")


def ask(
    server: Any,
    method: str = "GET",
    target: str = "/",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    start: FakeStart | None = None,
) -> Outcome:
    """One request of `server`, a WSGI application or something with `serve`."""
    if not hasattr(server, "serve"):
        server = Server(server)
    start = start or FakeStart()
    log: list[str] = []
    sink, error_stream.sink = error_stream.sink, log.append
    try:
        returned = server.serve(FakeRequest(variables(method, target, headers, body), body), start)
        return Outcome(start, returned, "".join(log), None)
    except Exception as error:
        return Outcome(start, None, "".join(log), error)
    finally:
        error_stream.sink = sink
