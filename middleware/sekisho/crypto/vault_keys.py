"""Keys of the vault, and the binding of an enrolment's secret.

A key of the vault is a keyed digest. A reader of the store who lacks the secret can neither learn which accounts have
pending codes nor test candidates.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from sekisho.crypto.seal import bind
from sekisho.crypto.signers import Signer, as_signers
from sekisho.model.text import utf8

if TYPE_CHECKING:
    from collections.abc import Sequence


class VaultKeys:
    """Makes the vault's keys.

    Like the counters, they use the oldest secret listed. If a new secret in front changed the keys, every rotation
    would grant a fresh set of guesses, and would accept each code of that minute a second time.
    """

    def __init__(self, secrets: Sequence[bytes | Signer]) -> None:
        self._key = blake2b(as_signers(secrets)[-1].secret, digest_size=64, person=b"sekisho.vault").digest()

    def of(self, kind: bytes, *parts: str | bytes) -> bytes:
        """Return the key (16 bytes) of these parts. `kind`, a constant of at most 16 bytes, separates uses of keys."""
        return blake2b(bind(*map(_raw, parts)), key=self._key, digest_size=16, person=kind).digest()


def enrolment_binding(account_id: str, enrolment_id: str) -> bytes:
    """Return the binding with which a factor's secret is sealed, for this account and this enrolment only.

    It stops an attacker who can write to the database from moving their own secret into another account's row.
    """
    return bind(_raw(account_id), _raw(enrolment_id))


def _raw(part: str | bytes) -> bytes:
    return part if isinstance(part, bytes) else utf8(part)
