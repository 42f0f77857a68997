"""start_response."""

import gc
import json as encoder
import sys
import weakref

from call import PLAIN, caught, json


class Quiet(Exception):
    """An error that was made to be reported."""


def attempt(call, *arguments):
    """`ok`, or the name of the error, and its text."""
    try:
        call.start_response(*arguments)
    except Exception as error:
        return getattr(error, "kind", type(error).__name__), error
    return "ok", None


def started(call, status, headers, body):
    name, error = attempt(call, status, headers)
    if error is None:
        return [body]
    if call.query.is_on("quiet"):
        return []
    detail = str(error) if name in ("bad-status", "bad-header", "too-large") else None
    return report(call, error, {"error": name, "detail": detail})


def report(call, error, value):
    """A JSON answer by a further call with exc_info."""
    call.start_response("200 OK", [("Content-Type", "application/json")], caught(error))
    return [encoder.dumps(value).encode()]


def status(call):
    line = call.query.native("line")
    bodiless = line.startswith(("204", "304"))
    return started(call, line, [] if bodiless else list(PLAIN), b"" if bodiless else b"started")


def header(call):
    wide = call.query.bytes("value-utf8")
    value = call.query.native("value") if wide is None else wide.decode("utf-8", "replace")
    headers = [] if call.query.is_on("only") else list(PLAIN)
    headers.append((call.query.native("name"), value))
    return started(call, "200 OK", headers, call.query.text("body", "started").encode())


def headers(call):
    value = "v" * call.query.number("size", 8)
    made = [(f"X-{number}", value) for number in range(call.query.number("count", 1))]
    return started(call, "200 OK", made, b"started")


def repeat(call):
    made = [*PLAIN, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Case", "Kept")]
    call.start_response("200 OK", made)
    return [b"started"]


def twice(call):
    call.start_response("200 OK", [("Content-Type", "application/json"), ("X-Call", "first")])
    name, _ = attempt(call, "201 Created", [*PLAIN, ("X-Call", "second")])
    return [encoder.dumps({"second": name}).encode()]


def first_refused(call):
    first, error = attempt(call, "oops", list(PLAIN))
    second, _ = attempt(call, "200 OK", list(PLAIN))
    return report(call, error, {"first": first, "second": second})


def replaced(call):
    first = call.start_response("200 OK", [*PLAIN, ("X-Call", "first")])
    error = caught(Quiet("the first head was wrong"))
    second = call.start_response("500 Replaced", [*PLAIN, ("X-Call", "second")], error)
    via = call.query.text("via", "return")
    if via == "return":
        return [b"replaced"]
    (first if via == "first" else second)(b"replaced")
    return []


def exc_info_first(call):
    call.start_response("200 OK", list(PLAIN), caught(Quiet("the only call has exc_info")))
    return [b"started"]


def late(call):
    call.start_response("200 OK", list(PLAIN))(b"begun\n")
    error = caught(Quiet("too late"))
    _, raised = attempt(call, "500 Late", list(PLAIN), error)
    # The server raises the error again, and no other.
    return [f"late: {'head-sent' if raised is error[1] else raised}\n".encode()]


def after_empty(call):
    call.start_response("200 OK", list(PLAIN))(b"")
    call.start_response("503 Replaced", list(PLAIN), caught(Quiet("nothing was sent yet")))
    return [b"replaced"]


def replacement_refused(call):
    call.start_response("200 OK", [("Content-Type", "application/json"), ("X-Call", "first")])
    error = caught(Quiet("the replacement is refused"))
    name, _ = attempt(call, "500 Replaced", [*PLAIN, ("X-Bad", "a\nb")], error)
    return [encoder.dumps({"second": name}).encode()]


def kept(call):
    """Whether the server still refers to an error that it was given; without a run of the garbage collector."""
    gc.disable()
    try:
        raise Quiet("soon forgotten")
    except Quiet as error:
        trace = weakref.ref(error)
        call.start_response("200 OK", [("Content-Type", "application/json")], sys.exc_info())
    alive = trace() is not None
    gc.enable()
    return [encoder.dumps({"kept": alive}).encode()]


def wrong(call):
    """Heads that are none by their types."""
    wrongs = {
        "status": (b"200 OK", list(PLAIN)),
        "tuple": ("200 OK", tuple(PLAIN)),
        "pair": ("200 OK", [["Content-Type", "text/plain"]]),
        "value": ("200 OK", [("X-Number", 1)]),
        "surrogate": ("200 OK", [("X-Test", "\udc80")]),
    }
    made, error = attempt(call, *wrongs[call.query.text("what", "")])
    return report(call, error, {"error": made, "detail": str(error)})


PATHS = {
    "/status": status,
    "/header": header,
    "/headers": headers,
    "/headers/repeat": repeat,
    "/start-twice": twice,
    "/start-twice/first-refused": first_refused,
    "/start-exc-info": replaced,
    "/start-exc-info/first": exc_info_first,
    "/start-exc-info/late": late,
    "/start-exc-info/after-empty": after_empty,
    "/start-exc-info/refused": replacement_refused,
    "/start-exc-info/kept": kept,
    "/start-wrong": wrong,
    "/no-start": lambda call: [b"lost"],
}
