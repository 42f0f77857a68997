"""The server side of PEP 3333; the numbers are those of its rules in tests/conformance/table.rs."""

import gc
import unittest
import weakref

from tests.exchange import ask
from wasgi.errors import StartResponseError
from wasgi.fake import FakeStart
from wasgi.response import Response

PLAIN = [("Content-Type", "text/plain")]


def answering(result, status="200 OK", headers=PLAIN):
    def application(environ, start_response):
        start_response(status, list(headers))
        return result

    return application


class Calling(unittest.TestCase):
    def test_the_application_is_called_once_with_two_positional_arguments(self):  # 1, 2
        calls = []

        def application(*arguments, **named):
            calls.append((len(arguments), named))
            arguments[1]("200 OK", [])
            return []

        ask(application)
        self.assertEqual(calls, [(2, {})])

    def test_the_environ_is_a_plain_dict_of_native_strings(self):  # 3, 19, 20
        seen = {}

        def application(environ, start_response):
            seen["type"] = type(environ)
            seen.update(environ)
            environ.clear()
            start_response("200 OK", [])
            return []

        ask(application, target="/caf%C3%A9?a=%20")
        self.assertIs(seen["type"], dict)
        self.assertEqual(seen["PATH_INFO"], "/caf\u00c3\u00a9")
        self.assertEqual(seen["QUERY_STRING"], "a=%20")

    def test_the_wsgi_entries_have_their_types(self):  # 23 to 30
        seen = {}

        def application(environ, start_response):
            seen.update(environ)
            start_response("200 OK", [])
            return []

        ask(application)
        self.assertEqual(seen["wsgi.version"], (1, 0))
        self.assertEqual(seen["wsgi.url_scheme"], "http")
        flags = [seen[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once", "input_terminated")]
        self.assertEqual(flags, [False, True, True, True])
        self.assertTrue(callable(seen["wsgi.file_wrapper"]))

    def test_any_callable_is_called(self):  # 4
        class Application:
            def __init__(self, environ, start_response):
                start_response("200 OK", [])

            def __iter__(self):
                return iter([b"a class"])

        self.assertEqual(ask(Application).body, b"a class")


class StartResponse(unittest.TestCase):
    def test_write_is_returned_and_comes_before_what_is_returned(self):  # 5, 6, 63
        def application(environ, start_response):
            write = start_response("200 OK", [])
            write(b"written,")
            return [b"returned"]

        outcome = ask(application)
        self.assertEqual(outcome.start.chunks, [b"written,"])
        self.assertEqual(outcome.body, b"written,returned")

    def test_nothing_is_sent_by_the_call(self):  # 50
        def application(environ, start_response):
            start_response("200 OK", PLAIN)
            start_response("500 Oh", PLAIN, (ValueError, ValueError("x"), None))
            return [b"replaced"]

        outcome = ask(application)
        self.assertEqual(outcome.status, "500 Oh")
        self.assertIn("ValueError: x", outcome.start.reports[0])

    def test_twice_without_exc_info_is_refused_even_if_the_first_call_failed(self):  # 51
        def application(environ, start_response):
            with self.assertRaises(StartResponseError):
                start_response("200 OK", "no list")
            with self.assertRaisesRegex(StartResponseError, "called before"):
                start_response("200 OK", PLAIN)
            start_response("200 OK", PLAIN, (ValueError, ValueError("x"), None))
            return [b"ok"]

        self.assertEqual(ask(application).body, b"ok")

    def test_exc_info_after_the_head_is_sent_raises_the_error_again(self):  # 53
        error = ValueError("late")

        def application(environ, start_response):
            start_response("200 OK", PLAIN)(b"begun")
            try:
                raise error
            except ValueError:
                import sys

                with self.assertRaises(ValueError) as raised:
                    start_response("500 Oh", PLAIN, sys.exc_info())
                self.assertIs(raised.exception, error)
            return [b", ended"]

        self.assertEqual(ask(application).body, b"begun, ended")

    def test_exc_info_is_not_kept(self):  # 54
        references = []

        class Error(Exception):
            pass

        def application(environ, start_response):
            try:
                raise Error
            except Error as error:
                import sys

                references.append(weakref.ref(error))
                start_response("500 Oh", PLAIN, sys.exc_info())
            return []

        gc.disable()
        try:
            ask(application)
            self.assertIsNone(references[0]())
        finally:
            gc.enable()

    def test_what_is_no_head_is_refused_with_its_mend(self):  # 43, 44, 48, 56
        for status, headers, message in [
            (b"200 OK", [], "the status is a bytes: give a str"),
            (200, [], "the status is an int"),
            ("200 OK", (), "the headers are a tuple: give a list"),
            ("200 OK", None, "the headers are None"),
            ("200 OK", [["A", "b"]], "is no tuple of two"),
            ("200 OK", [("A",)], "is no tuple of two"),
            ("200 OK", [("A", 1)], "is not of two str"),
            ("200 OK", [(b"A", b"b")], "is not of two str"),
            ("200 OK", [("A", "\u2603")], "the header 'A' has the character U+"),
            ("200 OK", [("A", "\udc80")], "the header 'A' has the character U+"),
            ("200 \u2603", [], "the status has the character U+"),
            ("nonsense", [], "the status 'nonsense' is not"),
            ("200 OK", [("A", "b\nc")], "the header A has a control character"),
        ]:
            with self.subTest(status=status, headers=headers):
                outcome = ask(answering([b"x"], status, headers) if headers else self._starting(status, headers))
                self.assertIn(message, outcome.log)
                self.assertEqual(outcome.status, "500 Internal Server Error")

    @staticmethod
    def _starting(status, headers):
        def application(environ, start_response):
            start_response(status, headers)
            return []

        return application

    def test_an_error_before_the_head_becomes_a_500_with_its_traceback_in_the_log(self):  # 68
        for error in (ValueError("oops"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()):

            def application(environ, start_response, error=error):
                raise error

            outcome = ask(application)
            self.assertEqual(outcome.status, "500 Internal Server Error")
            self.assertEqual(outcome.body, b"Internal Server Error\n")
            self.assertIn("Traceback", outcome.log)
            self.assertIn(type(error).__name__, outcome.log)
            self.assertNotIn("wasgi/server.py", outcome.log, "the server's own frames say nothing")

    def test_an_error_after_the_head_aborts_the_response(self):  # 68
        def application(environ, start_response):
            start_response("200 OK", PLAIN)
            yield b"begun"
            raise ValueError("oops")

        outcome = ask(application)
        self.assertIsNotNone(outcome.aborted)
        self.assertIn("ValueError: oops", outcome.log)

    def test_an_error_whose_text_fails_is_logged_all_the_same(self):
        class Bad(Exception):
            def __str__(self):
                raise ValueError("no text")

        def application(environ, start_response):
            raise Bad

        outcome = ask(application)
        self.assertIn("Bad", outcome.log)
        self.assertEqual(outcome.status, "500 Internal Server Error")


class Body(unittest.TestCase):
    def test_one_element_is_returned_in_one_piece(self):  # 59
        for result in ([b"hello"], (b"hello",), [b"he", b"", b"llo"]):
            outcome = ask(answering(result))
            self.assertEqual((outcome.start.chunks, outcome.returned.value), ([], b"hello"))

    def test_an_empty_body_is_a_body(self):
        for result in ([], (), [b""], iter([]), iter([b"", b""])):
            outcome = ask(answering(result))
            self.assertEqual((outcome.status, outcome.body), ("200 OK", b""))

    def test_each_block_is_sent_before_the_next_is_asked_for(self):  # 57
        start = FakeStart()

        def application(environ, start_response):
            start_response("200 OK", PLAIN)
            yield b"first"
            self.assertEqual(start.chunks, [b"first"])
            yield b""
            yield b"second"
            self.assertEqual(start.chunks, [b"first", b"second"])

        self.assertEqual(ask(application, start=start).body, b"firstsecond")

    def test_start_response_may_come_with_the_first_block(self):  # 55
        def application(environ, start_response):
            start_response("200 OK", PLAIN)
            yield b"late but well"

        self.assertEqual(ask(application).body, b"late but well")

    def test_a_body_without_start_response_is_not_sent(self):  # 55
        for result in ([b"lost"], iter([b"lost"])):
            outcome = ask(lambda environ, start_response, result=result: result)
            self.assertIsNone(outcome.start.head)
            self.assertEqual(outcome.start.chunks, [])

    def test_what_is_no_body_is_answered_with_500_and_its_mend(self):
        for result, message in [
            (None, "returned None: return an iterable of bytes"),
            (7, "returned an int: return an iterable of bytes"),
            ("text", "returned a str: return an iterable of bytes, such as [text.encode()]"),
            (b"bytes", "returned a bytes: return an iterable of bytes, such as [body]"),
            (["text"], "a list with a str, but a body is of bytes: encode it"),
            ([b"a", 1], "a list with an int, but a body is of bytes"),
            (iter(["text"]), "yielded a str, but a body is of bytes: encode it"),
            (iter([bytearray(b"x")]), "yielded a bytearray, but a body is of bytes: convert it with bytes()"),
        ]:
            with self.subTest(result=result):
                outcome = ask(answering(result))
                self.assertIn(message, outcome.log)
                self.assertEqual(outcome.status, "500 Internal Server Error")

    def test_a_large_body_is_cut_as_the_host_wants(self):
        body = bytes(range(256)) * 4096
        for result in ([body], [body[:500_000], body[500_000:]], iter([body])):
            outcome = ask(answering(result))
            self.assertEqual(outcome.body, body)
            self.assertLessEqual(max(map(len, outcome.start.chunks)), 256 * 1024)

    def test_the_size_of_a_write_is_learned_from_the_host(self):
        self.addCleanup(setattr, Response, "chunk_max", Response.chunk_max)
        outcome = ask(answering(iter([b"x" * 1000, b"y" * 250])), start=FakeStart(chunk_max=100))
        self.assertEqual([len(chunk) for chunk in outcome.start.chunks], [100] * 10 + [100, 100, 50])
        self.assertEqual(Response.chunk_max, 100)

    def test_the_body_stops_at_the_content_length(self):  # 60
        asked = []

        def blocks():
            for number in range(5):
                asked.append(number)
                yield b"abc"

        outcome = ask(answering(blocks(), headers=[("Content-Length", "5")]))
        self.assertEqual(outcome.body, b"abcab")
        self.assertEqual(asked, [0, 1], "nothing is asked for past the end")
        self.assertIn("Content-Length of 5", outcome.log)

    def test_a_write_past_the_content_length_raises(self):  # 60
        def application(environ, start_response):
            write = start_response("200 OK", [("Content-Length", "3")])
            with self.assertRaisesRegex(AssertionError, "Content-Length of 3"):
                write(b"four")
            return [b"abc"]

        self.assertEqual(ask(application).body, b"abc")

    def test_a_204_has_no_body_whatever_the_application_returns(self):
        for status in ("204 No Content", "304 Not Modified"):
            for result in ([b"dropped"], iter([b"dropped"])):
                outcome = ask(answering(result, status, []))
                self.assertEqual((outcome.status, outcome.body), (status, b""))

    def test_a_subclass_of_bytes_is_bytes(self):
        class Special(bytes):
            pass

        for result in ([Special(b"x")], iter([Special(b"x")])):
            outcome = ask(answering(result))
            self.assertEqual(outcome.body, b"x")
            self.assertTrue(all(type(chunk) is bytes for chunk in outcome.start.chunks))


class Closing(unittest.TestCase):
    """Rule 65: close() on every way out."""

    class Iterable:
        def __init__(self, items, error=None):
            self.items = items
            self.error = error
            self.closed = 0

        def __iter__(self):
            yield from self.items
            if self.error:
                raise self.error

        def close(self):
            self.closed += 1

    def test_it_is_closed_after_its_end(self):
        result = self.Iterable([b"x"])
        ask(answering(result))
        self.assertEqual(result.closed, 1)

    def test_it_is_closed_after_an_error(self):
        for items in ([], [b"begun"]):
            result = self.Iterable(items, ValueError("x"))
            ask(answering(result))
            self.assertEqual(result.closed, 1)

    def test_it_is_closed_when_the_client_leaves_and_not_asked_further(self):
        start = FakeStart()

        def leaving():
            yield b"first"
            start.has_left = True
            yield b"second"
            raise AssertionError("asked for a third block")

        result = self.Iterable(leaving())
        outcome = ask(answering(result), start=start)
        self.assertEqual(result.closed, 1)
        self.assertIsNone(outcome.aborted)
        self.assertIn("the client has gone", outcome.log)
        self.assertNotIn("Traceback", outcome.log)

    def test_it_is_closed_when_it_is_not_asked_at_all(self):
        result = self.Iterable([b"x"])
        ask(answering(result, "204 No Content", []))
        self.assertEqual(result.closed, 1)

    def test_a_generator_is_finished(self):
        finished = []

        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "1")])
            try:
                yield b"x"
                yield b"y"
            finally:
                finished.append(True)

        ask(application)
        self.assertEqual(finished, [True])

    def test_an_error_of_close_is_logged_and_the_response_stands(self):
        class Bad(self.Iterable):
            def close(self):
                raise ValueError("cannot close")

        outcome = ask(answering(Bad([b"x"])))
        self.assertEqual((outcome.status, outcome.body), ("200 OK", b"x"))
        self.assertIn("cannot close", outcome.log)

    def test_only_iteration_and_close_are_used(self):  # 4
        used = []

        class Spy:
            def __getattribute__(self, name):
                used.append(name)
                return object.__getattribute__(self, name)

            def __iter__(self):
                return iter([b"x"])

        ask(answering(Spy()))
        self.assertEqual(set(used) - {"__class__"}, {"close"})


if __name__ == "__main__":
    unittest.main()
