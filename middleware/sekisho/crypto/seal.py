"""Sealing: encrypts and authenticates data that leaves this process and comes back.

Sealed data are an application's answer in the store, a form in a page, or a factor's secret in a database. Each is
worth stealing, and each passes through other hands. The cipher is AES-256-GCM with derived keys, as in XAES-256-GCM
(https://c2sp.org/XAES-256-GCM): the master key, the purpose and 96 random bits give the key of a message; 96 more bits
are its nonce. NIST allows 2^32 messages for one key under random nonces (SP 800-38D, section 8.3), which is a risk of
2^-32 that a nonce repeats. An attacker whose every guess makes the guard seal an answer reaches that within weeks. A
derived key therefore seals only `BATCH` messages, all for one purpose. At that, 2^57 messages have the same risk. A new
key for each message would cost more than the sealing of a form.

After a fork both processes use the key of the current batch. An attacker who gets two messages with one key and nonce
could read both, but each nonce comes from the system when its message is sealed, and so differs in the two processes.
Two messages with the same salt are of one batch. That reveals nothing about what they contain.

Needs the extra `step-up`.
"""

from __future__ import annotations

from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.crypto.signers import Signer, always_signing, as_signers, signing
from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_VERSION = b"\x01"
_KEY_ID_BYTES = 8  # no two secrets share an id, so only one key is tried
_SALT_BYTES = _NONCE_BYTES = 12
_TAG_BYTES = 16
_NONCE_AT = len(_VERSION) + _KEY_ID_BYTES + _SALT_BYTES
_DATA_AT = _NONCE_AT + _NONCE_BYTES

BATCH = 256
"""Messages that are sealed with one derived key, for one purpose and in one process."""


def _keyed(master: bytes) -> blake2b:
    return blake2b(key=master, digest_size=32, person=b"sealed message")


_UNKNOWN = (_keyed(b""), Signer(b"", until_s=0.0))

OVERHEAD_BYTES = _DATA_AT + _TAG_BYTES
"""Length of the sealed text minus the length of the data, in bytes."""

DATA_BYTES_MAX = 2 * 1024 * 1024
"""Twice the longest body that can be configured. The length of a client's text is checked before it is opened."""


class Unsealable(SekishoError):  # noqa: N818 - a verdict about a client's text
    """The text was not sealed by this service, for this purpose and binding, or was changed since.

    The error never says which of these it was: each hint would help an attacker.
    """

    def __init__(self) -> None:
        super().__init__("cannot be opened")


class _Batch:
    """A derived key. `start`: how texts sealed with it begin; `left`: the messages that it may still seal."""

    __slots__ = ("cipher", "left", "start")

    def __init__(self, start: bytes, cipher: AESGCM) -> None:
        self.start: Final = start
        self.cipher: Final = cipher
        self.left = BATCH


class Sealer:
    """Seals and opens data.

    Args:
        secrets: the service's. The first secret that signs and has not ended seals; all that have not ended open.
        clock_s: Unix time in seconds.

    Raises:
        ValueError: no secret was given.
    """

    __slots__ = ("_always", "_batches", "_clock_s", "_heads", "_keys")

    def __init__(self, secrets: Sequence[bytes | Signer], *, clock_s: Callable[[], float]) -> None:
        if not secrets:
            raise ValueError("a sealer needs at least one secret")
        # Hashed with a separate person string, because the same secrets sign tokens and key the counters.
        masters = [
            (blake2b(signer.secret, digest_size=64, person=b"sekisho.seal").digest(), signer)
            for signer in as_signers(secrets)
        ]
        # Each key is hashed once; sealing only copies that state, which keeps a flood of sealed answers cheap.
        self._keys: Final = {_head(master): (_keyed(master), signer) for master, signer in masters}
        self._heads: Final = [(head, signer) for head, (_, signer) in self._keys.items()]
        self._always: Final = always_signing(self._heads)
        self._clock_s = clock_s
        self._batches: dict[tuple[bytes, bytes], _Batch] = {}  # by head and purpose

    def seal(self, purpose: bytes, data: bytes, *, bound_to: bytes) -> bytes:
        """Seal data for one purpose, bound to a context: `OVERHEAD_BYTES` longer than `data`, different each time.

        Args:
            purpose: a constant. Data sealed for another purpose does not open for this one.
            data: at most `DATA_BYTES_MAX` bytes; more raises `ValueError`.
            bound_to: the context that must be the same when the data is opened (account, browser, door); see `bind`.
        """
        if len(data) > DATA_BYTES_MAX:
            raise ValueError(f"at most {DATA_BYTES_MAX} bytes can be sealed")
        head, nonce = self._sealing, token_bytes(_NONCE_BYTES)
        batch = self._batches.get((head, purpose))
        if batch is None or batch.left <= 0:
            batch = self._batches[head, purpose] = self._batch(head, purpose)
        batch.left -= 1
        return batch.start + nonce + batch.cipher.encrypt(nonce, data, head + bound_to)

    def open(self, purpose: bytes, sealed: bytes, *, bound_to: bytes) -> bytes:
        """Open data that was sealed for this purpose and context. A client may send any bytes. Raises `Unsealable`."""
        opened = self._opened(purpose, sealed, bound_to)
        # Raised outside the handler: error reporters would print the cause of the error.
        if opened is None:
            raise Unsealable
        return opened

    def needs_rewrap(self, sealed: bytes) -> bool:
        """Whether `sealed` was not sealed with the current secret. It may not open at all."""
        return not sealed.startswith(self._sealing)

    @property
    def _sealing(self) -> bytes:
        # Nearly every site has one secret without an end, and needs no clock.
        return self._always or signing(self._heads, self._clock_s())

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

    def _batch(self, head: bytes, purpose: bytes) -> _Batch:
        salt = token_bytes(_SALT_BYTES)
        return _Batch(head + salt, self._cipher(head, purpose, salt))

    def _cipher(self, head: bytes, purpose: bytes, salt: bytes) -> AESGCM:
        # The salt has a fixed length, so no two pairs of salt and purpose give the same bytes.
        keyed, _ = self._keys[head]
        key = keyed.copy()
        key.update(salt + purpose)
        return AESGCM(key.digest())


def bind(*parts: bytes) -> bytes:
    """Join parts to one binding, each preceded by its length, so `(b"ab", b"c")` differs from `(b"a", b"bc")`."""
    return b"".join([len(part).to_bytes(8) + part for part in parts])


def _head(master: bytes) -> bytes:
    """The first bytes of a sealed text: the layout's version and the key's id."""
    return _VERSION + blake2b(key=master, digest_size=_KEY_ID_BYTES, person=b"seal key id").digest()
