"""Why an application could not be imported, and what to do."""

import os
import sys

from wasgi.faults import place_of, shown, traceback_of

#: Modules that CPython has not got where it runs as a component, with what to do instead.
_ABSENT = {
    "_ctypes": "it calls native code, which a component cannot hold; use a pure-Python package instead",
    "_ssl": "a component speaks no TLS, that is the host's; import `ssl` only where it is needed, or guard the import",
    "fcntl": "WASI has no file locks; guard the import",
    "pwd": "WASI has no users; guard the import",
    "grp": "WASI has no users; guard the import",
    "mmap": "WASI maps no files; read them",
    "resource": "limits are the host's; guard the import",
    "termios": "there is no terminal; guard the import",
    "_bz2": "CPython for WASI is built without it; use zlib",
    "_lzma": "CPython for WASI is built without it; use zlib",
}

_NATIVE = (".so", ".pyd", ".dylib")


def explain(what: str, error: BaseException) -> str:
    """One line that names file, reason and mend; then the traceback."""
    place = place_of(error) or what
    head = f"{place}: {_reason(what, error)}"
    return f"{head}\n\n{traceback_of(error)}"


def _reason(what: str, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}; correct it, the component runs CPython {_version()}"
    if isinstance(error, ImportError):
        return _import_reason(error)
    if isinstance(error, SystemExit):
        return f"{what} ends the program (SystemExit: {error.code}); nothing may do that at import"
    if isinstance(error, KeyError) and _is_environ(error):
        name = error.args[0]
        return (
            f"the environment variable {name} is read at import, which happens at the build: "
            f'give it a value there, env = {{ {name} = "..." }} under [build] in wasgi.toml, or read it in the request'
        )
    if isinstance(error, FileNotFoundError):
        return f"{error}; only the project's folder and its packages are there at the build"
    return f"{type(error).__name__}: {error}"


def _import_reason(error: ImportError) -> str:
    name = error.name or ""
    native = _native_file(name) or _native_file(_from_text(str(error)))
    if native:
        return (
            f"{native} is native code for another machine, which a component cannot load: use a release of that "
            "package in pure Python, or another package"
        )
    if name in _ABSENT:
        return f"{error}: {_ABSENT[name]}"
    if isinstance(error, ModuleNotFoundError) and name:
        top = name.partition(".")[0]
        if top == name and name not in sys.stdlib_module_names:
            return f"there is no module {name}: install its package where `wasgi build` looks, or correct the name"
    return f"{type(error).__name__}: {error}"


def _native_file(name: str) -> str | None:
    """The native file that a module would be, had it been built for this machine."""
    parent, _, last = name.rpartition(".")
    if not last:
        return None
    # A package whose import failed is no longer among the modules.
    inside = [f"{folder}/{parent.replace('.', '/')}" for folder in sys.path]
    folders = getattr(sys.modules.get(parent), "__path__", inside) if parent else sys.path
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for file in names:
            if file.endswith(_NATIVE) and file.partition(".")[0] == last:
                return shown(f"{folder}/{file}")
    return None


def _from_text(text: str) -> str:
    """`package.name` of `cannot import name 'name' from 'package'`."""
    quoted = text.split("'")[1::2]
    return f"{quoted[1]}.{quoted[0]}" if text.startswith("cannot import name") and len(quoted) > 1 else ""


def _is_environ(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # The module is frozen into some interpreters.
    return trace is not None and trace.tb_frame.f_code.co_filename in (os.__file__, "<frozen os>")


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
