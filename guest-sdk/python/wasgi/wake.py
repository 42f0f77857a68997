"""What an instance does once, at its first call: it starts from a snapshot, and some of that must not last.

The interpreter lives on from where the build stopped, with its memory as it was then. Random numbers would be
the same in every instance, and the environment is that of the build. Clocks ask the host and need no mending;
the local time is UTC, since WASI has no time zones. The hash seed of str and bytes cannot be changed: it is the
same in all instances of a component.
"""

import os
import random
import sys
import tempfile
import weakref
from typing import Any

from wasgi import file


class Sleeper:
    """Remembers at the build what has to be renewed at the first call."""

    def __init__(self) -> None:
        self._generators: weakref.WeakSet[random.Random] = weakref.WeakSet()
        self._environ: dict[str, str] = {}
        self._seed = random.Random.seed

    def watch(self) -> None:
        """Notes from now on which generators are seeded by chance, and not by the application's own seed."""
        sleeper = self

        def seed(generator: random.Random, *arguments: Any, **named: Any) -> None:
            sleeper._seed(generator, *arguments, **named)
            chosen = arguments[0] if arguments else named.get("a")
            (sleeper._generators.add if chosen is None else sleeper._generators.discard)(generator)

        random.Random.seed = seed  # type: ignore[method-assign]

    def sleep(self, given: dict[str, str]) -> None:
        """Ends the build: what the application added to the environment (`given` was there before) is kept."""
        random.Random.seed = self._seed  # type: ignore[method-assign]
        self._environ = {name: value for name, value in os.environ.items() if given.get(name) != value}

    def wake(self) -> None:
        """Renews what must not be as it was at the build."""
        # componentize-py has put the operator's variables in; they come before what the application set by default.
        for name, value in self._environ.items():
            os.environ.setdefault(name, value)
        random.seed()
        for generator in self._generators:
            generator.seed()
        for module, names in _MADE_BY_CHANCE.items():
            if module in sys.modules:
                for name in names:
                    setattr(sys.modules[module], name, None)
        if tempfile.tempdir == file.ROOT:
            # Found at the build, where it could be written, for want of another.
            tempfile.tempdir = None


#: What modules of the standard library make once, by chance or by the clock, and keep.
_MADE_BY_CHANCE = {"uuid": ("_node", "_last_timestamp"), "tempfile": ("_name_sequence",)}
