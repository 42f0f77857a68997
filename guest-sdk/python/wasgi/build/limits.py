"""Messages in place of the bare errors of what an instance cannot do."""

import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from wasgi.faults import caller


def explain_limits() -> None:
    """From now on a thread, a socket or a temporary file that cannot be had says so, and where it was asked for."""
    _explain_threads()
    for name in ("connect", "bind", "listen"):
        setattr(socket.socket, name, _with_hint(getattr(socket.socket, name), OSError, _SOCKET))
    setattr(socket, "getaddrinfo", _with_hint(socket.getaddrinfo, OSError, _SOCKET))
    original = tempfile._get_default_tempdir  # type: ignore[attr-defined]
    setattr(tempfile, "_get_default_tempdir", _with_hint(original, OSError, _TEMPORARY))


def _explain_threads() -> None:
    for name in ("_start_joinable_thread", "_start_new_thread"):
        original = getattr(threading, name, None)
        if original is not None:
            setattr(threading, name, _with_hint(original, RuntimeError, _THREAD))


def _with_hint(original: Callable[..., Any], kind: type[Exception], hint: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return original(*arguments, **named)
        except kind as error:
            text = f"{error.strerror if isinstance(error, OSError) else error} ({caller() or 'the application'} {hint})"
            raise (type(error)(error.errno, text) if isinstance(error, OSError) else type(error)(text)) from None

    return call


_THREAD = "starts a thread, and an instance has only one: do the work in the request, or leave it to another service"
_TEMPORARY = "wants a temporary file: grant a directory for them, such as --dir ./tmp:/tmp"
_SOCKET = "opens a connection, and an app has no network unless its operator grants it"
