"""Decoys: ids of passkeys that do not exist, so that a list of passkeys reveals nothing.

A browser must be told which passkeys an account has before the client has proved anything. An empty list would say that
the account does not exist or has no passkey. A list that is empty only for unknown names would say so even more clearly
(GHSA-875x-g8p7-5w27; its first remedy, random ids, is detected by asking twice). So every list has the same number of
ids, of the same lengths, for every account: a real id replaces the decoy whose length is closest.

A careful observer can still see these differences:

- Over time: an id that replaces another is a passkey that was just enrolled; a decoy that returns means a removal.
- An id of a length that no decoy has, a third id of one length, or a ninth id changes the lengths. The structure of an
  id can show too (some are UUIDs, some begin with a version): decoys are random throughout.
- Spellings of one name: decoys depend on the account digest, which all spellings share, so every spelling shows the
  same eight ids whether the account exists or not. If owners are looked up as typed, `ALICE` is unknown while `alice`
  may have a passkey. So the caller lists the passkeys of the plainest spelling for all spellings. An account whose own
  spelling is not the plainest, at a service that distinguishes the two, remains visible.
- A change of the key changes every decoy and no real id. The key must outlive the rotation of secrets: derive it from
  the oldest secret.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from sekisho.model.text import utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS = (16, 16, 20, 20, 32, 32, 48, 64)
"""Bytes: 16 from password managers, 20 from Apple's, 32 from Windows Hello and Chromium, 48 and 64 from security keys.
The common lengths appear twice, because two passkeys of one maker are common."""

LISTED = len(LENGTHS)
"""Number of ids in every list. A security key is asked about all of them, and handles eight at a time."""


class Decoys:
    """Makes lists of ids that look alike for all accounts, and are the same for one account each time.

    Args:
        key: 64 secret bytes that outlive the rotation of secrets.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def fill(self, account_digest: str, real: Sequence[bytes]) -> list[bytes]:
        """Mix the real ids with decoys, in an order that reveals nothing. Never leaves a real id out."""
        name = utf8(account_digest)
        # All decoys are made for every account, so a list of real ids takes no less time.
        decoys = [self._digest(name, slot, length) for slot, length in enumerate(LENGTHS)]
        for real_id in real[:LISTED]:
            decoys.remove(min(decoys, key=lambda decoy: abs(len(decoy) - len(real_id))))
        return sorted([*real, *decoys], key=lambda listed: self._digest(name + listed, LISTED, 16))

    def _digest(self, data: bytes, use: int, length: int) -> bytes:
        return blake2b(data, key=self._key, digest_size=length, salt=bytes([use]), person=b"passkey decoy").digest()
