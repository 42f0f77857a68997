"""The lifespan of an ASGI application: startup and shutdown."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from wasgi.asgi.loop import Loop

Message = MutableMapping[str, Any]


class Lifespan:
    """Runs the application's lifespan task beside its requests."""

    def __init__(self, application: Any, loop: Loop) -> None:
        #: What the application keeps for its requests, which each get a copy.
        self.state: dict[str, Any] = {}
        self._application = application
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._answer: asyncio.Future[str | None] = loop.create_future()
        self._shutdown: asyncio.Future[None] = loop.create_future()

    def start_up(self) -> None:
        """Runs until the application has started up.

        Raises `RuntimeError` if it says that it cannot. One that knows no lifespan is fine without.
        """
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = self._loop.create_task(self._run(scope))
        failure = self._loop.run_until_complete(self._answer)
        if failure is not None:
            raise RuntimeError(f"the application's startup failed: {failure}")

    def shut_down(self) -> None:
        """Runs until the application has shut down."""
        if self._task is None or self._task.done():
            return
        self._answer = self._loop.create_future()
        self._shutdown.set_result(None)
        self._loop.run_until_complete(self._answer)
        self._loop.run_until_complete(self._task)

    async def _run(self, scope: Message) -> None:
        try:
            await self._application(scope, self._receive, self._send)
        except Exception as error:
            # Before its first message it is an application that knows no lifespan.
            if self._begun:
                self._reply(f"{type(error).__name__}: {error}")
        self._reply(None)

    async def _receive(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "lifespan.startup"}
        await self._shutdown
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._reply(message.get("message") or "the application gave no reason")
        elif kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            self._reply(None)
        else:
            raise RuntimeError(f"the message {kind!r} is not one of a lifespan")

    def _reply(self, failure: str | None) -> None:
        if not self._answer.done():
            self._answer.set_result(failure)
