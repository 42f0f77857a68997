"""`wsgi.file_wrapper` (rule 72)."""

import io
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

#: Where the bundle is while a component is built, and, as a second name, when it runs.
ROOT = "/0"

#: The name of the bundle for the host.
MOUNT = "/app"

#: Read at a time from a file on disk, where a read does not wait for anybody, in bytes.
CHUNK = 64 * 1024

#: The files that the host can send by itself: their paths below `ROOT`. Filled when a component is built.
bundled: frozenset[str] = frozenset()


class FileWrapper:
    """Sends a file-like object, from where it stands to its end.

    A file of the bundle is sent by the host, without passing through the application; anything
    else is read in blocks.
    """

    def __init__(self, filelike: BinaryIO, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        size = max(self.blksize, CHUNK) if _is_on_disk(self.filelike) else self.blksize
        if data := self.filelike.read(size):
            return data
        raise StopIteration

    def close(self) -> None:
        if hasattr(self.filelike, "close"):
            self.filelike.close()

    def bundled_range(self) -> tuple[str, int] | None:
        """The path below `/app` and the offset, if this is a file of the bundle."""
        if not _is_on_disk(self.filelike):
            return None
        name = getattr(self.filelike, "name", None)
        if not isinstance(name, str):
            return None
        path = os.path.normpath(os.path.join(ROOT, name))
        for root in (ROOT, MOUNT):
            relative = path.removeprefix(root + "/")
            if relative in bundled and relative != path:
                return f"{MOUNT}/{relative}", self.filelike.tell()
        return None


def _is_on_disk(filelike: Any) -> bool:
    return isinstance(filelike, io.BufferedReader) and isinstance(filelike.raw, io.FileIO)
