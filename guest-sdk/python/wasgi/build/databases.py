"""SQLite databases: the folders that an application keeps them in, and a line in the log where it cannot."""

import os
import sys
from collections.abc import Callable
from typing import Any

from wasgi import file
from wasgi.errors import error_stream
from wasgi.faults import caller, shown

#: Folders of databases that were opened at the build; the paths that were looked at since.
_folders: set[str] = set()
_known: set[str] = set()
_is_built = False


def watch() -> None:
    """From now on databases that are opened are noted, if SQLite has been imported."""
    for name in ("sqlite3", "sqlite3.dbapi2"):
        module = sys.modules.get(name)
        if module is not None and not hasattr(module.connect, "watched"):
            setattr(module, "connect", _watched(module.connect))


def settle() -> list[str] | None:
    """The folders, once the application is built; none if it has not imported SQLite. At run time faults are told."""
    global _is_built
    _is_built = True
    return sorted(_folders) if "_sqlite3" in sys.modules else None


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*arguments: Any, **named: Any) -> Any:
        _note(arguments[0] if arguments else named.get("database"))
        return original(*arguments, **named)

    setattr(connect, "watched", True)
    return connect


def _note(database: Any) -> None:
    try:
        name = os.fsdecode(database)
    except (TypeError, ValueError):
        return
    path = os.path.normpath(os.path.join(file.ROOT, name))
    if name in ("", ":memory:") or name.startswith("file:") or path in _known:
        return
    for root in (file.ROOT, file.MOUNT):
        if path.startswith(root + "/"):
            _look_at(path, os.path.dirname(path).removeprefix(root).lstrip("/"))


def _look_at(path: str, folder: str) -> None:
    if not _is_built:
        _folders.add(folder)
        return
    _known.add(path)
    if os.path.exists(path):
        return
    try:
        # As SQLite does next.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
    except OSError as error:
        grant = f"--dir ./{folder}:{file.MOUNT}/{folder}" if folder else f"--dir .:{file.MOUNT}"
        error_stream.write(
            f"{caller() or 'the application'} opens the database {shown(path)}, which is not there and cannot be made "
            f"({error.strerror}): grant its folder, such as {grant}\n"
        )
