"""Errors as text, for the log and for the report of a build."""

import os
import sys
import traceback

#: Where this package lies; its frames say nothing to an application's author.
_HERE = __file__.rpartition("/")[0] + "/"

#: Where code is that is not the application's: this package, and Python's library, which in a component is in
#: `/python` at the build and in the bundle when it runs.
_NOT_THE_APPLICATIONS = ("<frozen", _HERE, os.path.dirname(os.__file__) + "/", "/python/", "/0/.wasgi/stdlib/")


def traceback_of(error: BaseException) -> str:
    """The traceback of `error`, from where the application was entered; none of it if this package found the fault."""
    trace = error.__traceback__
    while trace is not None and not is_application(trace.tb_frame.f_code.co_filename):
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
    return not filename.startswith(_NOT_THE_APPLICATIONS)


def shown(filename: str) -> str:
    """A file's path as the author knows it."""
    return filename.removeprefix("/0/.wasgi/site-packages/").removeprefix("/0/")
