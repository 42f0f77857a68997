"""The names of `wit/gateway.wit` in Python, in one place.

Inside a component they come from the module that componentize-py makes of the WIT; outside, where
unit tests run, from `wasgi.standin`.
"""

try:
    from componentize_py_types import Err
    from wit_world.imports.gateway import (
        Body_Bytes,
        Body_File,
        FileRange,
        InputError_Closed,
        InputError_Taken,
        InputError_TimedOut,
        InputError_TooLarge,
        StartError_AlreadyCalled,
        StartError_BadHeader,
        StartError_BadStatus,
        StartError_Closed,
        StartError_HeadSent,
        StartError_TooLarge,
        WriteError_Closed,
        WriteError_NoBodyAllowed,
        WriteError_PastContentLength,
        WriteError_TooLarge,
        write_errors,
    )
except ModuleNotFoundError:
    from wasgi.standin import (
        Body_Bytes,
        Body_File,
        Err,
        FileRange,
        InputError_Closed,
        InputError_Taken,
        InputError_TimedOut,
        InputError_TooLarge,
        StartError_AlreadyCalled,
        StartError_BadHeader,
        StartError_BadStatus,
        StartError_Closed,
        StartError_HeadSent,
        StartError_TooLarge,
        WriteError_Closed,
        WriteError_NoBodyAllowed,
        WriteError_PastContentLength,
        WriteError_TooLarge,
        write_errors,
    )

__all__ = [
    "Body_Bytes",
    "Body_File",
    "Err",
    "FileRange",
    "InputError_Closed",
    "InputError_Taken",
    "InputError_TimedOut",
    "InputError_TooLarge",
    "StartError_AlreadyCalled",
    "StartError_BadHeader",
    "StartError_BadStatus",
    "StartError_Closed",
    "StartError_HeadSent",
    "StartError_TooLarge",
    "WriteError_Closed",
    "WriteError_NoBodyAllowed",
    "WriteError_PastContentLength",
    "WriteError_TooLarge",
    "write_errors",
]
