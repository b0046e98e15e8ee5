"""Names in the vault, and what an enrolment's secret is bound to.

A name is a keyed digest. Without the key, nobody who reads the store learns which accounts have codes under way, nor
can try candidates against it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from sekisho.challenge.seal import bind
from sekisho.crypto.signers import Signer, as_signers

if TYPE_CHECKING:
    from collections.abc import Sequence


class VaultKeys:
    """Makes the vault's keys.

    Like the counters, they use the oldest secret listed: if they moved when a secret is put in front, every rotation
    would hand out a fresh set of guesses, and each code of that minute a second time.
    """

    def __init__(self, secrets: Sequence[bytes | Signer]) -> None:
        self._key = blake2b(as_signers(secrets)[-1].secret, digest_size=64, person=b"sekisho.vault").digest()

    def of(self, kind: bytes, *parts: str | bytes) -> bytes:
        """16 bytes. `kind` (at most 16 bytes, from our own constants) keeps the names of different uses apart."""
        return blake2b(bind(*map(_raw, parts)), key=self._key, digest_size=16, person=kind).digest()


def enrolment_binding(account_id: str, enrolment_id: str) -> bytes:
    """What a factor's secret is sealed to: whoever writes to the database must not move their own to another's row."""
    return bind(_raw(account_id), _raw(enrolment_id))


def _raw(part: str | bytes) -> bytes:
    return part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
