import unittest

from {{module}} import app


class Pages(unittest.TestCase):
    def setUp(self):
        self.client = app.test_client()

    def test_it_greets(self):
        self.assertIn("Hello, {{name}}!", self.client.get("/").text)
        self.assertIn("Hello, &lt;b&gt;!", self.client.get("/?name=<b>").text)

    def test_elsewhere_is_nothing(self):
        self.assertEqual(self.client.get("/elsewhere").status_code, 404)


if __name__ == "__main__":
    unittest.main()
