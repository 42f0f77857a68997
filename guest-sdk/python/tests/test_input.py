"""`wsgi.input` and `wsgi.errors`: rules 31 to 42."""

import io
import unittest

from tests.exchange import ask
from wasgi import bindings
from wasgi.errors import ClientDisconnected, ErrorStream, InputTimedOut, InputTooLarge
from wasgi.fake import FakeInput, FakeRequest
from wasgi.input import Input


def input_of(body):
    return Input(FakeRequest({}, body))


class Failing:
    """A host whose input fails."""

    def __init__(self, why):
        self.why = why

    def input(self):
        return self

    def read(self, size):
        raise bindings.Err(self.why)


class Reading(unittest.TestCase):
    def test_read_gives_what_is_asked_for(self):  # 31, 33
        body = input_of(b"0123456789")
        self.assertEqual(
            [body.read(4), body.read(0), body.read(4), body.read(4), body.read(4)], [b"0123", b"", b"4567", b"89", b""]
        )

    def test_read_without_size_gives_the_rest(self):  # 33
        for size in ((), (-1,), (None,)):
            body = input_of(b"x" * 200_000)
            self.assertEqual(len(body.read(1000)), 1000)
            self.assertEqual(len(body.read(*size)), 199_000)
            self.assertEqual(body.read(), b"")

    def test_past_the_end_there_is_nothing(self):  # 32, 34
        body = input_of(b"x")
        body.read()
        self.assertEqual(
            [body.read(), body.read(5), body.readline(), body.readlines(), list(body)], [b"", b"", b"", [], []]
        )

    def test_readline_ends_after_the_newline_or_at_its_size(self):  # 35
        body = input_of(b"one\ntwo\n\nlast")
        self.assertEqual(
            [body.readline(), body.readline(2), body.readline(99), body.readline(), body.readline(), body.readline()],
            [b"one\n", b"tw", b"o\n", b"\n", b"last", b""],
        )

    def test_readlines_and_iteration_give_lines(self):  # 31, 36
        text = b"a\nb\nc"
        self.assertEqual(input_of(text).readlines(), [b"a\n", b"b\n", b"c"])
        self.assertEqual(list(input_of(text)), [b"a\n", b"b\n", b"c"])
        hinted = input_of(text)
        self.assertEqual(hinted.readlines(2) + hinted.readlines(), [b"a\n", b"b\n", b"c"])

    def test_nothing_is_asked_of_the_host_before_the_application_reads(self):  # 38
        request = FakeRequest({}, b"body")
        Input(request)
        self.assertIsInstance(request.input(), FakeInput, "it is still to be had")

    def test_it_can_be_wrapped_as_text(self):
        self.assertEqual(io.TextIOWrapper(input_of("snow\u2603".encode()), "utf-8").read(), "snow\u2603")

    def test_a_short_read_of_the_host_is_no_end(self):
        class Slow(FakeInput):
            def read(self, size):
                return super().read(min(size, 3))

        class Request(FakeRequest):
            def input(self):
                return Slow(b"0123456789")

        body = Input(Request({}))
        self.assertEqual(body.read(5), b"01234")
        self.assertEqual(body.read1(100)[:1], b"5")
        self.assertEqual(Input(Request({})).read(), b"0123456789")

    def test_what_the_host_refuses_is_an_os_error(self):
        for why, error in [
            (bindings.InputError_Closed(), ClientDisconnected),
            (bindings.InputError_TooLarge(), InputTooLarge),
            (bindings.InputError_TimedOut(), InputTimedOut),
        ]:
            for read in ("read", "readline", "readlines"):
                with self.assertRaises(error) as raised:
                    getattr(Input(Failing(why)), read)()
                self.assertIsInstance(raised.exception, OSError)

    def test_an_application_whose_client_left_is_not_blamed(self):
        def application(environ, start_response):
            environ["wsgi.input"]._request = Failing(bindings.InputError_Closed())
            environ["wsgi.input"].read()

        outcome = ask(application, "POST", body=b"x")
        self.assertIsNone(outcome.start.head)
        self.assertNotIn("Traceback", outcome.log)


class Errors(unittest.TestCase):
    def setUp(self):
        self.written = []
        self.stream = ErrorStream(self.written.append)

    def test_it_takes_text_and_lines(self):  # 39
        self.assertEqual(self.stream.write("one\n"), 4)
        self.stream.writelines(["two\n", "three\n"])
        self.stream.flush()
        self.assertEqual(self.written, ["one\n", "two\n", "three\n"])

    def test_it_takes_any_text(self):  # 40
        self.stream.write("snow\u2603 \udc80\n")
        self.assertEqual(self.written, ["snow\u2603 \\udc80\n"])

    def test_it_refuses_bytes(self):
        with self.assertRaisesRegex(TypeError, "decode it first"):
            self.stream.write(b"bytes")

    def test_print_writes_to_it(self):
        print("printed", file=self.stream)
        self.assertEqual("".join(self.written), "printed\n")


if __name__ == "__main__":
    unittest.main()
