from urllib.parse import parse_qs


def application(environ, start_response):
    if environ["PATH_INFO"] not in ("", "/"):
        return answer(start_response, "404 Not Found", "There is nothing here.\n")
    query = parse_qs(environ.get("QUERY_STRING", ""))
    name = query.get("name", ["{{name}}"])[0]
    return answer(start_response, "200 OK", f"Hello, {name}!\n")


def answer(start_response, status, text):
    body = text.encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", 8080, application).serve_forever()
