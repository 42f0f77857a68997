"""The `hello` example in WSGI: what Gunicorn, uWSGI and Granian serve."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"Hello, world!\n"]
