"""One request and its response, as `receive` and `send`."""

import asyncio
import http
from collections.abc import MutableMapping
from typing import Any

from wasgi import bindings
from wasgi.asgi.loop import Loop
from wasgi.errors import ClientDisconnected, InputTimedOut, InputTooLarge
from wasgi.response import ONE_PIECE, Response

Message = MutableMapping[str, Any]

#: What is asked of the host at a time, in bytes.
CHUNK = 64 * 1024


class Exchange:
    """The messages of one request (ASGI 3.0)."""

    def __init__(self, request: Any, response: Response, loop: Loop) -> None:
        self._request = request
        self._response = response
        self._loop = loop
        #: The application's own task, once it runs.
        self.task: asyncio.Task[None] | None = None
        self._input: Any = None
        self._input_ended = False
        self._started = False
        self._ended = False
        # The last part of the body, while it may still be returned instead of written: that is cheaper.
        self._last: bytes | None = None
        self._over: asyncio.Future[None] | None = None
        self._waiting = 0

    async def receive(self) -> Message:
        """The next part of the request body; past its end, waits until the exchange is over."""
        if not self._input_ended and not self._is_over():
            return self._next_part()
        # Some ask in passing, and cancel at once what would wait.
        if not self._is_over() and not self._poll():
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Takes a part of the response. Raises `ClientDisconnected`, an `OSError`, once the client has gone."""
        kind = message["type"]
        if kind == "http.response.start":
            if self._started:
                raise RuntimeError("http.response.start was sent twice: send it once")
            self._response.start_response(_status_line(message["status"]), _headers(message.get("headers", ())))
            self._started = True
        elif kind == "http.response.body":
            if not self._started:
                raise RuntimeError("http.response.body came before http.response.start: send that first")
            if self._ended:
                raise RuntimeError("http.response.body was sent after the last one: send more_body=True before")
            await self._send_body(bytes(message.get("body", b"")), message.get("more_body", False))
        else:
            raise RuntimeError(f"the message {kind!r} is not known: an app of wasgi answers HTTP only")

    def is_complete(self) -> bool:
        """Whether the application has sent all of its response."""
        return self._ended

    def body(self) -> Any:
        """What the exported function returns, once the application has."""
        if not self._started:
            raise RuntimeError("the application returned without a response: send http.response.start and .body")
        if not self._ended:
            raise RuntimeError(
                "the application returned before its response was complete: send a body without more_body"
            )
        last, self._last = self._last, None
        return self._response.body([last] if last else [])

    async def _send_body(self, data: bytes, more: bool) -> None:
        if more or len(data) > ONE_PIECE:
            self._response.write(data)
            data = b""
            await asyncio.sleep(0)  # what reads beside has its turn
        if more:
            return
        self._ended = True
        self._last = data
        # If the application goes on after its response, the client must not wait for it.
        self._loop.before_blocking = self._flush
        self._loop.call_soon(self._flush)
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _flush(self) -> None:
        if self._last and self.task is not None and not self.task.done():
            last, self._last = self._last, None
            try:
                self._response.write(last)
            except ClientDisconnected:
                # It has all that it wanted.
                return

    def _next_part(self) -> Message:
        try:
            if self._input is None:
                self._input = self._request.input()
            data = self._input.read(CHUNK)
        except bindings.Err as error:
            if isinstance(error.value, bindings.InputError_TooLarge):
                raise InputTooLarge from None
            if isinstance(error.value, bindings.InputError_TimedOut):
                raise InputTimedOut from None
            self._leave()
            return {"type": "http.disconnect"}
        self._input_ended = not data
        return {"type": "http.request", "body": data, "more_body": bool(data)}

    async def _wait(self) -> None:
        """Until the response is complete or the client has gone, which only asking tells."""
        if self._over is None:
            self._over = self._loop.create_future()
        self._waiting += 1
        self._loop.poll = self._poll
        try:
            await asyncio.shield(self._over)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._loop.poll = None

    def _poll(self) -> bool:
        try:
            if self._input is None:
                self._input = self._request.input()
            self._input.read(0)
        except bindings.Err:
            self._leave()
            return True
        return False

    def _leave(self) -> None:
        if self._over is None:
            self._over = self._loop.create_future()
        if not self._over.done():
            self._over.set_result(None)

    def _is_over(self) -> bool:
        return self._ended or (self._over is not None and self._over.done())


def _status_line(status: int) -> str:
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"{int(status)} Unknown"


def _headers(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
