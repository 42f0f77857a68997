"""Key derivation without OpenSSL gives what OpenSSL gives."""

import hashlib
import sys
import types
import unittest
from unittest import mock

from wasgi import absent_hashes


class Pbkdf2(unittest.TestCase):
    def test_keys_are_those_of_openssl(self):
        for name in ("sha1", "sha256", "sha512"):
            for password, salt, rounds, length in (
                (b"", b"", 1, None),
                (b"password", b"salt", 2, 20),
                (b"p" * 200, b"s" * 100, 1023, None),
                (bytearray(b"p"), memoryview(b"s"), 1025, 200),
                (b"p", b"s", 4099, 1),
            ):
                with self.subTest(name=name, rounds=rounds):
                    expected = hashlib.pbkdf2_hmac(name, password, salt, rounds, length)
                    self.assertEqual(absent_hashes.pbkdf2_hmac(name, password, salt, rounds, length), expected)

    def test_what_openssl_refuses_is_refused(self):
        for error, arguments in (
            (ValueError, ("sha256", b"p", b"s", 0)),
            (ValueError, ("sha256", b"p", b"s", 1, 0)),
            (ValueError, ("sha2048", b"p", b"s", 1)),
            (TypeError, ("sha256", "p", b"s", 1)),
            (TypeError, (256, b"p", b"s", 1)),
        ):
            for function in (hashlib.pbkdf2_hmac, absent_hashes.pbkdf2_hmac):
                with self.subTest(arguments=arguments), self.assertRaises(error):
                    function(*arguments)


class Scrypt(unittest.TestCase):
    def test_keys_are_those_of_openssl(self):
        for n, r, p, dklen in ((2, 1, 1, 64), (16, 1, 2, 20), (64, 8, 1, 64)):
            with self.subTest(n=n, r=r, p=p):
                expected = hashlib.scrypt(b"password", salt=b"NaCl", n=n, r=r, p=p, dklen=dklen)
                got = absent_hashes.scrypt(b"password", salt=b"NaCl", n=n, r=r, p=p, dklen=dklen)
                self.assertEqual(got, expected)

    def test_what_openssl_refuses_is_refused(self):
        for n, r, p in ((3, 1, 1), (1 << 20, 8, 1), (2, 0, 1)):
            for function in (hashlib.scrypt, absent_hashes.scrypt):
                with self.subTest(n=n, r=r, p=p), self.assertRaises(ValueError):
                    function(b"p", salt=b"s", n=n, r=r, p=p)


class Install(unittest.TestCase):
    def test_what_python_has_stays(self):
        own = hashlib.pbkdf2_hmac
        absent_hashes.install()
        self.assertIs(hashlib.pbkdf2_hmac, own)

    def test_werkzeug_turns_to_pbkdf2_only_where_scrypt_is_slow(self):
        def generate_password_hash(password, method="scrypt", salt_length=16):
            return method, salt_length

        werkzeug = types.SimpleNamespace(generate_password_hash=generate_password_hash)
        with mock.patch.dict(sys.modules, {"werkzeug.security": werkzeug}):
            absent_hashes.settle()
            self.assertEqual(generate_password_hash("x"), ("scrypt", 16))
            with mock.patch.object(hashlib, "scrypt", absent_hashes.scrypt):
                absent_hashes.settle()
        self.assertEqual(generate_password_hash("x"), ("pbkdf2", 16))


if __name__ == "__main__":
    unittest.main()
