"""The server side of WSGI (PEP 3333) inside a WebAssembly component, for the host `wasgi`.

Applications need nothing of it: `wasgi build module:callable` puts it around them. What an application may want
to catch is here.
"""

from wasgi.errors import ClientDisconnected, InputTimedOut, InputTooLarge

__all__ = ["ClientDisconnected", "InputTimedOut", "InputTooLarge", "__version__"]

__version__ = "0.1.0"
