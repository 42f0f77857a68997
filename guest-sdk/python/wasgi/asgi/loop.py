"""An event loop for a world without sockets, threads and signals: there are only callbacks and timers.

asyncio's own loops want a pair of sockets to be woken by. Nobody outside can wake an instance, so this one has none.
"""

import asyncio
import contextvars
import functools
import importlib
import sys
import time
from collections.abc import Callable
from typing import Any


class Deadlock(RuntimeError):
    """Everything waits, and nothing is left that could end it."""


class Loop(asyncio.BaseEventLoop):
    """Runs callbacks and timers; what would be a thread runs at once, in line."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Sleeping(self)
        #: Called when nothing but the world outside could go on: looks at it, and returns whether it did.
        self.poll: Callable[[], bool] | None = None
        #: Called before code that may take long runs in line.
        self.before_blocking: Callable[[], None] | None = None

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Calls `func` at once: an instance has no threads. The other tasks wait meanwhile."""
        if self.before_blocking is not None:
            self.before_blocking()
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:
            # A future cannot hold it.
            future.set_exception(RuntimeError(f"the function raised StopIteration: {error.value}"))
        except BaseException as error:
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        return future

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def _process_events(self, event_list: Any) -> None:
        """There are no events."""

    def _write_to_self(self) -> None:
        """There is nobody asleep who would have to be woken."""


class _Sleeping:
    """In place of a selector: waits for the next timer."""

    #: Seconds between two looks at the world outside.
    PAUSE = 0.02

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        poll = self._loop.poll
        if timeout is not None and (timeout <= 0 or poll is None):
            time.sleep(max(timeout, 0))
            return []
        if poll is None:
            raise Deadlock(
                "the application waits for something that cannot come: an instance has no threads and no other requests"
            )
        if not poll():
            time.sleep(self.PAUSE if timeout is None else min(timeout, self.PAUSE))
        return []

    def close(self) -> None:
        """Nothing is open."""


def install() -> None:
    """Makes this the loop of `asyncio.run` and `asyncio.new_event_loop`, and threads of anyio run in line."""
    unix_events = sys.modules.get("asyncio.unix_events")
    policy = getattr(unix_events, "_DefaultEventLoopPolicy", None) or getattr(
        unix_events, "DefaultEventLoopPolicy", None
    )
    if policy is not None:
        policy._loop_factory = Loop
    if "anyio" in sys.modules:
        # It loads this late, by itself.
        backend = importlib.import_module("anyio._backends._asyncio")
        backend.AsyncIOBackend.run_sync_in_worker_thread = classmethod(_in_line)


async def _in_line(
    cls: Any, func: Callable[..., Any], args: tuple[Any, ...], abandon_on_cancel: bool = False, limiter: Any = None
) -> Any:
    """`anyio.to_thread.run_sync` without a thread."""
    await asyncio.sleep(0)  # a chance to be cancelled, as there is with a thread
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(None, functools.partial(context.run, func, *args))
