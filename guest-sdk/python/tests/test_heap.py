"""The end of the build: what is found to be immortal, how holes are filled, and how often warm-up requests run."""

import io
import sys
import unittest
import weakref
from contextlib import redirect_stdout
from unittest import mock

from wasgi import output
from wasgi.build import heap
from wasgi.build.config import Config
from wasgi.build.warm import AGAIN, warm_all
from wasgi.server import Server


class Thing:
    """A class with an instance."""

    def method(self):
        return ("a constant of code", 123_456_789)


class Reachable(unittest.TestCase):
    def test_what_the_garbage_collector_does_not_track_is_found_too(self):
        thing = Thing()
        thing.attribute = {"a key of a dict": "and a value"}
        self.addCleanup(vars(thing).clear)
        found = {id(item) for item in heap.reachable()}
        constants = next(item for item in Thing.method.__code__.co_consts if isinstance(item, tuple))
        key, value = next(iter(thing.attribute.items()))
        for item in (Thing, Thing.method, Thing.method.__code__, *constants, thing, thing.attribute, key, value):
            self.assertIn(id(item), found, repr(item))

    def test_what_an_object_says_of_itself_is_not_asked(self):
        class Liar:
            @property
            def __class__(self):
                raise AssertionError("asked")

        liar = Liar()
        self.assertIn(id(liar), {id(item) for item in heap.reachable()})

    def test_frames_are_not_kept(self):
        frame = sys._getframe()
        self.assertNotIn(id(frame), {id(item) for item in heap.reachable()})

    def test_what_has_a_finaliser_or_is_watched_by_a_weak_reference_is_left_mortal(self):
        class Finalised:
            def __del__(self):
                pass

        class Watched:
            pass

        watched, known = Watched(), Watched()
        reference, calling, proxy = weakref.ref(watched), weakref.ref(known, print), weakref.proxy(watched)
        generator = (item for item in ())
        mortal = [Finalised(), io.StringIO(), generator, memoryview(b""), watched, known, calling, proxy]
        found = {id(item) for item in heap.reachable()}
        for item in mortal:
            self.assertNotIn(id(item), found, type(item))
        for item in (Finalised, Watched, reference, mortal):
            self.assertIn(id(item), found, type(item))

    def test_each_object_is_found_once(self):
        found = heap.reachable()
        self.assertEqual(len(found), len({id(item) for item in found}))


class Holes(unittest.TestCase):
    def test_filling_ends_and_takes_no_more_than_it_may(self):
        pieces = heap.fill_holes()
        # Sizes are those of 32 bits.
        self.assertLess(sum(map(sys.getsizeof, pieces)), 2 * heap.FILLED_MAX)

    def test_witnesses_are_held_as_often_as_they_say(self):
        with mock.patch.object(heap, "_kept", []) as kept:
            held, name, none = heap._witnesses()
        self.assertEqual(kept, [[held] * heap.HELD, name])
        self.assertIsInstance(name, str)
        self.assertIsNone(none)

    def test_an_interpreter_whose_objects_are_laid_out_otherwise_is_let_be(self):
        with mock.patch.object(heap, "_kept", []), mock.patch.object(heap.sys, "version_info", (3, 15)):
            # The path cannot be written, and nobody tries.
            heap.settle("/nowhere/immortal")


class WarmUp(unittest.TestCase):
    def setUp(self):
        self.asked = []

    def application(self, environ, start_response):
        self.asked.append(environ["REQUEST_METHOD"])
        print("asked")
        start_response("200 OK", [])
        return []

    def test_requests_that_may_come_again_do_and_others_come_once(self):
        config = Config.of({"app": "a:b", "warm-up": ["/", "POST /form a=b"]})
        with redirect_stdout(io.StringIO()):
            self.assertEqual(warm_all(config, Server(self.application).serve), [])
        self.assertEqual(self.asked, ["GET"] * (1 + AGAIN) + ["POST"])

    def test_what_is_printed_is_shown_once(self):
        log = output.BuildLog()
        with redirect_stdout(output.Output(log)):
            warm_all(Config.of({"app": "a:b"}), Server(self.application).serve)
        self.assertEqual(log.text(), "asked\n")

    def test_one_that_fails_is_told_once(self):
        def failing(environ, start_response):
            raise ValueError("not warm")

        [warning] = warm_all(Config.of({"app": "a:b"}), Server(failing).serve)
        self.assertIn("ValueError", warning["log"])


if __name__ == "__main__":
    unittest.main()
