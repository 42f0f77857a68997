import unittest
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from {{module}} import application


class Application(unittest.TestCase):
    def get(self, path, query=""):
        environ = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query}
        setup_testing_defaults(environ)
        started = []
        body = validator(application)(environ, lambda status, headers, exc_info=None: started.append(status))
        try:
            return started[0], b"".join(body).decode()
        finally:
            body.close()

    def test_it_greets(self):
        self.assertEqual(self.get("/"), ("200 OK", "Hello, {{name}}!\n"))
        self.assertEqual(self.get("/", "name=%C3%89mile"), ("200 OK", "Hello, Émile!\n"))

    def test_elsewhere_is_nothing(self):
        self.assertEqual(self.get("/elsewhere")[0], "404 Not Found")


if __name__ == "__main__":
    unittest.main()
