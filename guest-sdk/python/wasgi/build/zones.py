"""Time zones for `zoneinfo`, which looks for them in a directory of the operating system; here the bundle has it."""

import os
import zoneinfo

#: RFC 9636: a file without transitions. Frameworks ask for this zone whether they use others or not.
_UTC = b"TZif2" + bytes(15) + b"\0\0\0\0" * 4 + b"\0\0\0\1\0\0\0\4" + bytes(6) + b"UTC\0"
_UTC += _UTC + b"\nUTC0\n"


def install(folder: str) -> None:
    """Has `zoneinfo` look in `folder`, and makes it with the one zone UTC if nobody has put zones there."""
    if not os.path.exists(f"{folder}/UTC"):
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/UTC", "wb") as file:
            file.write(_UTC)
    zoneinfo.reset_tzpath([folder])
    zoneinfo.ZoneInfo("UTC")
