"""Which secret signs, and which secrets verify: while one takes another's place, and for one of several services.

Services that share a secret are told apart by their namespace: what one has signed is nothing to another. The default
namespace signs with the secret itself, as all did before, so that most sites upgrade without a thought.
"""

from __future__ import annotations

from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_NAMESPACE: Final = "sekisho"


class Signer(NamedTuple):
    """Attributes:
    secret: any length.
    signs: whether it signs, where it is the first that does; or only verifies, since not all workers have it yet.
    until_s: Unix time from which it neither signs nor verifies.
    """

    secret: bytes
    signs: bool = True
    until_s: float = inf

    def __repr__(self) -> str:
        return f"Signer(signs={self.signs}, until_s={self.until_s})"


def as_signers(secrets: Iterable[bytes | Signer]) -> tuple[Signer, ...]:
    """Plain secrets never end."""
    return tuple(one if isinstance(one, Signer) else Signer(one) for one in secrets)


def signers_of(
    plain: Sequence[Signer], namespace: str, *, old_until_s: float = 0.0, writes_old: bool = False
) -> tuple[Signer, ...]:
    """The signers of one service.

    Args:
        plain: as the secrets are listed, newest first.
        namespace: of the service.
        old_until_s: until when what was signed without a namespace is verified; 0: never.
        writes_old: whether it is also signed without one until then, for workers that know no namespaces yet.
    """
    if namespace == DEFAULT_NAMESPACE:
        return tuple(plain)
    own = tuple(signer._replace(secret=_scoped(signer.secret, namespace)) for signer in plain)
    old = tuple(signer._replace(until_s=old_until_s) for signer in plain) if old_until_s else ()
    return (*old, *own) if writes_old else (*own, *old)


def _scoped(secret: bytes, namespace: str) -> bytes:
    # Hashed first: BLAKE2b takes no key of more than 64 bytes.
    key = blake2b(secret, digest_size=64, person=b"sekisho.service").digest()
    return blake2b(namespace.encode(), key=key, digest_size=64, person=b"sekisho.service").digest()
