"""The connection scope of ASGI, from the host's variables."""

from collections.abc import MutableMapping
from typing import Any


def scope_of(request: Any, state: dict[str, Any]) -> MutableMapping[str, Any]:
    """The scope of an HTTP request (ASGI 3.0, "HTTP & WebSocket", 2.4)."""
    variables: dict[str, str] = dict(request.entries())
    root = variables.get("SCRIPT_NAME", "")
    target = variables.get("RAW_URI", "/")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": _version(variables.get("SERVER_PROTOCOL", "HTTP/1.1")),
        "method": variables.get("REQUEST_METHOD", "GET"),
        "scheme": variables.get("wsgi.url_scheme", "http"),
        "path": _text(root + variables.get("PATH_INFO", "")),
        "raw_path": target.partition("?")[0].encode("latin-1"),
        "query_string": variables.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": _text(root),
        "headers": headers_of(variables),
        "client": _client(variables),
        "server": (variables.get("SERVER_NAME", ""), int(variables.get("SERVER_PORT") or 0)),
        "state": state,
        "extensions": {},
    }


def headers_of(variables: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """The request's headers; those that were repeated are one already (RFC 3875 section 4.1.18)."""
    headers = []
    for name, value in variables.items():
        if name.startswith("HTTP_"):
            name = name[5:]
        elif name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            continue
        headers.append((name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1")))
    return headers


def _version(protocol: str) -> str:
    version = protocol.rpartition("/")[2]
    return "2" if version == "2.0" else version


def _client(variables: dict[str, str]) -> tuple[str, int] | None:
    address = variables.get("REMOTE_ADDR")
    return (address, int(variables.get("REMOTE_PORT") or 0)) if address else None


def _text(native: str) -> str:
    return native.encode("latin-1").decode("utf-8", "replace")
