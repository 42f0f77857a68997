"""Closes what is open when the build ends: files and the like do not live on in a snapshot.

A handle left open would, in an instance, name nothing, or a file that was opened later.
"""

import gc
import io
import logging
import sys

from wasgi.faults import shown


def close_all(keep: set[int]) -> list[str]:
    """Closes every open file but those with a number in `keep`; what was closed, as warnings."""
    _rest_log_files()
    warnings = [_closed(file) for file in gc.get_objects() if isinstance(file, io.FileIO) and _is_open(file, keep)]
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is not None:
        for connection in gc.get_objects():
            if isinstance(connection, sqlite3.Connection) and _close_database(connection):
                warnings.append(
                    "a connection to an SQLite database was open at the end of the build and is closed: "
                    "open it in the request, or close it at the end of each"
                )
    return warnings


def _is_open(file: io.FileIO, keep: set[int]) -> bool:
    return not file.closed and file.fileno() not in keep


def _closed(file: io.FileIO) -> str:
    name = file.name if isinstance(file.name, str) else "a file"
    file.close()
    mend = "open it in the request, or close it after reading"
    return f"{shown(name)} was open at the end of the build and is closed: {mend}"


def _rest_log_files() -> None:
    """Files of `logging` are opened again by themselves when something is logged."""
    for reference in list(logging._handlerList):  # type: ignore[attr-defined]
        handler = reference()
        if isinstance(handler, logging.FileHandler) and handler.stream is not None:
            handler.stream.close()
            handler.stream = None  # type: ignore[assignment]


def _close_database(connection: object) -> bool:
    try:
        connection.total_changes  # type: ignore[attr-defined]  # raises if it is closed
        connection.close()  # type: ignore[attr-defined]
    except Exception:
        return False
    return True
