"""The conformance guest in Python: the table of tests/conformance/guest/README.md, and the one of README.md here."""

import os
from wsgiref.util import request_uri
from wsgiref.validate import validator

from webtest import lint

import body
import head
import heap
import input
import objects
import outside
from call import Call, json, text

CALLS = 0


def plain(environ, start_response):
    """The application proper."""
    global CALLS
    # Those of the build are not the host's.
    CALLS += environ["wasgi.app"] != "warm-up"
    call = Call(environ, start_response)
    first, _, rest = call.path.removeprefix("/").partition("/")
    if first == "hello":
        return text(call, b"hello")
    if first == "calls":
        return json(call, {"calls": CALLS})
    if first == "environ":
        return told(call, rest)
    if first == "url":
        return text(call, request_uri(environ).encode("latin-1"))
    for topic in (input, head, body, objects, outside, heap):
        if answer := topic.PATHS.get(call.path):
            return answer(call)
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [f"no such path: {call.path}".encode()]


def told(call, rest):
    """What the server tells; its own objects left out, flags and version as text."""
    if rest == "get":
        name = call.query.native("name")
        value = call.environ.get(name)
        return json(call, {"present": name in call.environ, "value": value})
    if rest == "copy":
        call.environ.clear()
        return json(call, {"same": True})
    names = {True: "true", False: "false", (1, 0): "1.0"}
    variables = {
        name: value if isinstance(value, str) else names[value]
        for name, value in call.environ.items()
        if isinstance(value, str | bool | tuple)
    }
    return json(call, variables)


WRAPPERS = {"": lambda app: app, "wsgiref.validate": validator, "webtest.lint": lint.middleware}


def application(environ, start_response):
    """The application, in what the operator asks for: `--env CONFORMANCE_UNDER=wsgiref.validate`."""
    return WRAPPERS[os.environ.get("CONFORMANCE_UNDER", "")](plain)(environ, start_response)
