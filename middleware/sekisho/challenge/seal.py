"""Sealing: what leaves this process and must come back unread and unchanged.

An app's answer in the store, a form in a page, a factor's secret in a database: each is worth stealing, and each comes
back through hands that are not ours. AES-256-GCM, and every message under a key of its own, as in XAES-256-GCM
(https://c2sp.org/XAES-256-GCM): the key of a purpose and 96 random bits give the key of the message, 96 more are its
nonce. NIST lets one key seal 2^32 messages under random nonces (SP 800-38D, section 8.3), which somebody who makes us
seal an answer for each guess reaches within weeks; with a key for each message it is 2^80.

Needs the extra `step-up`.
"""

from __future__ import annotations

from hashlib import blake2b
from secrets import token_bytes
from time import time
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.crypto.signers import Signer, as_signers
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_VERSION = b"\x01"
_KEY_ID_BYTES = 8  # two secrets that share it are out of reach, so one key is tried and never several
_SALT_BYTES = _NONCE_BYTES = 12
_TAG_BYTES = 16
_NONCE_AT = len(_VERSION) + _KEY_ID_BYTES + _SALT_BYTES
_DATA_AT = _NONCE_AT + _NONCE_BYTES


def _keyed(master: bytes) -> blake2b:
    return blake2b(key=master, digest_size=32, person=b"sealed message")


_UNKNOWN = (_keyed(b""), Signer(b"", until_s=0.0))

OVERHEAD_BYTES = _DATA_AT + _TAG_BYTES
"""By how much what is sealed is longer than what was to be sealed."""

DATA_BYTES_MAX = 2 * 1024 * 1024
"""Twice the longest body that can be set. What a stranger shows is measured before any work is done on it."""


class Unsealable(SekishoError):  # noqa: N818 - a verdict about what somebody showed
    """What was shown was not sealed here, for this purpose and this binding, or is no longer as it was sealed.

    Never says which: each hint is an answer to somebody who tries.
    """

    def __init__(self) -> None:
        super().__init__("cannot be opened")


class Sealer:
    """Seals and opens. Holds keys, shows none.

    Args:
        secrets: the service's: the first that signs and has not ended seals; all that have not ended open.
        clock_s: Unix time.
    """

    __slots__ = ("_clock_s", "_keys")

    def __init__(self, secrets: Sequence[bytes | Signer], *, clock_s: Callable[[], float] = time) -> None:
        if not secrets:
            raise ValueError("a sealer wants at least one secret")
        # Hashed under a name of its own: the same secrets sign tokens and key the counters.
        masters = [
            (blake2b(signer.secret, digest_size=64, person=b"sekisho.seal").digest(), signer)
            for signer in as_signers(secrets)
        ]
        # Each key is hashed once; sealing an answer to a flood only copies that state.
        self._keys: Final = {_head(master): (_keyed(master), signer) for master, signer in masters}
        self._clock_s = clock_s

    def seal(self, purpose: bytes, data: bytes, *, bound_to: bytes) -> bytes:
        """Seal for one purpose, bound to a context: `OVERHEAD_BYTES` longer than `data`, and never the same twice.

        Args:
            purpose: what it is for, from our own constants; nothing sealed for another purpose opens for this one.
            data: at most `DATA_BYTES_MAX` bytes; more raises `ValueError`.
            bound_to: what must be the same when it is opened, such as account, browser and door; see `bind`.
        """
        if len(data) > DATA_BYTES_MAX:
            raise ValueError(f"at most {DATA_BYTES_MAX} bytes can be sealed")
        head, random = self._sealing, token_bytes(_SALT_BYTES + _NONCE_BYTES)
        cipher = self._cipher(head, purpose, random[:_SALT_BYTES])
        return head + random + cipher.encrypt(random[_SALT_BYTES:], data, head + bound_to)

    def open(self, purpose: bytes, sealed: bytes, *, bound_to: bytes) -> bytes:
        """What was sealed for this purpose and this context. Raises `Unsealable`; a stranger may send anything."""
        opened = self._opened(purpose, sealed, bound_to)
        # Raised here and not where it failed: reporters print the error behind an error.
        if opened is None:
            raise Unsealable
        return opened

    def needs_rewrap(self, sealed: bytes) -> bool:
        """Whether it is not under the secret that seals now. Says nothing of whether it can be opened."""
        return not sealed.startswith(self._sealing)

    @property
    def _sealing(self) -> bytes:
        now_s = self._clock_s()
        for head, (_, signer) in self._keys.items():
            if signer.signs and now_s < signer.until_s:
                return head
        raise LookupError("no secret signs")

    def _opened(self, purpose: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
        head = sealed[: len(_VERSION) + _KEY_ID_BYTES]
        _, signer = self._keys.get(head, _UNKNOWN)
        if self._clock_s() >= signer.until_s or not OVERHEAD_BYTES <= len(sealed) <= DATA_BYTES_MAX + OVERHEAD_BYTES:
            return None
        cipher = self._cipher(head, purpose, sealed[len(head) : _NONCE_AT])
        try:
            return cipher.decrypt(sealed[_NONCE_AT:_DATA_AT], sealed[_DATA_AT:], head + bound_to)
        except InvalidTag:
            return None

    def _cipher(self, head: bytes, purpose: bytes, salt: bytes) -> AESGCM:
        # The salt's length is fixed: no two pairs of salt and purpose feed the same bytes.
        keyed, _ = self._keys[head]
        key = keyed.copy()
        key.update(salt + purpose)
        return AESGCM(key.digest())


def bind(*parts: bytes) -> bytes:
    """Several things to bind to as one, each behind its length: `(b"ab", b"c")` is not `(b"a", b"bc")`."""
    return b"".join([len(part).to_bytes(8) + part for part in parts])


def _head(master: bytes) -> bytes:
    """What stands in front: the layout's version and the key's id."""
    return _VERSION + blake2b(key=master, digest_size=_KEY_ID_BYTES, person=b"seal key id").digest()
