"""The server side of PEP 3333, for one application: `application(environ, start_response)`."""

from collections.abc import Callable
from typing import Any

from wasgi.errors import error_stream
from wasgi.faults import traceback_of
from wasgi.file import FileWrapper
from wasgi.input import Input
from wasgi.response import Response


class Server:
    """Calls a WSGI application, once for each request of the host (rule 1)."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.application = application

    def serve(self, request: Any, start: Any) -> Any:
        """Answers one request: `request` and `start` are the host's handles, what comes back is its `body`.

        Nothing escapes that is not meant to end the instance: not SystemExit, not KeyboardInterrupt.
        """
        response = Response(start)
        result: Any = None
        try:
            result = self.application(environ_of(request), response.start_response)
            return response.body(result)
        except BaseException as error:
            return response.fail(error)
        finally:
            if type(result) is not list:
                _close(result)

    def settle(self) -> None:
        """Ends the build: there is nothing to end."""


def environ_of(request: Any) -> dict[str, Any]:
    """The environ: a dict of native strings and the `wsgi.*` entries, the application's to change (rules 3, 19-30)."""
    environ: dict[str, Any] = dict(request.entries())
    environ["wsgi.version"] = (1, 0)
    environ["wsgi.input"] = Input(request)
    environ["wsgi.errors"] = error_stream
    environ["wsgi.file_wrapper"] = FileWrapper
    # They cross as text.
    environ["wsgi.input_terminated"] = environ.get("wsgi.input_terminated") == "true"
    environ["wsgi.multithread"] = environ.get("wsgi.multithread") == "true"
    environ["wsgi.multiprocess"] = environ.get("wsgi.multiprocess") == "true"
    environ["wsgi.run_once"] = environ.get("wsgi.run_once") == "true"
    return environ


def _close(result: Any) -> None:
    """Closes what the application returned, on every way out (rule 65)."""
    close = getattr(result, "close", None)
    if close is None:
        return
    try:
        close()
    except BaseException as error:
        # The response is complete, or failed already; the client has no use for this one.
        error_stream.write(traceback_of(error))
