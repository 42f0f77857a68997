"""`wsgi.errors`, the standard streams, and what an instance sees of the world."""

import os
import random
import socket
import sys
import tempfile
import threading
import time
import uuid

from call import json, text

UNSEEDED = random.Random()
SEEDED = random.Random(42)
os.environ.setdefault("SET_AT_IMPORT", "yes")


def errors(call):
    call.environ["wsgi.errors"].write(call.query.text("text", ""))
    return text(call, b"ok")


def error_lines(call):
    stream = call.environ["wsgi.errors"]
    stream.write("one\ntwo")
    stream.writelines([" and a half\n", "three"])
    stream.flush()
    return text(call, b"ok")


def unicode(call):
    call.environ["wsgi.errors"].write("snowman \u2603, crab \U0001f980")
    return text(call, b"ok")


def printed(call):
    print(call.query.text("text", ""), file=sys.stdout if call.path == "/stdout" else sys.stderr)
    return text(call, b"ok")


def by_chance(call):
    """Numbers that must differ from instance to instance, and one that must not."""
    return json(
        call,
        {
            "random": random.random(),
            "unseeded": UNSEEDED.random(),
            "uuid1": uuid.uuid1().hex,
            "uuid4": uuid.uuid4().hex,
            "urandom": os.urandom(16).hex(),
            "tempfile": next(tempfile._get_candidate_names()),
            "seeded": SEEDED.random(),
        },
    )


def environment(call):
    return json(call, dict(os.environ))


def now(call):
    return json(call, {"time": time.time(), "local": time.localtime().tm_gmtoff, "monotonic": time.monotonic()})


def thread(call):
    threading.Thread(target=print).start()
    return text(call, b"started")


def connect(call):
    with socket.create_connection(("127.0.0.1", 9)):
        return text(call, b"connected")


def late_import(call):
    import xml.dom.minidom

    return text(call, xml.dom.minidom.__name__.encode())


def temporary(call):
    """A temporary file, which needs a directory that the operator grants."""
    with tempfile.TemporaryFile() as file:
        file.write(b"kept for a while")
        file.seek(0)
        return text(call, file.read())


def files(call):
    """The first line of this file, found by `__file__`."""
    with open(__file__, encoding="utf-8") as file:
        return text(call, file.readline().encode())


PATHS = {
    "/errors": errors,
    "/errors/lines": error_lines,
    "/errors/unicode": unicode,
    "/stdout": printed,
    "/stderr": printed,
    "/chance": by_chance,
    "/environment": environment,
    "/now": now,
    "/thread": thread,
    "/connect": connect,
    "/late-import": late_import,
    "/own-source": files,
    "/temporary": temporary,
}
