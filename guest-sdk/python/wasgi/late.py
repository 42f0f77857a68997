"""Reports modules that are imported for the first time when a request runs.

What was imported at the build is in the snapshot and costs nothing. What comes later is read from the bundle and
compiled in every fresh instance; that works, but slowly.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from wasgi.faults import shown


class Missing:
    """The last finder at the build: notes what is not there at all, which is no surprise later."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> None:
        self.names.add(name)


class LateImports:
    """The first finder when requests run: finds nothing itself, and reports what the others find."""

    def __init__(self, known_missing: set[str], report: Callable[[str], object]) -> None:
        self._known_missing = known_missing
        self._report = report
        self._late: set[str] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self._known_missing or name in self._late:
            return None
        importer = _importer()
        spec = self._ask_the_others(name, path, target)
        if spec is None and name.partition(".")[0] not in sys.stdlib_module_names:
            return None
        self._late.add(name)
        # What a late module imports in turn is part of it.
        if (
            importer is None
            or importer.f_code.co_name != "<module>"
            or importer.f_globals.get("__name__") not in self._late
        ):
            self._report(_message(name, importer, spec is not None))
        return spec

    def _ask_the_others(self, name: str, path: Any, target: Any) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is not self and find_spec is not None:
                if spec := find_spec(name, path, target):
                    return spec
        return None


def _message(name: str, importer: FrameType | None, found: bool) -> str:
    place = f"{shown(importer.f_code.co_filename)}:{importer.f_lineno}" if importer else "the application"
    what = "which is slow, in every fresh instance" if found else "and it is neither in the component nor in its bundle"
    return (
        f"{place} imports {name} only now, {what}: add {name!r} to `imports` under [build] in wasgi.toml, "
        "or a path that needs it to `warm-up`\n"
    )


def _importer() -> FrameType | None:
    """The frame that has the import statement."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and ("importlib" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
        frame = frame.f_back
    return frame
