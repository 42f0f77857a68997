"""What the handlers share: the conventions of the README."""

import json as encoder
from urllib.parse import unquote_to_bytes

PLAIN = [("Content-Type", "text/plain")]


class Query:
    """The parameters of a query; `+` stays a plus."""

    def __init__(self, query):
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        self.values = {unquote_to_bytes(name): unquote_to_bytes(value) for name, _, value in reversed(pairs)}

    def bytes(self, name):
        return self.values.get(name.encode())

    def text(self, name, default):
        value = self.bytes(name)
        return default if value is None else value.decode("utf-8", "replace")

    def native(self, name):
        return (self.bytes(name) or b"").decode("latin-1")

    def number(self, name, default):
        value = self.text(name, "")
        return int(value) if value.isdecimal() else default

    def is_on(self, name):
        return self.bytes(name) == b"1"


class Call:
    """One request, as the handlers get it."""

    def __init__(self, environ, start_response):
        self.environ = environ
        self.start_response = start_response
        self.path = environ["PATH_INFO"]
        self.query = Query(environ["QUERY_STRING"])
        self.input = environ["wsgi.input"]

    def log(self, line):
        self.environ["wsgi.errors"].write(f"{line}\n")


def text(call, body):
    call.start_response("200 OK", list(PLAIN))
    return [body]


def json(call, value):
    call.start_response("200 OK", [("Content-Type", "application/json")])
    return [encoder.dumps(value).encode()]


def caught(error):
    """exc_info of an error that was made and not raised."""
    try:
        raise error
    except Exception as raised:
        return (type(raised), raised, raised.__traceback__)
