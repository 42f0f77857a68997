"""ASGI applications (asgi.readthedocs.io, version 3.0) behind the same gateway.

An instance serves one request at a time, so the event loop runs while a request is served, and rests in between.
"""

from wasgi.asgi.bridge import Bridge
from wasgi.asgi.loop import Loop, install

__all__ = ["Bridge", "Loop", "install"]
