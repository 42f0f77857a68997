"""From a request of the host to one call of an ASGI application, and back."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wasgi.asgi.exchange import Exchange
from wasgi.asgi.lifespan import Lifespan
from wasgi.asgi.loop import Loop
from wasgi.asgi.scope import scope_of
from wasgi.errors import error_stream
from wasgi.faults import traceback_of
from wasgi.response import Aborted, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Bridge:
    """Calls an ASGI application, once for each request of the host.

    Its lifespan starts at the first request of an instance, since what it opens (files, clients) would not
    survive in a snapshot; `"build"` starts it while the component is built, for what is computed only. It is never
    shut down: an instance ends without notice.
    """

    def __init__(self, application: Application, lifespan: str) -> None:
        self._application = application
        self._loop = Loop()
        self._mode = lifespan
        self._lifespan: Lifespan | None = None

    def serve(self, request: Any, start: Any) -> Any:
        """Answers one request; see `Server.serve`."""
        response = Response(start)
        try:
            state = self._started()
            exchange = Exchange(request, response, self._loop)
            return self._run(scope_of(request, state), exchange)
        except Aborted:
            raise
        except BaseException as error:
            return response.fail(error)
        finally:
            self._loop.poll = self._loop.before_blocking = None

    def settle(self) -> None:
        """Ends the build: shuts the lifespan down, unless it is to last, so that each instance starts its own."""
        if self._lifespan is not None and self._mode != "build":
            self._lifespan.shut_down()
            self._lifespan = None
            self._loop.close()
            self._loop = Loop()

    def _started(self) -> dict[str, Any]:
        """The state that the lifespan made, for this request to change."""
        if self._mode == "off":
            return {}
        if self._lifespan is None:
            lifespan = Lifespan(self._application, self._loop)
            lifespan.start_up()
            self._lifespan = lifespan
        return dict(self._lifespan.state)

    def _run(self, scope: Message, exchange: Exchange) -> Any:
        before = asyncio.all_tasks(self._loop)
        task = self._loop.create_task(self._call(scope, exchange))
        exchange.task = task
        try:
            self._loop.run_until_complete(task)
        except BaseException as error:
            if task.done() and not task.cancelled():
                task.exception()  # it is told to us; asyncio need not tell it again
            if isinstance(error, Aborted) or not exchange.is_complete():
                raise
            # Frameworks raise again what they have made a page of, and a background task is not the response.
            error_stream.write(traceback_of(error))
        left = len(asyncio.all_tasks(self._loop) - before - {task})
        if left:
            error_stream.write(
                f"{left} tasks were still running when the response was complete; an instance rests between requests, "
                "and a fresh one ends: await them\n"
            )
        return exchange.body()

    async def _call(self, scope: Message, exchange: Exchange) -> None:
        await self._application(scope, exchange.receive, exchange.send)
