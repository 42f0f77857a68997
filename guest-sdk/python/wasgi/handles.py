"""How a handle of the host is given back when its object is gone.

componentize-py makes a `weakref.finalize` for each handle that crosses, three for each request, and takes that class
from its module when the build ends. The real one keeps a registry, so that it can run when the interpreter exits,
which an instance never does. This one saves a fifth of a small request. Should componentize-py do without one day,
nothing changes.
"""

import weakref
from collections.abc import Callable
from typing import Any

_original = weakref.finalize


class Finalizer:
    """Lives in the object's `__dict__`, and so goes with it."""

    __slots__ = ("_call",)

    def __init__(self, owner: Any, function: Callable[..., Any], *arguments: Any) -> None:
        self._call: tuple[Callable[..., Any], tuple[Any, ...]] | None = (function, arguments)

    def detach(self) -> tuple[None, Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None:
        """Gives up the call: the handle was handed on, or given back already."""
        call, self._call = self._call, None
        return None if call is None else (None, call[0], call[1], {})

    def __del__(self) -> None:
        if self._call is not None:
            function, arguments = self._call
            function(*arguments)


def lend() -> None:
    """Puts it where componentize-py looks."""
    weakref.finalize = Finalizer  # type: ignore[assignment, misc]


def restore() -> None:
    """Puts the real one back, for everybody else."""
    weakref.finalize = _original  # type: ignore[misc]
