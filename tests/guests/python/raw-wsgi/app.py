"""WSGI without a framework: what the `hello` example answers. Gunicorn, uWSGI and Granian are measured with this file too."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"Hello, world!\n"]
