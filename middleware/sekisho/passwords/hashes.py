"""Hashes, and their stored format."""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Final

from argon2 import low_level
from argon2.exceptions import VerifyMismatchError

from sekisho.model import SekishoError
from sekisho.passwords.profile import Profile
from sekisho.read.names import SECRET_BYTES_MAX


class UnusablePassword(SekishoError):  # noqa: N818 - what it is about
    """No account can have this password. Raised before anything is computed, regardless of the account.

    Attributes:
        reason: `empty`, `too_long` or `not_text` (half of a surrogate pair); a stable word.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the password cannot be used: {reason}")


class UnusableHash(SekishoError):  # noqa: N818 - what it is about
    """The hash stored for this account cannot be checked; its owner's password may well be right.

    Attributes:
        reason: `foreign` (not argon2id: use the code that made it), `damaged`, or `costly` (beyond the declared cost:
            name its parameters as `decoy`); a stable word.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the stored hash cannot be used: {reason}")


@dataclass(frozen=True, slots=True)
class StoredHash:
    """A hash as a service keeps it: `phc` in the format of the PHC, and the profile that it names."""

    phc: bytes = field(repr=False)  # error reporters print the values in scope
    profile: Profile


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FORMAT: Final = "$argon2id$v=19$"
# As argon2 writes it: the parameters in this order, base64 without padding, a salt of eight bytes or more.
_PHC: Final = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,7})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)


def usable(password: str) -> bytes:
    """Return a password's bytes. Raises `UnusablePassword`, before any hash is computed, if no account can have it."""
    if not password:
        raise UnusablePassword("empty")
    # A character takes at least one byte, so a password of a megabyte is not even encoded. CVE-2013-1443 hashed it.
    if len(password) > SECRET_BYTES_MAX:
        raise UnusablePassword("too_long")
    # Searched for, because a UnicodeEncodeError would contain the password.
    if _SURROGATE.search(password):
        raise UnusablePassword("not_text")
    secret = password.encode()
    if len(secret) > SECRET_BYTES_MAX:
        raise UnusablePassword("too_long")
    return secret


def parsed(stored: str) -> StoredHash:
    """A stored hash with its profile. Raises `UnusableHash` for another format, and for damaged ones."""
    if not stored.startswith(_FORMAT):
        raise UnusableHash("foreign")
    found = _PHC.fullmatch(stored)
    if found is None:
        raise UnusableHash("damaged")
    memory_kib, passes, lanes = map(int, found.group(1, 2, 3))
    salt_bytes, tag_bytes = _length(found[4]), _length(found[5])
    # A column that is too narrow cuts tags off, and a shortened tag never matches: every owner would be told that a
    # right password is wrong. Software chooses tags of whole words; narrow columns rarely do.
    if memory_kib < 8 * lanes or tag_bytes % 8:
        raise UnusableHash("damaged")
    return StoredHash(stored.encode(), Profile(passes, memory_kib, lanes, salt_bytes, tag_bytes))


def _length(base64: str) -> int:
    padded = base64 + "=" * (-len(base64) % 4)
    try:
        raw = b64decode(padded)
    except binascii.Error:
        raise UnusableHash("damaged") from None
    if b64encode(raw).decode() != padded:
        raise UnusableHash("damaged")  # bits beyond the last byte, which argon2 refuses as well
    return len(raw)


def decoy_of(profile: Profile) -> bytes:
    """A hash of no password with the cost of `profile`: salt and tag are random."""
    sizes = (profile.salt_bytes, profile.tag_bytes)
    salt, tag = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in sizes)
    return f"{_FORMAT}m={profile.memory_kib},t={profile.passes},p={profile.lanes}${salt}${tag}".encode()


def matches(phc: bytes, secret: bytes) -> bool:
    """Whether a hash was made from this secret. Raises `Argon2Error` where it could not be computed."""
    try:
        return low_level.verify_secret(phc, secret, low_level.Type.ID)
    except VerifyMismatchError:
        return False


def hash_of(profile: Profile, secret: bytes) -> str:
    """A new hash, with a random salt. Raises `HashingError` for lack of memory or threads."""
    return low_level.hash_secret(
        secret,
        secrets.token_bytes(profile.salt_bytes),
        time_cost=profile.passes,
        memory_cost=profile.memory_kib,
        parallelism=profile.lanes,
        hash_len=profile.tag_bytes,
        type=low_level.Type.ID,
    ).decode()
