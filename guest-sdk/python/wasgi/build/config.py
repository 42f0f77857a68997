"""What `wasgi build` asks for: one JSON file beside the entry module."""

import json
from dataclasses import dataclass, field
from typing import Any

INTERFACES = ("auto", "wsgi", "asgi")
LIFESPANS = ("request", "build", "off")


class BuildError(Exception):
    """The component cannot be built; the text names the file, the reason and the mend."""


@dataclass
class Config:
    """`[build]` of wasgi.toml, as far as it concerns Python; keys of the file have hyphens."""

    #: `module:callable`, or `module:factory()`.
    app: str
    #: `wsgi`, `asgi`, or `auto` to tell by the callable.
    interface: str = "auto"
    #: When the lifespan of an ASGI application starts.
    lifespan: str = "request"
    #: Requests to run at the build: `PATH`, `METHOD PATH` or `METHOD PATH BODY`.
    warm_up: list[str] = field(default_factory=lambda: ["/"])
    #: The Host header of these requests.
    warm_up_host: str = "localhost"
    #: Modules to import besides what the application imports.
    imports: list[str] = field(default_factory=list)
    #: The environment at the build.
    env: dict[str, str] = field(default_factory=dict)
    #: Whether Python's own library goes into the bundle, for late imports.
    stdlib: bool = True

    @classmethod
    def read(cls, path: str) -> "Config":
        try:
            with open(path, encoding="utf-8") as file:
                given = json.load(file)
        except (OSError, ValueError) as error:
            raise BuildError(f"{path} cannot be read: {error}; `wasgi build` writes it") from None
        return cls.of(given)

    @classmethod
    def of(cls, given: Any) -> "Config":
        """Checks the keys and their types."""
        if not isinstance(given, dict) or not isinstance(given.get("app"), str):
            raise BuildError("[build] has no `app`: set it to module:callable")
        values: dict[str, Any] = {}
        for key, value in given.items():
            name = key.replace("-", "_")
            if name not in _TYPES:
                raise BuildError(f"[build] has a key {key!r} that is not known: take it out")
            if not _TYPES[name](value):
                raise BuildError(
                    f"[build] {key} = {value!r} is not of the right type: see the README of wasgi's Python SDK"
                )
            values[name] = value
        config = cls(**values)
        for key, value, known in (
            ("interface", config.interface, INTERFACES),
            ("lifespan", config.lifespan, LIFESPANS),
        ):
            if value not in known:
                raise BuildError(f"[build] {key} = {value!r} is not known: it is one of {', '.join(known)}")
        return config


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_TYPES = {
    "app": _is_text,
    "interface": _is_text,
    "lifespan": _is_text,
    "warm_up": _is_texts,
    "warm_up_host": _is_text,
    "imports": _is_texts,
    "env": _is_table,
    "stdlib": _is_flag,
}
