"""A proxy's report of leaked credentials: Cloudflare's `Exposed-Credential-Check`, and compatible headers."""

from __future__ import annotations

from sekisho.model import UNKNOWN, Exposure, Pair

# A leaked user name alone (2) says nothing about the password: most user names have leaked.
_MEANINGS = {
    b"1": Exposure(password=None, pair=Pair.EXACT),
    b"3": Exposure(password=None, pair=Pair.VARIANT),
    b"4": Exposure(password=1, pair=None),
}


def exposed(value: bytes) -> Exposure:
    """The meaning of the header: 1 pair, 2 user name, 3 user name and a similar password, 4 password; else unknown."""
    return _MEANINGS.get(value.strip(), UNKNOWN)
