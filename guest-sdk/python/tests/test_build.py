"""The build: finding the application, saying what is wrong with it, warming it up, and leaving nothing behind."""

import io
import os
import random
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from wasgi import file, handles, late
from wasgi.build.closing import close_all
from wasgi.build.config import BuildError, Config
from wasgi.build.loading import is_asgi, load
from wasgi.build.warm import parse, warm_up
from wasgi.file import FileWrapper
from wasgi.server import Server
from wasgi.wake import Sleeper


class Folder(unittest.TestCase):
    """A folder of modules, with names of their own in each test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)
        known = set(sys.modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in set(sys.modules) - known])

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def refusal(self, spec):
        with self.assertRaises(BuildError) as raised:
            load(spec)
        return str(raised.exception)


class Loading(Folder):
    def test_callables_factories_and_attributes_are_found(self):
        self.write(
            "found.py",
            """
            def application(environ, start_response): ...
            def create_app(name="x", *, flag=False):
                def application(environ, start_response): return [name, flag]
                return application
            class holder:
                inner = application
            """,
        )
        self.assertEqual(load("found:application").__name__, "application")
        self.assertEqual(load("found:holder.inner").__name__, "application")
        self.assertEqual(load("found:create_app()")(None, None), ["x", False])
        self.assertEqual(load("found:create_app('y', flag=True)")(None, None), ["y", True])

    def test_what_names_no_application_says_how_to(self):
        self.write("named.py", "app = lambda environ, start_response: []\nnumber = 7\ndef create_app(): ...\n")
        for spec, message in [
            ("named", "write module:callable"),
            ("named:", "write module:callable"),
            ("named:missing", "named.py has no 'missing': did you mean named:app or named:create_app()?"),
            ("named:number", "is a int, which cannot be called"),
            ("named:create_app", "takes no arguments, so it is a factory: write named:create_app()"),
            ("named:create_app()", "is None, which cannot be called"),
            ("named:number()", "is no factory"),
            ("named:a+b", "is not understood"),
            ("no_such_module:app", "there is no module no_such_module: install its package"),
        ]:
            self.assertIn(message, self.refusal(spec), spec)

    def test_a_failing_import_names_place_reason_and_mend(self):
        for number, (text, message) in enumerate(
            [
                ("x = 1\ndef broken(:\n", ":2: SyntaxError"),
                ("\n1/0\n", ":2: ZeroDivisionError: division by zero"),
                ("import not_installed_at_all\n", ":1: there is no module not_installed_at_all: install"),
                ("import os\nos.environ['SECRET_KEY']\n", ":2: the environment variable SECRET_KEY is read at import"),
                ("import sys\nsys.exit(3)\n", "ends the program (SystemExit: 3)"),
                ("open('/no/such/file')\n", "only the project's folder and its packages are there"),
            ]
        ):
            self.write(f"failing{number}.py", text)
            refusal = self.refusal(f"failing{number}:app")
            self.assertIn(message, refusal)
            self.assertIn(f"failing{number}", refusal.splitlines()[0])

    def test_native_code_is_named_as_such(self):
        self.write("fast/__init__.py", "from fast import _speedups\n")
        self.write("fast/_speedups.cpython-311-sparc.so", "")
        self.assertIn("_speedups.cpython-311-sparc.so is native code for another machine", self.refusal("fast:app"))

    def test_asgi_applications_are_told_apart(self):
        class Application:
            async def __call__(self, scope, receive, send): ...

        async def function(scope, receive, send): ...

        self.assertTrue(is_asgi(Application()) and is_asgi(function))
        self.assertFalse(is_asgi(lambda environ, start_response: []))


class Settings(unittest.TestCase):
    def test_keys_are_those_of_the_manifest(self):
        config = Config.of({"app": "a:b", "warm-up": ["/x"], "env": {"K": "v"}, "stdlib": False})
        self.assertEqual((config.app, config.warm_up, config.env, config.stdlib), ("a:b", ["/x"], {"K": "v"}, False))
        self.assertEqual(Config.of({"app": "a:b"}).warm_up, ["/"])

    def test_what_is_not_understood_is_refused(self):
        for given, message in [
            ({}, "has no `app`"),
            ({"app": "a:b", "warmup": []}, "'warmup' that is not known"),
            ({"app": "a:b", "warm-up": "/"}, "not of the right type"),
            ({"app": "a:b", "interface": "cgi"}, "one of auto, wsgi, asgi"),
            ({"app": "a:b", "lifespan": "never"}, "one of request, build, off"),
        ]:
            with self.assertRaisesRegex(BuildError, message):
                Config.of(given)


class WarmUp(unittest.TestCase):
    def test_requests_are_written_in_three_ways(self):
        self.assertEqual(parse("/a?b=c"), ("GET", "/a?b=c", ""))
        self.assertEqual(parse("HEAD /a"), ("HEAD", "/a", ""))
        self.assertEqual(parse("POST /login name=a b&c=d"), ("POST", "/login", "name=a b&c=d"))
        with self.assertRaisesRegex(BuildError, "is no request"):
            parse("a")

    def test_a_body_has_its_type(self):
        seen = {}

        def application(environ, start_response):
            seen.update(environ, body=environ["wsgi.input"].read())
            start_response("200 OK", [])
            return []

        self.assertIsNone(warm_up("POST / a=b", "example.org", Server(application).serve))
        self.assertEqual(
            (seen["CONTENT_TYPE"], seen["HTTP_HOST"]), ("application/x-www-form-urlencoded", "example.org")
        )
        self.assertEqual((seen["CONTENT_LENGTH"], seen["body"]), ("3", b"a=b"))
        warm_up('POST / {"a": 1}', "example.org", Server(application).serve)
        self.assertEqual(seen["CONTENT_TYPE"], "application/json")

    def test_one_that_fails_is_a_warning_with_its_traceback(self):
        def failing(environ, start_response):
            raise ValueError("not warm")

        warning = warm_up("/x", "localhost", Server(failing).serve)
        self.assertIn("'/x' failed (500 Internal Server Error)", warning["message"])
        self.assertIn("ValueError: not warm", warning["log"])
        self.assertIn(
            "start_response was not called", warm_up("/", "localhost", Server(lambda e, s: []).serve)["message"]
        )


class Snapshot(Folder):
    def test_generators_without_a_seed_are_renewed_and_others_kept(self):
        sleeper = Sleeper()
        sleeper.watch()
        unseeded, seeded, later = random.Random(), random.Random(42), random.Random()
        later.seed(7)
        sleeper.sleep(dict(os.environ))
        states = [generator.getstate() for generator in (unseeded, seeded, later)]
        sleeper.wake()
        same = [generator.getstate() == state for generator, state in zip((unseeded, seeded, later), states)]
        self.assertEqual(same, [False, True, True])

    def test_a_handle_is_given_back_with_its_object_or_once_by_hand(self):
        class Handle:
            pass

        given_back = []
        first, second = Handle(), Handle()
        first.finalizer = handles.Finalizer(first, given_back.append, 1)
        second.finalizer = handles.Finalizer(second, given_back.append, 2)
        del first
        self.assertEqual(given_back, [1])
        _, function, arguments, _ = second.finalizer.detach()
        function(*arguments)
        self.assertIsNone(second.finalizer.detach())
        del second
        self.assertEqual(given_back, [1, 2])

    def test_what_the_application_set_is_kept_and_the_operator_comes_first(self):
        sleeper = Sleeper()
        given = dict(os.environ)
        os.environ["WASGI_TEST_A"] = os.environ["WASGI_TEST_B"] = "app"
        self.addCleanup(lambda: [os.environ.pop(f"WASGI_TEST_{name}", None) for name in "AB"])
        sleeper.sleep(given)
        del os.environ["WASGI_TEST_A"]
        os.environ["WASGI_TEST_B"] = "operator"
        sleeper.wake()
        self.assertEqual((os.environ["WASGI_TEST_A"], os.environ["WASGI_TEST_B"]), ("app", "operator"))

    def test_the_folder_of_temporary_files_is_looked_for_anew(self):
        self.addCleanup(setattr, tempfile, "tempdir", tempfile.tempdir)
        for found_at_the_build, kept in ((file.ROOT, None), ("/data", "/data")):
            tempfile.tempdir = found_at_the_build
            Sleeper().wake()
            self.assertEqual(tempfile.tempdir, kept)

    def test_open_files_are_closed_and_told(self):
        path = self.write("kept.txt", "text")
        before = {number for number in range(64) if _is_open(number)}
        kept = path.open()
        warnings = close_all(before)
        self.assertTrue(kept.buffer.raw.closed)
        self.assertTrue(any("kept.txt was open at the end of the build" in warning for warning in warnings))

    def test_late_imports_are_told_once_with_the_mend(self):
        self.write("late_outer.py", "import late_inner\n")
        self.write("late_inner.py", "")
        reported = []
        finder = late.LateImports({"known_to_be_missing"}, reported.append)
        sys.meta_path.insert(0, finder)
        self.addCleanup(sys.meta_path.remove, finder)
        import late_outer  # noqa: F401

        for name in ("known_to_be_missing", "not_there_either"):
            with self.assertRaises(ImportError):
                __import__(name)
        self.assertEqual(len(reported), 1, reported)
        self.assertIn("imports late_outer only now", reported[0])
        self.assertIn("test_build.py:", reported[0])


class Files(Folder):
    def test_a_file_of_the_bundle_is_named_for_the_host(self):
        path = self.write("page.html", "<p>page</p>")
        for name, value in (("ROOT", str(self.folder)), ("bundled", frozenset(["page.html"]))):
            self.addCleanup(setattr, file, name, getattr(file, name))
            setattr(file, name, value)
        with path.open("rb") as page:
            page.read(3)
            self.assertEqual(FileWrapper(page).bundled_range(), ("/app/page.html", 3))
        with self.write("other.html", "").open("rb") as other:
            self.assertIsNone(FileWrapper(other).bundled_range(), "it is not in the bundle")
        self.assertIsNone(FileWrapper(io.BytesIO(b"x")).bundled_range())

    def test_any_file_like_object_is_read_in_blocks_and_closed(self):
        class Pipe:
            closed = False
            reads = []

            def read(self, size):
                self.reads.append(size)
                return b"x" * 5 if len(self.reads) < 3 else b""

            def close(self):
                self.closed = True

        pipe = Pipe()
        wrapper = FileWrapper(pipe, 5)
        self.assertEqual(list(wrapper), [b"xxxxx", b"xxxxx"])
        self.assertEqual(pipe.reads, [5, 5, 5])
        wrapper.close()
        self.assertTrue(pipe.closed)


def _is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    unittest.main()
