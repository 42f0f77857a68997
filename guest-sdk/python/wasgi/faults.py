"""Errors as text, for the log and for the report of a build."""

import sys
import traceback
from types import TracebackType

#: Where this package lies; its frames say nothing to an application's author.
_HERE = __file__.rpartition("/")[0] + "/"


def traceback_of(error: BaseException) -> str:
    """The traceback of `error`, from where the application was entered; none of it if this package found the fault."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException as second:
        # An error whose text fails, or no memory left for it.
        text = f"{type(error).__name__}, whose traceback cannot be had: {type(second).__name__}\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def place_of(error: BaseException) -> str | None:
    """`path/file.py:12`, the innermost line of the application, or of its packages, that led to `error`."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(error.filename)}:{error.lineno}"
    found = None
    trace = error.__traceback__
    while trace is not None:
        if is_application(trace.tb_frame.f_code.co_filename):
            found = f"{shown(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def caller() -> str | None:
    """`path/file.py:12`, the innermost line of the application on the stack."""
    frame = sys._getframe(1)
    while frame is not None:
        if is_application(frame.f_code.co_filename):
            return f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def is_application(filename: str) -> bool:
    """Whether a file is the application's or one of its packages', and not this package's or Python's."""
    if filename.startswith(("<", _HERE, "/python/", "/0/.wasgi/stdlib/")):
        return False
    return filename.startswith("/0/") or not sys.platform.startswith("wasi")


def shown(filename: str) -> str:
    """A file's path as the author knows it."""
    return filename.removeprefix("/0/.wasgi/site-packages/").removeprefix("/0/")


def _is_ours(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_HERE)
