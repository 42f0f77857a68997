"""`wsgi.input`."""

import zlib

from call import json, text

PIECE = 64 * 1024


def pieces(call, size=PIECE):
    """Reads to the end, piece by piece, as the server has them at hand if it tells."""
    read = getattr(call.input, "read1", call.input.read)
    while piece := read(size):
        yield piece


def every(call):
    body = b"".join(pieces(call))
    call.start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [body]


def read(call):
    size, total, reads, largest, crc = call.query.number("max", 1024), 0, 0, 0, 0
    while piece := call.input.read(size):
        total, reads, largest, crc = total + len(piece), reads + 1, max(largest, len(piece)), zlib.crc32(piece, crc)
    return json(call, {"total": total, "reads": reads, "largest": largest, "crc32": f"{crc:08x}"})


def partial(call):
    return text(call, call.input.read(call.query.number("bytes", 1)))


def zero(call):
    nothing = call.input.read(0)
    return json(call, {"zero": len(nothing), "total": len(call.input.read(1 << 30))})


def after_end(call):
    total = sum(map(len, pieces(call)))
    return json(call, {"total": total, "after": [len(call.input.read(PIECE)) for _ in range(3)]})


def lines(call):
    lengths = []
    while len(lengths) < 1000 and (line := call.input.readline()):
        lengths.append(len(line))
    return json(call, {"lines": lengths})


def ways(call):
    """The same lines, in each of the ways that there are."""
    way = call.query.text("by", "")
    if way == "iteration":
        found = list(call.input)
    elif way == "readlines":
        found = call.input.readlines()
    elif way == "hint":
        found = call.input.readlines(1) + call.input.readlines()
    else:
        found = [call.input.readline(3), *call.input.readlines()]
    rest = call.input.read(5)
    return json(call, {"lines": [line.decode("latin-1") for line in found], "rest": len(rest)})


def error(call):
    total, name = 0, None
    try:
        for piece in pieces(call):
            total += len(piece)
    except OSError as raised:
        name = raised.kind
    call.log(f"input: {name or 'end'} after {total} bytes")
    return json(call, {"total": total, "error": name})


def echo(call):
    call.start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return pieces(call)


PATHS = {
    "/input/all": every,
    "/input/read": read,
    "/input/partial": partial,
    "/input/ignored": lambda call: text(call, b"ignored"),
    "/input/zero": zero,
    "/input/after-end": after_end,
    "/input/lines": lines,
    "/input/ways": ways,
    "/input/error": error,
    "/input/echo": echo,
}
