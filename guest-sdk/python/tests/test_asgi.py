"""The ASGI bridge: messages, streaming, lifespan, and an event loop without sockets and threads."""

import asyncio
import contextlib
import logging
import unittest
import warnings

from tests.exchange import ask
from wasgi.asgi import Bridge
from wasgi.asgi.loop import Deadlock, Loop, install
from wasgi.asgi.scope import scope_of
from wasgi.fake import FakeRequest, FakeStart, variables

# What a test leaves running is its point.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", "unclosed event loop")


def serving(application, lifespan="off"):
    return Bridge(application, lifespan)


async def answer(send, body=b"", status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    await answer(send, b"hello", headers=[(b"content-type", b"text/plain")])


class Messages(unittest.TestCase):
    def test_a_body_in_one_part_is_returned_in_one_piece(self):
        outcome = ask(serving(hello))
        self.assertEqual((outcome.status, outcome.headers), ("200 OK", {"content-type": "text/plain"}))
        self.assertEqual((outcome.start.chunks, outcome.returned.value), ([], b"hello"))

    def test_an_error_after_the_response_leaves_it_as_it_is(self):
        async def application(scope, receive, send):
            await answer(send, b"an error page", 500, [(b"x-own", b"yes")])
            raise RuntimeError("raised again for the server's log")

        outcome = ask(serving(application))
        self.assertEqual((outcome.status, outcome.headers), ("500 Internal Server Error", {"x-own": "yes"}))
        self.assertEqual(outcome.returned.value, b"an error page")

    def test_an_error_within_the_response_becomes_one(self):
        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("no body came")

        self.assertEqual(ask(serving(application)).status, "500 Internal Server Error")

    def test_the_scope_tells_the_request(self):
        made = variables("POST", "/caf%C3%A9?a=1", {"Content-Type": "text/plain", "X-Two-Words": "yes"}, b"abc")
        scope = scope_of(FakeRequest(made | {"SCRIPT_NAME": "/mount", "RAW_URI": "/mount/caf%C3%A9?a=1"}), {"n": 1})
        self.assertEqual((scope["type"], scope["method"], scope["scheme"]), ("http", "POST", "http"))
        self.assertEqual((scope["path"], scope["root_path"]), ("/mount/caf\u00e9", "/mount"))
        self.assertEqual((scope["raw_path"], scope["query_string"]), (b"/mount/caf%C3%A9", b"a=1"))
        self.assertEqual(
            (scope["http_version"], scope["server"], scope["client"][0]), ("1.1", ("localhost", 80), "127.0.0.1")
        )
        self.assertEqual(scope["state"], {"n": 1})
        headers = dict(scope["headers"])
        self.assertEqual(
            (headers[b"x-two-words"], headers[b"content-type"], headers[b"content-length"]),
            (b"yes", b"text/plain", b"3"),
        )

    def test_the_body_comes_in_parts_and_then_the_end(self):
        got = []

        async def application(scope, receive, send):
            while True:
                message = await receive()
                got.append((message["type"], len(message["body"])))
                if not message["more_body"]:
                    break
            await answer(send)

        ask(serving(application), "POST", body=b"x" * 100_000)
        self.assertEqual(got, [("http.request", 65536), ("http.request", 34464), ("http.request", 0)])

    def test_each_part_is_sent_before_the_application_goes_on(self):
        start = FakeStart()

        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            self.assertEqual(start.chunks, [b"first"])
            await send({"type": "http.response.body", "body": b"last"})

        self.assertEqual(ask(serving(application), start=start).body, b"firstlast")

    def test_what_comes_after_the_response_does_not_keep_the_client_waiting(self):
        start = FakeStart()

        async def application(scope, receive, send):
            await answer(send, b"answer")
            await asyncio.sleep(0.001)
            self.assertEqual(start.chunks, [b"answer"])

        self.assertEqual(ask(serving(application), start=start).body, b"answer")

    def test_a_client_that_left_is_an_os_error_of_send(self):
        start = FakeStart()

        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            start.has_left = True
            with self.assertRaises(OSError):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
            raise ConnectionResetError

        ask(serving(application), start=start)

    def test_receive_says_disconnect_once_the_response_is_complete(self):
        async def application(scope, receive, send):
            await receive()
            waiting = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            await answer(send)
            self.assertEqual(await waiting, {"type": "http.disconnect"})

        self.assertEqual(ask(serving(application)).status, "200 OK")

    def test_errors_become_a_500(self):
        async def raising(scope, receive, send):
            raise ValueError("oops")

        async def silent(scope, receive, send):
            return None

        async def unfinished(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def disorderly(scope, receive, send):
            await send({"type": "http.response.body", "body": b""})

        async def exiting(scope, receive, send):
            raise SystemExit(1)

        for application, message in [
            (raising, "ValueError: oops"),
            (silent, "returned without a response"),
            (unfinished, "before its response was complete"),
            (disorderly, "came before http.response.start"),
            (exiting, "SystemExit"),
        ]:
            outcome = ask(serving(application))
            self.assertEqual(outcome.status, "500 Internal Server Error")
            self.assertIn(message, outcome.log)
        self.assertEqual(ask(serving(hello)).body, b"hello", "the next request is served")

    def test_tasks_left_behind_are_told(self):
        async def application(scope, receive, send):
            self.task = asyncio.ensure_future(asyncio.sleep(60))
            await answer(send)

        self.assertIn("1 tasks were still running", ask(serving(application)).log)


class Lifespan(unittest.TestCase):
    def setUp(self):
        self.events = []

    async def application(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                self.events.append(message["type"])
                scope["state"]["ready"] = True
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await answer(send, repr(scope["state"]).encode())

    def test_it_starts_at_the_first_request_and_only_then(self):
        server = serving(self.application, "request")
        self.assertEqual(self.events, [])
        for _ in range(2):
            self.assertEqual(ask(server).body, b"{'ready': True}")
        self.assertEqual(self.events, ["lifespan.startup"])

    def test_the_build_shuts_it_down_so_that_each_instance_starts_its_own(self):
        server = serving(self.application, "request")
        ask(server)
        server.settle()
        self.assertEqual(self.events, ["lifespan.startup", "lifespan.shutdown"])
        ask(server)
        self.assertEqual(self.events[2:], ["lifespan.startup"])

    def test_one_of_the_build_lasts(self):
        server = serving(self.application, "build")
        ask(server)
        server.settle()
        self.assertEqual(ask(server).body, b"{'ready': True}")
        self.assertEqual(self.events, ["lifespan.startup"])

    def test_an_application_without_one_is_served(self):
        async def application(scope, receive, send):
            assert scope["type"] == "http"
            await answer(send, b"served")

        self.assertEqual(ask(serving(application, "request")).body, b"served")

    def test_a_failed_startup_is_told(self):
        async def application(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        outcome = ask(serving(application, "request"))
        self.assertEqual(outcome.status, "500 Internal Server Error")
        self.assertIn("no database", outcome.log)


class EventLoop(unittest.TestCase):
    def setUp(self):
        self.loop = Loop()
        self.addCleanup(self.loop.close)

    def run_in_loop(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def test_timers_and_tasks_run(self):
        async def main():
            async with asyncio.timeout(5):
                return await asyncio.gather(asyncio.sleep(0.001, 1), asyncio.sleep(0, 2))

        self.assertEqual(self.run_in_loop(main()), [1, 2])

    def test_a_timeout_ends_what_waits(self):
        async def main():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    await asyncio.get_running_loop().create_future()
            return "ended"

        self.assertEqual(self.run_in_loop(main()), "ended")

    def test_what_would_be_a_thread_runs_in_line(self):
        async def main():
            return await asyncio.to_thread(lambda: "in line")

        self.assertEqual(self.run_in_loop(main()), "in line")

    def test_an_error_in_line_is_raised_where_it_is_awaited(self):
        async def main():
            with self.assertRaises(ZeroDivisionError):
                await asyncio.to_thread(lambda: 1 / 0)
            with self.assertRaises(RuntimeError):
                await asyncio.to_thread(next, iter(()))

        self.run_in_loop(main())

    def test_a_wait_that_cannot_end_is_an_error(self):
        async def main():
            await asyncio.get_running_loop().create_future()

        with self.assertRaises(Deadlock):
            self.run_in_loop(main())

    def test_asyncio_run_takes_this_loop(self):
        policy = asyncio.get_event_loop_policy()
        original = type(policy)._loop_factory
        self.addCleanup(setattr, type(policy), "_loop_factory", original)
        install()

        async def main():
            return type(asyncio.get_running_loop())

        self.assertIs(asyncio.run(main()), Loop)


if __name__ == "__main__":
    unittest.main()
