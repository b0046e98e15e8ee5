"""The token of the browser that asked for a code. Guesses from that browser are counted separately.

If guesses were limited only by address, an attacker with many addresses would find a code of six digits. If all guesses
at an account shared one counter, a stranger's guesses would void the owner's code. So the browser that asks for a code
gets a signed token. The token grants one separate counter, for one account, for a day, and nothing else.

Pure: time and randomness arrive as values.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, Final

from sekisho.model.text import base64url, base64url_or_empty, utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 86_400
"""Lifetime of a token in seconds: a reset's mail may take a day."""

_BODY = Struct("<BI8s")  # key id, issued (s), the browser's random name
_MAC_BYTES = 16
_CHARS = 4 * -(-(_BODY.size + _MAC_BYTES) // 3)
_SKEW_S = 120  # largest accepted difference of workers' clocks, in seconds


class Askers:
    """Issues and verifies tokens.

    Args:
        secrets: the service's, newest first; the first one signs, all of them verify.
        namespace: the service's. Another service with the same secret issues separate tokens.
    """

    def __init__(self, secrets: Sequence[bytes], namespace: str) -> None:
        self._keys: Final = [blake2b(secret, digest_size=64, person=b"sekisho.asker").digest() for secret in secrets]
        self._namespace: Final = namespace.encode() + b"\0"

    def issued(self, account: str, now_s: int, fresh: bytes) -> str:
        """Return a token for the browser that asks for a code.

        Args:
            account: exactly as the application reads it.
            now_s: Unix time in seconds.
            fresh: 8 random bytes, the browser's name.
        """
        key = self._keys[0]
        body = _BODY.pack(_key_id(key), now_s, fresh)
        return base64url(body + self._mac(key, body, account))

    def find(self, presented: str, account: str, now_s: int) -> bytes:
        """Return the browser's name, 8 bytes; empty if the token is forged, for another account, or too old."""
        packed = _unpacked(presented)
        if not packed:
            return b""
        body, mac = packed[: _BODY.size], packed[_BODY.size :]
        key_id, issued_s, name = _BODY.unpack(body)
        if not issued_s - _SKEW_S <= now_s < issued_s + SECONDS:
            return b""
        genuine = any(
            _key_id(key) == key_id and compare_digest(self._mac(key, body, account), mac) for key in self._keys
        )
        return bytes(name) if genuine else b""

    def _mac(self, key: bytes, body: bytes, account: str) -> bytes:
        # The body has a fixed length and a namespace has no zero byte, so no two inputs give the same bytes.
        data = body + self._namespace + utf8(account)
        return blake2b(data, key=key, digest_size=_MAC_BYTES, person=b"asker token").digest()


def _unpacked(presented: str) -> bytes:
    packed = base64url_or_empty(presented, _CHARS)
    return packed if len(packed) == _BODY.size + _MAC_BYTES else b""


def _key_id(key: bytes) -> int:
    return blake2b(key, digest_size=1, person=b"asker key id").digest()[0]
