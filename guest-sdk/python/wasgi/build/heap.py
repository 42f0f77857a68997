"""Leaves the heap so that a request writes few of its pages: in a new instance each of them is a fault and a copy.

Two things would have a request write all over the heap. CPython counts references in the objects themselves, those of
the snapshot too. And CPython for WASI takes every object from malloc, which fills the holes that imports have left before it
goes on at the end.

Nothing in Python makes an object immortal (PEP 683), so `wasgi build` sets the counts in the snapshot, of what is listed here.
What is immortal is neither freed nor finalised, so what somebody is told of when it goes stays mortal.
"""

import array
import gc
import sys
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

#: What the list of immortal objects begins with.
MARK = b"immortal"

#: How often the first witness is referred to.
HELD = 5

#: Bytes of the pieces of memory that holes are filled with: malloc's own steps, up to what a request makes many of. Behind
#: these come the smallest, of 16.
SIZES = range(4096, 31, -16)

#: So many pieces that touch the one before are behind the last hole of their size: free neighbours would have been one hole.
ROW = 2

#: Bytes that are filled at most.
FILLED_MAX = 16 * 1024 * 1024

#: Bytes in one piece for what requests allocate.
ROOM = 1024 * 1024

#: What a piece has around its bytes, of `bytes` and of malloc.
OVERHEAD = 24

#: What is listed is not freed before the snapshot is taken, nor is what fills the holes.
_kept: list[Any] = []


def settle(path: str) -> None:
    """Lists in the file what can be immortal, and fills the holes."""
    gc.collect()
    # The layout of objects is known of this one only.
    if sys.version_info[:2] == (3, 14) and sys.maxsize < 2**32:
        objects = reachable()
        _kept.append(objects)
        with open(path, "wb") as target:
            target.write(MARK)
            target.write(array.array("I", _addresses([*_witnesses(), *objects])))
    _kept.append(fill_holes())


def _addresses(objects: list[Any]) -> Iterator[int]:
    """For each object two numbers: its address and that of its type."""
    for item in objects:
        yield id(item)
        yield id(type(item))


def _witnesses() -> tuple[Any, Any, Any]:
    """By these `wasgi build` knows how objects are laid out: one that is referred to `HELD` times, one that CPython itself
    made immortal while it ran, as it does with names, and `None`."""
    held = object()
    name = compile("wasgi_witness", "", "eval").co_names[0]
    _kept.append([held] * HELD)
    _kept.append(name)
    return held, name, None


def reachable() -> list[Any]:
    """Every object that can be reached from those that the garbage collector knows, and that nobody is told of when it goes."""
    found: list[Any] = []
    seen: set[int] = set()
    ahead: list[Any] = gc.get_objects()
    ours = {id(found), id(seen), id(ahead)}
    finalised: dict[type, bool] = {}
    while ahead:
        item = ahead.pop()
        kind = type(item)
        # Frames are on their way out.
        if id(item) in seen or id(item) in ours or kind is types.FrameType:
            continue
        seen.add(id(item))
        ahead.append(kind)
        ahead.extend(_parts(item))
        if kind not in finalised:
            finalised[kind] = _has_finaliser(kind)
        if not (finalised[kind] or _is_watched(item)):
            found.append(item)
    return found


def _has_finaliser(kind: type) -> bool:
    """Whether something happens when an instance goes: a file or a generator is closed, a buffer released."""
    return kind is memoryview or any("__del__" in _namespace(base) for base in _bases(kind))


def _is_watched(item: Any) -> bool:
    """Whether a weak reference tells that it is gone, or it is one and a call depends on whether it is there."""
    kind = type(item)
    # A class is in a circle with its own parts, so that nobody can count on when it goes.
    if issubclass(kind, type):
        return False
    calls = issubclass(kind, weakref.ref) and _callback(item) is not None
    return calls or kind in weakref.ProxyTypes or weakref.getweakrefcount(item) > 0


# Not by attribute: an object may say of itself what it likes, and run the application's code for it.
_bases = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__
_callback = weakref.ref.__dict__["__callback__"].__get__


def _parts(item: Any) -> Iterable[Any]:
    """What an object refers to, with what the garbage collector has no interest in."""
    kind = type(item)
    if kind is types.CodeType:
        names = (item.co_names, item.co_varnames, item.co_freevars, item.co_cellvars)
        tables = (item.co_linetable, item.co_exceptiontable)
        return (item.co_consts, item.co_filename, item.co_name, item.co_qualname, *names, *tables)
    parts = gc.get_referents(item)
    # Of keys that are all text it tells nothing.
    return [*parts, *dict.keys(item)] if issubclass(kind, dict) else parts


def fill_holes() -> list[object]:
    """Fills the holes in the heap, and leaves one free piece of it; they stay filled while the list is kept."""
    pieces: list[object] = [None] * (FILLED_MAX // 64)
    count = 0
    left = FILLED_MAX
    # Large ones first, which would be cut up for small pieces.
    for size in (*SIZES, 16):
        row = 0
        last = 0
        while row < ROW and left >= size and count < len(pieces):
            piece = bytes(size - OVERHEAD) if size > 16 else object()
            place = id(piece)
            row = row + 1 if place == last + size else 0
            last = place
            pieces[count] = piece
            count += 1
            left -= size
    del pieces[count:]
    bytes(ROOM)
    return pieces
