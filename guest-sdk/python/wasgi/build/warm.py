"""Requests at the build, so that what an application does only once is done, and in the snapshot."""

import time
from collections.abc import Callable
from typing import Any

from wasgi import output
from wasgi.build.config import BuildError, Config
from wasgi.errors import error_stream
from wasgi.fake import FakeRequest, FakeStart, variables

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Methods of requests that may come again (RFC 9110 section 9.2.1).
SAFE = ("GET", "HEAD", "OPTIONS")

#: How often these are asked again. CPython rewrites its code by what it meets, at the second time and later; what it has
#: not rewritten in the snapshot it would rewrite in each instance.
AGAIN = 15

#: For how long, in seconds.
AGAIN_FOR = 2.0

Serve = Callable[[Any, Any], Any]


def warm_all(config: Config, serve: Serve) -> list[dict[str, str]]:
    """Runs all of `warm-up`; what failed."""
    warnings = []
    for line in config.warm_up:
        warning = warm_up(line, config.warm_up_host, serve)
        if warning is None and parse(line)[0] in SAFE:
            warning = _repeat(line, config.warm_up_host, serve)
        if warning:
            warnings.append(warning)
    return warnings


def _repeat(line: str, host: str, serve: Serve) -> dict[str, str] | None:
    """Runs one that went well some times more, and shows nothing of it but that it fails now."""
    sink, error_stream.sink = error_stream.sink, lambda text: None
    end = time.monotonic() + AGAIN_FOR
    try:
        with output.muted():
            for _ in range(AGAIN):
                warning = warm_up(line, host, serve)
                if warning or time.monotonic() > end:
                    return warning
    finally:
        error_stream.sink = sink
    return None


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
