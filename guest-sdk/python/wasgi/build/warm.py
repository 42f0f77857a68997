"""Requests at the build, so that what an application does only once is done, and in the snapshot."""

from collections.abc import Callable
from typing import Any

from wasgi.build.config import BuildError
from wasgi.errors import error_stream
from wasgi.fake import FakeRequest, FakeStart, variables

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Serve = Callable[[Any, Any], Any]


def warm_up(line: str, host: str, serve: Serve) -> dict[str, str] | None:
    """Runs one request, given as `PATH`, `METHOD PATH` or `METHOD PATH BODY`.

    If it fails: `message`, and `log`, what the application logged meanwhile, with the traceback.
    """
    method, path, body = parse(line)
    headers = {"Host": host, "User-Agent": "wasgi build", "Accept": "*/*"}
    if body:
        headers["Content-Type"] = "application/json" if body[:1] in "{[" else "application/x-www-form-urlencoded"
    content = body.encode()
    start = FakeStart()
    log: list[str] = []
    sink, error_stream.sink = error_stream.sink, log.append
    try:
        serve(FakeRequest(variables(method, path, headers, content), content), start)
        failure = _failure(start)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    finally:
        error_stream.sink = sink
    if failure is None:
        sink("".join(log))
        return None
    mend = "the app is built all the same; mend it, or name other paths in warm-up under [build] in wasgi.toml"
    return {"message": f"the warm-up request {line!r} failed ({failure}): {mend}", "log": "".join(log)}


def parse(line: str) -> tuple[str, str, str]:
    """Method, path with query, and body."""
    first, _, rest = line.strip().partition(" ")
    method, target = (first, rest) if first in METHODS else ("GET", line.strip())
    path, _, body = target.partition(" ")
    if not path.startswith("/"):
        raise BuildError(
            f"warm-up = [{line!r}] under [build] in wasgi.toml is no request: "
            "write '/path', 'METHOD /path' or 'METHOD /path body'"
        )
    return method, path, body


def _failure(start: FakeStart) -> str | None:
    if start.head is None:
        return "it got no answer, start_response was not called"
    status = start.head[0]
    return status if status.startswith("5") else None
