"""Imports what programs tend to import late, so that it is in the snapshot."""

import codecs
import importlib

CODECS = (
    "ascii big5 charmap cp1252 cp437 hex_codec base64_codec idna iso8859_1 iso8859_15 latin_1 punycode "
    "raw_unicode_escape rot_13 unicode_escape utf_16 utf_16_be utf_16_le utf_32 utf_7 utf_8 utf_8_sig zlib_codec"
).split()

MODULES = (
    "_colorize _strptime _suggestions base64 bisect calendar collections.abc contextlib contextvars copy csv datetime decimal "
    "email.encoders email.header email.message email.mime.multipart email.mime.text email.parser email.policy "
    "email.utils fractions functools gettext glob gzip hashlib heapq hmac html html.entities html.parser http "
    "http.cookies importlib.metadata importlib.resources inspect io ipaddress itertools json linecache locale logging "
    "mimetypes numbers operator pathlib pickle pkgutil platform pprint queue quopri random re secrets shutil "
    "socket sqlite3 statistics string stringprep struct subprocess "
    "tempfile textwrap threading timeit tokenize traceback "
    "types typing unicodedata urllib.parse urllib.request uuid warnings weakref xml.etree.ElementTree zipfile zlib "
    "zoneinfo"
).split()


def preload() -> None:
    """Imports modules and codecs of the standard library."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            # This CPython is built without it, so nobody will import it late either.
            continue
    for name in CODECS:
        try:
            codecs.lookup(name)
        except LookupError:
            continue
    import mimetypes

    mimetypes.init()
    # Formats a date by way of tables that are made at the first use.
    import datetime

    datetime.datetime.strptime("2000-01-01", "%Y-%m-%d")
