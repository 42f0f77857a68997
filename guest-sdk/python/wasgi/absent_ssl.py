"""In place of `_ssl`, which CPython for WASI has not got: `import ssl` works, and TLS says why there is none.

Many packages import `ssl` whether they will use it or not. TLS is the host's, on the way in; on the way out an app
has no network of its own.
"""

import sys
from types import ModuleType
from typing import Any, NoReturn

#: The names that ssl.py makes its enumerations of, with the values of OpenSSL.
_CONSTANTS = {
    "PROTOCOL_TLS": 2,
    "PROTOCOL_TLSv1": 3,
    "PROTOCOL_TLSv1_1": 4,
    "PROTOCOL_TLSv1_2": 5,
    "PROTOCOL_TLS_CLIENT": 16,
    "PROTOCOL_TLS_SERVER": 17,
    "PROTO_MINIMUM_SUPPORTED": -2,
    "PROTO_MAXIMUM_SUPPORTED": -1,
    "PROTO_SSLv3": 768,
    "PROTO_TLSv1": 769,
    "PROTO_TLSv1_1": 770,
    "PROTO_TLSv1_2": 771,
    "PROTO_TLSv1_3": 772,
    "OP_ALL": 0x80000050,
    "OP_NO_SSLv2": 0,
    "OP_NO_SSLv3": 0x02000000,
    "OP_NO_TLSv1": 0x04000000,
    "OP_NO_TLSv1_1": 0x10000000,
    "OP_NO_TLSv1_2": 0x08000000,
    "OP_NO_TLSv1_3": 0x20000000,
    "OP_CIPHER_SERVER_PREFERENCE": 0x00400000,
    "OP_SINGLE_DH_USE": 0,
    "OP_SINGLE_ECDH_USE": 0,
    "OP_NO_TICKET": 0x00004000,
    "OP_NO_COMPRESSION": 0x00020000,
    "OP_NO_RENEGOTIATION": 0x40000000,
    "OP_IGNORE_UNEXPECTED_EOF": 0x80,
    "OP_ENABLE_MIDDLEBOX_COMPAT": 0x00100000,
    "ALERT_DESCRIPTION_CLOSE_NOTIFY": 0,
    "SSL_ERROR_SSL": 1,
    "SSL_ERROR_WANT_READ": 2,
    "SSL_ERROR_WANT_WRITE": 3,
    "SSL_ERROR_WANT_X509_LOOKUP": 4,
    "SSL_ERROR_SYSCALL": 5,
    "SSL_ERROR_ZERO_RETURN": 6,
    "SSL_ERROR_WANT_CONNECT": 7,
    "SSL_ERROR_EOF": 8,
    "SSL_ERROR_INVALID_ERROR_CODE": 10,
    "VERIFY_DEFAULT": 0,
    "VERIFY_CRL_CHECK_LEAF": 0x4,
    "VERIFY_CRL_CHECK_CHAIN": 0xC,
    "VERIFY_X509_STRICT": 0x20,
    "VERIFY_X509_TRUSTED_FIRST": 0x8000,
    "VERIFY_X509_PARTIAL_CHAIN": 0x80000,
    "VERIFY_ALLOW_PROXY_CERTS": 0x40,
    "CERT_NONE": 0,
    "CERT_OPTIONAL": 1,
    "CERT_REQUIRED": 2,
    "OPENSSL_VERSION": "no OpenSSL: an app of wasgi speaks no TLS",
    "OPENSSL_VERSION_NUMBER": 0x30000000,
    "OPENSSL_VERSION_INFO": (3, 0, 0, 0, 0),
    "_OPENSSL_API_VERSION": (3, 0, 0, 0, 0),
    "_DEFAULT_CIPHERS": "DEFAULT",
}

_FEATURES = "SNI ECDH NPN ALPN SSLv2 SSLv3 TLSv1 TLSv1_1 TLSv1_2 TLSv1_3 PSK PSK_TLS13 PHA".split()


class SSLError(OSError):
    """What ssl.py raises."""

    library: str | None = None
    reason: str | None = None


class NoTLS:
    """A class that cannot be made use of."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        _refuse()


def _refuse(*arguments: Any, **named: Any) -> NoReturn:
    raise SSLError(
        "an app of wasgi speaks no TLS: the host does, for requests; other services it reaches through the host"
    )


def _txt2obj(txt: str, name: bool = False) -> tuple[int, str, str, str]:
    return (0, txt, txt, txt)


def install() -> None:
    """Puts the stand-in where `import ssl` looks, if the real module is not there."""
    try:
        import _ssl  # noqa: F401
    except ImportError:
        sys.modules["_ssl"] = _module()


def _module() -> ModuleType:
    module = ModuleType("_ssl", __doc__)
    errors = ("ZeroReturn", "WantRead", "WantWrite", "Syscall", "EOF")
    names: dict[str, Any] = dict(_CONSTANTS)
    names |= {f"HAS_{feature}": False for feature in _FEATURES}
    names |= {f"SSL{name}Error": type(f"SSL{name}Error", (SSLError,), {}) for name in errors}
    names |= {
        "SSLError": SSLError,
        "SSLCertVerificationError": type("SSLCertVerificationError", (SSLError, ValueError), {}),
        "_SSLContext": NoTLS,
        "MemoryBIO": NoTLS,
        "SSLSession": NoTLS,
        "txt2obj": _txt2obj,
        "nid2obj": _refuse,
        "RAND_status": lambda: True,
        "RAND_add": lambda string, entropy: None,
        "RAND_bytes": lambda count: __import__("os").urandom(count),
        "get_default_verify_paths": lambda: ("", "", "", ""),
    }
    module.__dict__.update(names)
    return module
