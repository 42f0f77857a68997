"""The host's side of a request in pure Python: for warm-up requests, and for tests.

It keeps the rules that `wit/gateway.wit` gives, as far as an application can tell.
"""

from wasgi import bindings
from wasgi.bindings import Err

#: What the host sets by default, in bytes.
WRITE_CHUNK_MAX = 256 * 1024


class FakeInput:
    """The `input` resource over bytes."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.reads: list[int] = []

    def read(self, max: int) -> bytes:
        self.reads.append(max)
        data, self._body = self._body[:max], self._body[max:]
        return data


class FakeRequest:
    """The `environ` resource."""

    def __init__(self, variables: dict[str, str], body: bytes = b"") -> None:
        self._variables = variables
        self._input: FakeInput | None = FakeInput(body)

    def get(self, name: str) -> str | None:
        return self._variables.get(name)

    def entries(self) -> list[tuple[str, str]]:
        return list(self._variables.items())

    def input(self) -> FakeInput:
        if self._input is None:
            raise Err(bindings.InputError_Taken())
        taken, self._input = self._input, None
        return taken


class FakeStart:
    """The `start-response` resource, and the writers that it returns."""

    def __init__(self, chunk_max: int = WRITE_CHUNK_MAX) -> None:
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        self.reports: list[str] = []
        self.chunks: list[bytes] = []
        self.has_left = False
        self._chunk_max = chunk_max
        self._called = False

    def call(self, status: str, headers: list[tuple[str, str]], exc_info: str | None) -> "FakeStart":
        again, self._called = self._called, True
        if exc_info is not None:
            self.reports.append(exc_info)
        if self.has_left:
            raise Err(bindings.StartError_Closed())
        if again and exc_info is None:
            raise Err(bindings.StartError_AlreadyCalled())
        if self.chunks:
            raise Err(bindings.StartError_HeadSent())
        if len(status) < 4 or not status[:3].isdecimal() or status[3] != " ":
            raise Err(bindings.StartError_BadStatus(f"the status {status!r} is not `NNN Reason`"))
        for name, value in headers:
            if "\n" in value or "\r" in value:
                raise Err(bindings.StartError_BadHeader(f"the header {name} has a control character"))
        self.head = (status, list(headers))
        return self

    def write(self, chunk: bytes) -> None:
        if self.has_left:
            raise Err(bindings.WriteError_Closed())
        if len(chunk) > self._chunk_max:
            raise Err(bindings.WriteError_TooLarge(self._chunk_max))
        length = self.header("content-length")
        if length is not None and self.sent() + len(chunk) > int(length):
            raise Err(bindings.WriteError_PastContentLength())
        if chunk:
            self.chunks.append(chunk)

    def header(self, name: str) -> str | None:
        """The value of a header of the response."""
        for known, value in self.head[1] if self.head else []:
            if known.lower() == name:
                return value
        return None

    def sent(self) -> int:
        """Bytes that were written."""
        return sum(map(len, self.chunks))


def variables(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> dict[str, str]:
    """What the host would tell of a request, all of it text."""
    path, _, query = target.partition("?")
    made = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _decoded(path),
        "QUERY_STRING": query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_SOFTWARE": "wasgi",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_SCHEME": "http",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_HOST": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "localhost",
        "wsgi.version": "1.0",
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": "true",
        "wsgi.multithread": "false",
        "wsgi.multiprocess": "true",
        "wsgi.run_once": "true",
        "wasgi.request_id": "warm-up",
        "wasgi.app": "warm-up",
    }
    if body or method in ("POST", "PUT", "PATCH"):
        made["CONTENT_LENGTH"] = str(len(body))
    for name, value in (headers or {}).items():
        variable = name.upper().replace("-", "_")
        made[variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"] = value
    return made


def _decoded(path: str) -> str:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path).decode("latin-1")
