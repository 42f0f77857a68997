"""Objects of the build, most of which are immortal: what becomes of them when requests use them and let them go."""

import gc
import sys
import weakref

from call import json
from wasgi.build import heap

#: What told that it went.
GONE = []


class Watched:
    """What a weak reference can be made to."""

    def __init__(self, name):
        self.name = name


class Finalised(Watched):
    """What tells by itself."""

    def __del__(self):
        GONE.append(self.name)


def counting():
    """Never ends by itself."""
    number = 0
    try:
        while True:
            number += 1
            yield f"number {number}", "a text that each gets"
    finally:
        GONE.append("generator")


FINALISED = [Finalised("finaliser")]
WATCHED = [Watched("watched"), Watched("nobody asks any more")]
REFERENCE = weakref.ref(WATCHED[0], lambda reference: GONE.append("callback"))
CANCELLED = [weakref.ref(WATCHED[1], lambda reference: GONE.append("cancelled callback"))]
BY_NAME = weakref.WeakValueDictionary(watched=WATCHED[0])
GENERATORS = [counting()]
BUFFER = bytearray(b"buffer")
VIEWS = [memoryview(BUFFER)]
TABLE = {number: [str(number), (number, "a pair")] for number in range(20_000)}
STORE = {}
STATE = Watched("state")
NUMBERS = counting()
next(GENERATORS[0])
next(NUMBERS)


def let_go(call):
    """Lets go of all that somebody is told of."""
    for owner in (CANCELLED, FINALISED, WATCHED, GENERATORS, VIEWS):
        owner.clear()
    BUFFER.extend(b" grows")
    told = {"gone": sorted(GONE), "reference": REFERENCE() is None, "by_name": len(BY_NAME), "buffer": BUFFER.decode()}
    return json(call, told)


def table(call):
    """Deletes, clears, and fills again."""
    for number in range(0, 20_000, 2):
        del TABLE[number]
    left = sum(int(item[0]) + item[1][0] for item in TABLE.values())
    TABLE.clear()
    TABLE.update((number, [str(number)]) for number in range(1000))
    return json(call, {"left": left, "now": sum(int(item[0]) for item in TABLE.values())})


def circles(call):
    """Makes garbage, and collects twice; all that was there at the build takes part on request."""
    if call.query.is_on("unfreeze"):
        gc.unfreeze()
    for _ in range(100):
        circle = Watched("circle")
        circle.itself = circle
    del circle
    return json(call, {"first": gc.collect(), "second": gc.collect(), "uncollectable": len(gc.garbage)})


def work(call):
    """Much that counts references to what was there at the build, in all the ways that code has."""
    for turn in range(200):
        STATE.name = "a text that is no name"
        Watched.shared = ("a text of a class", turn)
        STORE[turn] = ("a text with blanks", 3.25, (turn, "another text"))
        STORE[f"key {turn}"] = [Watched("a new one"), next(NUMBERS), Watched, work, counting]
        try:
            raise KeyError("not there, on purpose")
        except KeyError as error:
            STATE.error = error
    STORE.clear()
    STATE.error = None
    gc.collect()
    return json(call, {"turns": turn + 1})


def room(call):
    """How many objects there are that are not frozen, and how many pieces of 16 KiB there is memory left for."""
    gc.collect()
    objects = len(gc.get_objects())
    pieces = [None] * 100_000
    count = 0
    try:
        while count < len(pieces):
            pieces[count] = bytes(16384)
            count += 1
    except MemoryError:
        pieces.clear()
    return json(call, {"objects": objects, "pieces": count})


def counts(call):
    """The reference counts of what is listed as immortal; CPython's own are higher by far."""
    listed = heap._kept[0]
    found = [count for count in map(sys.getrefcount, listed) if count < 6 << 28]
    immortal = [count for count in found if count >= 1 << 30]
    return json(
        call,
        {"listed": len(found), "immortal": len(immortal), "least": min(immortal), "most": max(immortal)},
    )


PATHS = {
    "/heap/let-go": let_go,
    "/heap/table": table,
    "/heap/circles": circles,
    "/heap/work": work,
    "/heap/room": room,
    "/heap/counts": counts,
}
