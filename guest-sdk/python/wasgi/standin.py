"""The types of `wit/gateway.wit` as componentize-py would make them, for where it did not run."""

import sys
from dataclasses import dataclass
from typing import Any


@dataclass
class InputError_Taken:
    pass


@dataclass
class InputError_Closed:
    pass


@dataclass
class InputError_TooLarge:
    pass


@dataclass
class InputError_TimedOut:
    pass


@dataclass
class WriteError_Closed:
    pass


@dataclass
class WriteError_PastContentLength:
    pass


@dataclass
class WriteError_NoBodyAllowed:
    pass


@dataclass
class WriteError_TooLarge:
    value: int


@dataclass
class StartError_AlreadyCalled:
    pass


@dataclass
class StartError_HeadSent:
    pass


@dataclass
class StartError_BadStatus:
    value: str


@dataclass
class StartError_BadHeader:
    value: str


@dataclass
class StartError_TooLarge:
    value: str


@dataclass
class StartError_Closed:
    pass


@dataclass
class FileRange:
    path: str
    offset: int
    length: int | None


@dataclass
class Body_Bytes:
    value: bytes


@dataclass
class Body_File:
    value: FileRange


class Err(Exception):
    """What a call of the host raises; `value` says why."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def write_errors(text: str) -> None:
    sys.__stderr__.write(text)
