"""`hashlib.pbkdf2_hmac` and `hashlib.scrypt`, which CPython has from OpenSSL only, and a component has no OpenSSL.

PBKDF2 spends its time in C, at a third of OpenSSL's speed. Scrypt in pure Python takes minutes where OpenSSL takes
50 ms: it is there so that an old password can be checked at all, and `settle` keeps new ones away from it.
"""

import functools
import hashlib
import hmac
import struct
import sys
from collections.abc import Callable
from typing import Any

Buffer = Any

#: Rounds whose results are combined at once.
_BATCH = 1024


def install() -> None:
    """Puts the functions into `hashlib`, if they are not there."""
    for function in (pbkdf2_hmac, scrypt):
        if not hasattr(hashlib, function.__name__):
            setattr(hashlib, function.__name__, function)
            hashlib.__all__ += (function.__name__,)  # type: ignore[attr-defined]


def settle() -> None:
    """Werkzeug hashes new passwords by PBKDF2 where nothing else is said, as it says one should without OpenSSL."""
    security = sys.modules.get("werkzeug.security")
    generate = getattr(security, "generate_password_hash", None)
    defaults = getattr(generate, "__defaults__", None)
    if hashlib.scrypt is scrypt and defaults and str(defaults[0]).startswith("scrypt"):
        generate.__defaults__ = ("pbkdf2", *defaults[1:])  # type: ignore[union-attr]


def pbkdf2_hmac(hash_name: str, password: Buffer, salt: Buffer, iterations: int, dklen: int | None = None) -> bytes:
    """RFC 8018 section 5.2; arguments and errors as those of CPython's own."""
    if not isinstance(hash_name, str):
        raise TypeError(f"hash_name must be str, not {type(hash_name).__name__}")
    digest = hashlib.new(hash_name)
    password, salt = bytes(memoryview(password)), bytes(memoryview(salt))
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    length = digest.digest_size if dklen is None else dklen
    if length < 1:
        raise ValueError("key length must be greater than 0.")
    if len(password) > digest.block_size:
        # What HMAC does first, and would do in each round.
        password = hashlib.new(hash_name, password).digest()
    code = functools.partial(_hmac_of(digest.name), password)
    blocks = -(-length // digest.digest_size)
    key = b"".join(_block(code, salt + struct.pack(">I", number), iterations) for number in range(1, blocks + 1))
    return key[:length]


def _hmac_of(name: str) -> Callable[[bytes, bytes], bytes]:
    """HMAC in one call, by the quickest way that this Python has."""
    try:
        import _hmac  # type: ignore[import-not-found]

        return getattr(_hmac, f"compute_{name}")
    except (ImportError, AttributeError):
        return lambda key, message: hmac.digest(key, message, name)


def _block(code: Callable[[bytes], bytes], first: bytes, iterations: int) -> bytes:
    result, last, left = 0, first, iterations
    while left:
        results = []
        for _ in range(min(left, _BATCH)):
            last = code(last)
            results.append(last)
        left -= len(results)
        result ^= _folded(results)
    return result.to_bytes(len(last), "big")


def _folded(parts: list[bytes]) -> int:
    """All parts combined by exclusive or, half against half: few operations on large numbers."""
    number, count, bits = int.from_bytes(b"".join(parts), "big"), len(parts), 8 * len(parts[0])
    while count > 1:
        half = count // 2 * bits
        number = (number >> half) ^ (number & ((1 << half) - 1))
        count -= count // 2
    return number


def scrypt(password: Buffer, *, salt: Buffer, n: int, r: int, p: int, maxmem: int = 0, dklen: int = 64) -> bytes:
    """RFC 7914; arguments and errors as those of CPython's own."""
    if n < 2 or n & (n - 1):
        raise ValueError("n must be a power of 2.")
    if r < 1 or p < 1 or dklen < 1:
        raise ValueError("r, p and dklen must be greater than 0")
    if 128 * r * (n + p + 2) > (maxmem or 32 << 20):
        raise ValueError("memory limit exceeded")
    size = 128 * r
    blocks = pbkdf2_hmac("sha256", password, salt, 1, p * size)
    mixed = b"".join(_mixed(blocks[start : start + size], n) for start in range(0, p * size, size))
    return pbkdf2_hmac("sha256", password, mixed, 1, dklen)


def _mixed(block: bytes, n: int) -> bytes:
    """scryptROMix."""
    size = len(block)
    seen = []
    for _ in range(n):
        seen.append(block)
        block = _shuffled(block)
    for _ in range(n):
        index = int.from_bytes(block[-64:-60], "little") & (n - 1)
        number = int.from_bytes(block, "little") ^ int.from_bytes(seen[index], "little")
        block = _shuffled(number.to_bytes(size, "little"))
    return block


def _shuffled(block: bytes) -> bytes:
    """scryptBlockMix."""
    last = block[-64:]
    even, odd = [], []
    for start in range(0, len(block), 128):
        last = _salsa(last, block[start : start + 64])
        even.append(last)
        last = _salsa(last, block[start + 64 : start + 128])
        odd.append(last)
    return b"".join(even + odd)


#: The indices of Salsa20's double round: four columns, then four rows.
_QUARTERS = (
    (0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
    (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14),
)  # fmt: skip


def _salsa(one: bytes, other: bytes) -> bytes:
    """Salsa20/8 of both, combined by exclusive or."""
    number = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    start = struct.unpack("<16I", number.to_bytes(64, "little"))
    x = list(start)
    for _ in range(4):
        for a, b, c, d in _QUARTERS:
            s = (x[a] + x[d]) & 0xFFFFFFFF
            x[b] ^= (s << 7 | s >> 25) & 0xFFFFFFFF
            s = (x[b] + x[a]) & 0xFFFFFFFF
            x[c] ^= (s << 9 | s >> 23) & 0xFFFFFFFF
            s = (x[c] + x[b]) & 0xFFFFFFFF
            x[d] ^= (s << 13 | s >> 19) & 0xFFFFFFFF
            s = (x[d] + x[c]) & 0xFFFFFFFF
            x[a] ^= (s << 18 | s >> 14) & 0xFFFFFFFF
    return struct.pack("<16I", *[(new + old) & 0xFFFFFFFF for new, old in zip(x, start)])
