"""Passkeys that nobody has, listed so that a list of passkeys tells nothing.

A browser must be told which passkeys an account has, before anybody has proved anything. Left alone, an empty list
says *no such account, or none worth robbing*, and a list that is empty only for unknown names says it louder
(GHSA-875x-g8p7-5w27; random stand-ins, as there at first, are told apart by asking twice). So every list has the same
number of ids, of the same lengths, for every account: a real id takes the place of the decoy that is most like it.

What still differs, for who looks hard:

- Over time: an id that appears where another was is a passkey just enrolled; one that comes back was removed.
- An id of a length that no decoy has, or a third of one length, or a ninth, changes the lengths. Structure inside an
  id tells too (some are UUIDs, some begin with a version): decoys look random all over.
- Two spellings of one name: decoys go by what all spellings are *counted* under, so that every spelling has the same
  eight whether there is such an account or not. Where owners are looked up as typed, `ALICE` is nobody and `alice` may
  have a passkey: so the caller lists the passkeys of the plainest spelling for all of them. What remains is an account
  whose own spelling is not the plainest, at a service that tells the two apart.
- A change of the key moves every decoy and no real id. It must outlive the rotation of secrets: derive it from the
  oldest.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS = (16, 16, 20, 20, 32, 32, 48, 64)
"""Bytes: 16 from password managers, 20 from Apple's, 32 from Windows Hello and Chromium, 48 and 64 from security keys.
Two of each common one, as two passkeys from one maker are common."""

LISTED = len(LENGTHS)
"""How many ids every list has. Security keys are asked for them all: eight is what one of these takes at a time."""


class Decoys:
    """Makes lists of ids that are alike for all accounts, and the same for one account on every visit.

    Args:
        key: 64 secret bytes that outlive the rotation of secrets.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def fill(self, account_digest: str, real: Sequence[bytes]) -> list[bytes]:
        """The real ids among decoys, in an order that says nothing. Never leaves a real one out."""
        name = account_digest.encode("utf-8", "surrogatepass")
        # All are made for everybody, so that a list of real ones takes no less time.
        decoys = [self._digest(name, slot, length) for slot, length in enumerate(LENGTHS)]
        for real_id in real[:LISTED]:
            decoys.remove(min(decoys, key=lambda decoy: abs(len(decoy) - len(real_id))))
        return sorted([*real, *decoys], key=lambda listed: self._digest(name + listed, LISTED, 16))

    def _digest(self, data: bytes, use: int, length: int) -> bytes:
        return blake2b(data, key=self._key, digest_size=length, salt=bytes([use]), person=b"passkey decoy").digest()
