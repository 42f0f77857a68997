"""SQLite databases: the folders that an application keeps them in, and what stands in their way at run time.

SQLite locks a database by a folder `NAME.lock` beside it, since WASI has no locks. A request that is ended while it writes
leaves that behind. Where the host holds an app to one instance at a time, whoever comes next may remove it.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from wasgi import file
from wasgi.errors import error_stream
from wasgi.faults import caller, is_application, shown

#: Folders of databases that were opened at the build; the paths that were looked at since.
_folders: set[str] = set()
_known: set[str] = set()


class _State:
    is_built = False
    is_used = False
    #: Whether no other instance of the app runs beside this one.
    is_alone = False


def watch() -> None:
    """From now on databases that are opened are noted."""
    import sqlite3

    for module in (sqlite3, sqlite3.dbapi2):
        if not hasattr(module.connect, "watched"):
            setattr(module, "connect", _watched(module.connect))


def settle() -> list[str] | None:
    """The folders, once the application is built; none if it uses no SQLite. At run time faults are told."""
    _State.is_built = True
    _State.is_used = bool(_folders) or _is_imported()
    return sorted(_folders) if _State.is_used else None


def begin(request: Any) -> None:
    """An instance answers its first request."""
    if _State.is_used:
        _State.is_alone = request.get("wsgi.multiprocess") == "false"


def _is_imported() -> bool:
    """Whether a module of the application or of its packages has SQLite by name; this package imports it for everybody."""
    import sqlite3

    own = [module for module in list(sys.modules.values()) if is_application(getattr(module, "__file__", None) or "<frozen")]
    return any(value is sqlite3 or value is sqlite3.dbapi2 for module in own for value in list(vars(module).values()))


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*arguments: Any, **named: Any) -> Any:
        path = _path_of(arguments[0] if arguments else named.get("database"))
        if path is not None and path not in _known:
            _look_at(path)
        return original(*arguments, **named)

    setattr(connect, "watched", True)
    return connect


def _path_of(database: Any) -> str | None:
    try:
        name = os.fsdecode(database)
    except (TypeError, ValueError):
        return None
    if name.startswith("file:"):
        name = name.removeprefix("file:").partition("?")[0]
        name = "/" + name.lstrip("/") if name.startswith("/") else name
    if name in ("", ":memory:"):
        return None
    return os.path.normpath(os.path.join(file.ROOT, name))


def _look_at(path: str) -> None:
    folder = next((os.path.dirname(path)[len(root) :] for root in (file.ROOT, file.MOUNT) if path.startswith(root + "/")), None)
    if not _State.is_built:
        if folder is not None:
            _folders.add(folder.lstrip("/"))
        return
    _known.add(path)
    if _State.is_alone:
        _unlock(path)
    if not os.path.exists(path):
        _make(path, folder)


def _unlock(path: str) -> None:
    try:
        os.rmdir(path + ".lock")
    except OSError:
        return
    error_stream.write(f"the lock of {shown(path)} is removed: a request that was ended while it wrote had left it\n")


def _make(path: str, folder: str | None) -> None:
    try:
        # As SQLite does next.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
    except OSError as error:
        place = os.path.dirname(path) if folder is None else file.MOUNT + folder
        grant = f"--dir HOST:{place}" if folder is None else f"--dir .{folder}:{place}"
        error_stream.write(
            f"{caller() or 'the application'} opens the database {shown(path)}, which is not there and cannot be made "
            f"({error.strerror}): grant its folder, such as {grant}\n"
        )
