"""JSON-RPC 2.0 over a registry that is made once."""

import json
import time
from array import array

#: The largest request, in bytes.
REQUEST_MAX = 1024 * 1024

#: Numbers below this are factored by looking up the table.
NUMBERS = 1 << 18


class Error(Exception):
    """The error object of JSON-RPC."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    def response(self, id):
        error = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": id, "error": error}


class Registry:
    """The methods by name, and a table that would be too slow to make for each request."""

    methods = {}
    smallest_factors = array("I")
    initialized = 0
    initialized_at = 0.0
    calls = 0
    calls_before_initialize = 0

    @classmethod
    def initialize(cls):
        cls.initialized += 1
        cls.initialized_at = time.time()
        cls.calls_before_initialize = cls.calls
        cls.methods = {
            "add": sum_of,
            "echo": lambda params: params,
            "factor": factor,
            "registry": lambda params: cls.report(),
            "text.count": count,
            "time": lambda params: time.time(),
        }
        cls.smallest_factors = sieve(NUMBERS)

    @classmethod
    def report(cls):
        return {
            "methods": sorted(cls.methods),
            "numbers": len(cls.smallest_factors),
            "initialized": cls.initialized,
            "initialized_at": cls.initialized_at,
            "calls_before_initialize": cls.calls_before_initialize,
            "calls_of_this_process": cls.calls,
        }


class RPC:
    """One request."""

    def __init__(self, environ):
        self.environ = environ

    def get_result(self):
        """Status, headers and value, in this order."""
        Registry.calls += 1
        if self.environ["REQUEST_METHOD"] != "POST":
            error = invalid_request("POST a JSON-RPC 2.0 request").response(None)
            return result("405 Method Not Allowed", error, [("Allow", "POST")])
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        if length > REQUEST_MAX:
            return result("413 Content Too Large", invalid_request("the request is too large").response(None))
        value = answer(self.environ["wsgi.input"].read(length))
        # Only notifications: there is nothing to say.
        return result("204 No Content" if value is None else "200 OK", value)


def result(status, value, headers=()):
    headers = list(headers)
    if value is None:
        return {"status": status, "headers": headers, "value": b""}
    body = json.dumps(value, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return {"status": status, "headers": headers, "value": body}


# The protocol.


def answer(body):
    """The answer to one request or a batch; None if there were only notifications."""
    try:
        request = json.loads(body)
    except ValueError as error:
        return Error(-32700, "Parse error", str(error)).response(None)
    if not isinstance(request, list):
        return answer_one(request)
    if not request:
        return invalid_request("the batch is empty").response(None)
    answers = [value for value in map(answer_one, request) if value is not None]
    return answers or None


def answer_one(request):
    # The id first: errors are answered under it, unless it is malformed itself.
    id = request.get("id") if isinstance(request, dict) else None
    if isinstance(id, (bool, list, dict)):
        return invalid_request("id is no string, number or null").response(None)
    try:
        method, params = parts(request)
    except Error as error:
        return error.response(id)
    try:
        value = {"jsonrpc": "2.0", "id": id, "result": call(method, params)}
    except Error as error:
        value = error.response(id)
    # Without an id it is a notification, which is not answered, not even with an error.
    return value if "id" in request else None


def parts(request):
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
        raise invalid_request('jsonrpc is not "2.0"')
    if not isinstance(request.get("method"), str):
        raise invalid_request("method is no string")
    if not isinstance(request.get("params", []), (list, dict)):
        raise invalid_request("params is no list and no object")
    return request["method"], request.get("params")


def call(name, params):
    method = Registry.methods.get(name)
    if method is None:
        raise Error(-32601, "Method not found", name)
    return method(params)


def invalid_request(data):
    return Error(-32600, "Invalid Request", data)


def invalid_params(data):
    return Error(-32602, "Invalid params", data)


# The methods.


def sum_of(params):
    if not isinstance(params, list) or not all(type(number) in (int, float) for number in params):
        raise invalid_params("a list of numbers is wanted")
    return sum(params)


def factor(params):
    """The prime factors of one number, by the table."""
    if not isinstance(params, list) or [type(number) for number in params] != [int] or not 0 < params[0] < NUMBERS:
        raise invalid_params(f"one number from 1 to {NUMBERS - 1} is wanted")
    number, factors = params[0], []
    while number > 1:
        factors.append(Registry.smallest_factors[number])
        number //= factors[-1]
    return factors


def count(params):
    if not isinstance(params, dict) or not isinstance(params.get("text"), str):
        raise invalid_params('{"text": "..."} is wanted')
    text = params["text"]
    return {
        "bytes": len(text.encode()),
        "chars": len(text),
        "words": len(text.split()),
        "lines": len(text.splitlines()),
    }


def sieve(limit):
    smallest = array("I", range(limit))
    prime = 2
    while prime * prime < limit:
        if smallest[prime] == prime:
            for multiple in range(prime * prime, limit, prime):
                if smallest[multiple] == multiple:
                    smallest[multiple] = prime
        prime += 1
    return smallest
