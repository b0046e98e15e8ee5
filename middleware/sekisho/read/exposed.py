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
    """Return what the header reports leaked: 1 the pair, 3 the name and a similar password, 4 the password.

    Any other value is `UNKNOWN`; so is 2, since a leaked user name says nothing about the password.
    """
    return _MEANINGS.get(value.strip(), UNKNOWN)
