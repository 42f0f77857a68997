"""Messages in place of the bare errors of what an instance cannot do."""

import errno
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from wasgi.faults import caller


class _Network:
    """Whether it may be asked for. At the build it is not: the C library keeps what it gets, and an instance has that not."""

    is_there = False


def explain_limits() -> None:
    """From now on a thread, a socket or a temporary file that cannot be had says so, and where it was asked for."""
    _explain_threads()
    for owner, names in ((socket.socket, _METHODS), (socket, _FUNCTIONS)):
        for name in names.split():
            original = getattr(owner, name, None)
            if original is not None:
                setattr(owner, name, _at_run_time(_with_hint(original, OSError, _SOCKET)))
    original = tempfile._get_default_tempdir  # type: ignore[attr-defined]
    setattr(tempfile, "_get_default_tempdir", _with_hint(original, OSError, _TEMPORARY))


def end_build() -> None:
    """From now on the network may be asked for."""
    _Network.is_there = True


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


def _at_run_time(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if _Network.is_there:
            return original(*arguments, **named)
        text = f"{os.strerror(errno.EACCES)} ({caller() or 'the application'} {_AT_BUILD})"
        raise PermissionError(errno.EACCES, text)

    return call


#: What reaches for the network, of a socket and of the module.
_METHODS = "connect connect_ex bind listen sendto"
_FUNCTIONS = "getaddrinfo gethostbyname gethostbyname_ex gethostbyaddr getnameinfo"

_THREAD = "starts a thread, and an instance has only one: do the work in the request, or leave it to another service"
_TEMPORARY = "wants a temporary file: grant a directory for them, such as --dir ./tmp:/tmp"
_SOCKET = "opens a connection, and an app has no network unless its operator grants it"
_AT_BUILD = "opens a connection, and there is no network at the build: open it in a request"
