import io
import tempfile
import unittest
import unittest.mock

from guestbook import create_app

PNG = b"\x89PNG\r\n\x1a\n and more"


class Guestbook(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.app = create_app(folder.name)
        self.app.testing = True
        self.client = self.app.test_client()

    def post(self, path, follow=True, **form):
        return self.client.post(path, data=form, follow_redirects=follow)

    def test_a_visitor_signs_up_logs_in_posts_uploads_and_logs_out(self):
        self.assertIn("Nobody has written yet", self.client.get("/").text)
        self.assertIn("Welcome, Ada!", self.post("/signup", name="Ada", password="lovelace").text)
        self.assertEqual(self.post("/login", name="Ada", password="wrong word").status_code, 422)
        self.assertIn("Log out", self.post("/login", name="ada", password="lovelace").text)
        page = self.post("/entries", text="<b>Hi</b>", picture=(io.BytesIO(PNG), "me.png")).text
        self.assertIn("&lt;b&gt;Hi&lt;/b&gt;", page)
        path = page.partition('<img src="')[2].partition('"')[0]
        picture = self.client.get(path)
        self.assertEqual((picture.data, picture.mimetype), (PNG, "image/png"))
        picture.close()
        self.assertIn("You are logged out", self.post("/logout").text)
        self.assertEqual(self.post("/entries", follow=False, text="Hi").headers["Location"], "/login")

    def test_what_is_wrong_is_said(self):
        self.assertIn("at least 8", self.post("/signup", name="Ada", password="short").text)
        self.post("/signup", name="Ada", password="lovelace")
        self.assertIn("is taken", self.post("/signup", name="ADA", password="lovelace").text)
        self.post("/login", name="Ada", password="lovelace")
        self.assertIn("Write something", self.post("/entries", text=" ").text)
        self.assertIn("PNG, JPEG or GIF", self.post("/entries", text="Hi", picture=(io.BytesIO(b"no"), "a.png")).text)
        big = io.BytesIO(PNG + bytes(500_000))
        self.assertIn("too large", self.post("/entries", text="Hi", picture=(big, "a.png")).text)

    def test_another_key_ends_the_sessions(self):
        self.post("/signup", name="Ada", password="lovelace")
        self.post("/login", name="Ada", password="lovelace")
        with unittest.mock.patch.dict("os.environ", SECRET_KEY="another"):
            self.assertIn("Log in", self.client.get("/").text)
        self.assertIn("Log out", self.client.get("/").text)


if __name__ == "__main__":
    unittest.main()
