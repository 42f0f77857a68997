"""The build from beginning to end, and the object that componentize-py calls for each request."""

import gc
import json
import os
import shutil
import sys
from typing import Any

from wasgi import absent_hashes, absent_ssl, bindings, file, handles, output
from wasgi.build import databases, heap, zones
from wasgi.build.closing import close_all
from wasgi.build.config import BuildError, Config
from wasgi.build.limits import end_build, explain_limits
from wasgi.build.loading import guarded, is_asgi, load
from wasgi.build.preload import preload
from wasgi.build.warm import warm_all
from wasgi.errors import error_stream
from wasgi.faults import traceback_of
from wasgi.late import LateImports, Missing
from wasgi.server import Server
from wasgi.wake import Sleeper

#: The folder of the entry module, where `wasgi build` and this exchange files.
DESK = "/1"

#: Packages and Python's own library, in the bundle.
PACKAGES = f"{file.ROOT}/.wasgi/site-packages"
STDLIB = f"{file.ROOT}/.wasgi/stdlib"

#: Time zones, as in /usr/share/zoneinfo, where `wasgi build` has put those of its machine.
ZONES = f"{file.ROOT}/.wasgi/zoneinfo"

#: Where componentize-py puts Python's own library while it builds.
PYTHON = "/python"

#: New objects between two collections of garbage. A request makes fewer, and a collection looks at many pages.
COLLECT_AFTER = 50_000


class World:
    """The exported world: `application` is called once for each request."""

    def __init__(self, serve: Any, sleeper: Sleeper) -> None:
        self._serve = serve
        self._sleeper = sleeper
        self.application = self._first

    def _first(self, request: Any, start: Any) -> Any:
        handles.restore()
        databases.begin(request)
        self._sleeper.wake()
        self.application = self._serve
        return self._serve(request, start)


def build() -> Any:
    """Imports and warms up the application that `wasgi-build.json` names; what it returns makes the `World`.

    Raises `BuildError`. Either way there is a report for `wasgi build` afterwards.
    """
    log = output.BuildLog()
    output.redirect(log)
    error_stream.sink = log.write
    report: dict[str, Any] = {"error": None, "warnings": []}
    try:
        world = _build(Config.read(f"{DESK}/wasgi-build.json"), report)
    except BuildError as error:
        report["error"] = str(error)
        raise
    except BaseException as error:
        report["error"] = f"the build failed: {traceback_of(error)}"
        raise BuildError(report["error"]) from None
    finally:
        report["output"] = log.text()
        _write(report)
        output.restore()
        error_stream.sink = bindings.write_errors
    handles.lend()
    heap.settle(f"{DESK}/immortal")
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    return lambda: world


def _write(report: dict[str, Any]) -> None:
    with open(f"{DESK}/report.json", "w", encoding="utf-8") as target:
        json.dump(report, target)


def _foresee(doing: str) -> None:
    """Should the interpreter end now, this is what the author is told: no report would follow."""
    _write(
        {
            "error": f"{doing} ended the interpreter: look there for os._exit, os.abort, or calls nested too deep, and take "
            "them out"
        }
    )


def _build(config: Config, report: dict[str, Any]) -> World:
    sleeper = Sleeper()
    missing = Missing()
    given = _prepare(config)
    before = {number for number in range(64) if _is_open(number)}
    preload()
    sleeper.watch()
    explain_limits()
    databases.watch()
    sys.meta_path.append(missing)
    read = _watch_environ()
    _foresee(f"importing {config.app}")
    application = load(config.app)
    for name in config.imports:
        guarded(f"`imports` under [build] in wasgi.toml: {name}", lambda name=name: __import__(name))
    server = _server(config, application)
    _foresee(f"warming up {config.app} ({', '.join(config.warm_up)})")
    report["warnings"] += warm_all(config, server.serve)
    report["databases"] = databases.settle()
    server.settle()
    absent_hashes.settle()
    report["warnings"] += [{"message": text, "log": ""} for text in close_all(before)]
    report["environ"] = sorted(read - set(given))
    sys.meta_path.remove(missing)
    _go_to_run_time(config, missing)
    sleeper.sleep(given)
    return World(server.serve, sleeper)


def _prepare(config: Config) -> dict[str, str]:
    """Paths, directory and environment as they shall be for the application; the environment is returned."""
    sys.path[:] = [file.ROOT, PACKAGES, *(path for path in sys.path if path not in (file.ROOT, DESK)), DESK]
    os.environ.clear()
    os.environ.update(config.env)
    os.chdir(file.ROOT)
    absent_ssl.install()
    absent_hashes.install()
    zones.install(ZONES)
    return dict(os.environ)


def _server(config: Config, application: Any) -> Any:
    """What answers requests: for WSGI, or for ASGI."""
    asgi = config.interface == "asgi" or (config.interface == "auto" and is_asgi(application))
    if asgi or "asyncio" in sys.modules:
        from wasgi.asgi import Bridge, install

        install()
        if asgi:
            return Bridge(application, config.lifespan)
    return Server(application)


def _go_to_run_time(config: Config, missing: Missing) -> None:
    """From now on modules are looked for in the bundle, and finding one is told; the network may be asked for."""
    end_build()
    if config.stdlib:
        _copy_stdlib()
    sys.path[:] = [file.ROOT, PACKAGES, STDLIB]
    for module in list(sys.modules.values()):
        path = getattr(module, "__path__", None)
        if isinstance(path, list) and path and path[0].startswith(PYTHON + "/"):
            module.__path__ = [STDLIB + path[0].removeprefix(PYTHON)]
    sys.path_importer_cache.clear()
    sys.meta_path.insert(0, LateImports(missing.names, error_stream.write))
    file.bundled = frozenset(_files_to_send())


#: Parts of Python's library that are of no use to a server, or of none without a terminal or native code.
_NO_USE = (
    "__pycache__ config-3* ctypes curses ensurepip idlelib lib2to3 pydoc_data site-packages test tkinter turtle* "
    "turtledemo venv _pyrepl *.txt *.json"
).split()


def _copy_stdlib() -> None:
    shutil.rmtree(STDLIB, ignore_errors=True)
    shutil.copytree(PYTHON, STDLIB, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns(*_NO_USE))


#: Files that nobody sends to a client.
_NOT_SENT = (".py", ".pyc", ".pyi", ".po", ".mo")


def _files_to_send() -> list[str]:
    """The files of the bundle that an application may return as a body, by their paths in it."""
    found = []
    for folder, folders, names in os.walk(file.ROOT):
        if STDLIB in (f"{folder}/{name}" for name in folders):
            folders.remove("stdlib")
        folders[:] = [name for name in folders if name != "__pycache__" and not name.endswith(".dist-info")]
        prefix = folder.removeprefix(file.ROOT).lstrip("/")
        found += [f"{prefix}/{name}".lstrip("/") for name in names if not name.endswith(_NOT_SENT)]
    return found


def _watch_environ() -> set[str]:
    """Notes which environment variables are read at the build: these are what an app may ask its operator for."""
    read: set[str] = set()

    class Watched(type(os.environ)):  # type: ignore[misc]
        def __getitem__(self, name: str) -> str:
            read.add(name)
            return super().__getitem__(name)

    os.environ.__class__ = Watched
    return read


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
