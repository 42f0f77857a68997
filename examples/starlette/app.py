"""JSON, path parameters, events as they happen, an upload of any size, and work after the response."""

import asyncio
import contextlib
import hashlib
import json
import logging
import time

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

log = logging.getLogger("starlette-example")
logging.basicConfig(level=logging.INFO, format="%(message)s")


@contextlib.asynccontextmanager
async def lifespan(app):
    """What is yielded is `request.state` of each request."""
    yield {"started_at": time.time()}


async def index(request):
    return JSONResponse({"path": request.url.path, "started_at": request.state.started_at})


async def greet(request):
    return JSONResponse({"greeting": f"Hello, {request.path_params['name']}!"})


async def square(request):
    number = request.path_params["number"]
    return JSONResponse({"number": number, "square": number * number})


async def events(request):
    """Server-sent events: `?count=` of them, `?interval=` seconds apart."""
    try:
        count = min(int(request.query_params.get("count", "3")), 1000)
        interval = min(float(request.query_params.get("interval", "1")), 60.0)
    except ValueError:
        return JSONResponse({"error": "count and interval are numbers"}, 400)

    async def ticks():
        for number in range(1, count + 1):
            if number > 1:
                await asyncio.sleep(interval)
            yield f"id: {number}\nevent: tick\ndata: {json.dumps({'tick': number, 'of': count})}\n\n"
        yield "event: end\ndata: {}\n\n"

    return StreamingResponse(ticks(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def upload(request):
    """Reads the body in pieces, so that memory stays small."""
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return JSONResponse({"name": request.path_params["name"], "bytes": size, "sha256": digest.hexdigest()})


async def order(request):
    """Answers at once; the rest is done when the client has its answer."""
    try:
        item = (await request.json())["item"]
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": 'POST {"item": "..."} as JSON'}, 400)
    return JSONResponse({"ordered": item}, 202, background=BackgroundTask(fulfil, item))


async def fulfil(item):
    await asyncio.sleep(0)
    log.info("fulfilled: %s", json.dumps(item))


app = Starlette(
    routes=[
        Route("/", index),
        Route("/greet/{name}", greet),
        Route("/square/{number:int}", square),
        Route("/events", events),
        Route("/upload/{name}", upload, methods=["PUT"]),
        Route("/order", order, methods=["POST"]),
    ],
    lifespan=lifespan,
)
