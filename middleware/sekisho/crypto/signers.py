"""Selects the secrets that sign and verify, during a rotation and for several services with one secret.

A namespace separates services that share a secret: a value that one service signed is not valid for another. The
default namespace signs with the secret itself, as earlier versions did, so most sites upgrade without a change.
"""

from __future__ import annotations

from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_NAMESPACE: Final = "sekisho"

K = TypeVar("K")


class Signer(NamedTuple):
    """A secret and its role.

    Attributes:
        secret: any length.
        signs: whether it may sign; the first such secret does. Otherwise it only verifies, since not all workers have
            it yet.
        until_s: Unix time in seconds from which it neither signs nor verifies.
    """

    secret: bytes
    signs: bool = True
    until_s: float = inf

    def __repr__(self) -> str:
        return f"Signer(signs={self.signs}, until_s={self.until_s})"


def as_signers(secrets: Iterable[bytes | Signer]) -> tuple[Signer, ...]:
    """Make signers of plain secrets; these never end."""
    return tuple(one if isinstance(one, Signer) else Signer(one) for one in secrets)


def signing(keys: Iterable[tuple[K, Signer]], now_s: float) -> K:
    """The key of the first signer that signs at `now_s`, Unix time.

    Args:
        keys: each key and the signer that it was derived from, newest first.
        now_s: Unix time.

    Raises:
        LookupError: no signer signs any more.
    """
    for key, signer in keys:
        if signer.signs and now_s < signer.until_s:
            return key
    raise LookupError("no secret signs")


def always_signing(keys: Iterable[tuple[K, Signer]]) -> K | None:
    """The key that `signing` gives at any time; None where the key depends on the time, or none signs."""
    first = next(((key, signer) for key, signer in keys if signer.signs), None)
    return first[0] if first is not None and first[1].until_s == inf else None


def signers_of(
    plain: Sequence[Signer], namespace: str, *, old_until_s: float = 0.0, writes_old: bool = False
) -> tuple[Signer, ...]:
    """Return the signers of one service.

    Args:
        plain: the listed secrets, newest first.
        namespace: the service's.
        old_until_s: Unix time in seconds until which values that were signed without a namespace are verified; 0:
            never.
        writes_old: whether the service also signs without a namespace until then, for workers of an earlier version.
    """
    if namespace == DEFAULT_NAMESPACE:
        return tuple(plain)
    own = tuple(signer._replace(secret=_scoped(signer.secret, namespace)) for signer in plain)
    old = tuple(signer._replace(until_s=old_until_s) for signer in plain) if old_until_s else ()
    return (*old, *own) if writes_old else (*own, *old)


def _scoped(secret: bytes, namespace: str) -> bytes:
    # The secret is hashed first, because BLAKE2b accepts no key of more than 64 bytes.
    key = blake2b(secret, digest_size=64, person=b"sekisho.service").digest()
    return blake2b(namespace.encode(), key=key, digest_size=64, person=b"sekisho.service").digest()
