"""Chains: each line of a worker is authenticated under a key of its own, so that none can be changed, removed or moved.

A line ends with `"chain":{"id":…,"n":…,"mac":…}`: the worker's chain, the line's number in it, and a keyed BLAKE2b
(RFC 7693, 16 bytes) of all the line but itself. The key of the next line is a hash of this line's, and the worker
forgets this one. An opening line begins a chain, and each file of it; its own code is under the audit key, which is
derived from `SEKISHO_SECRET`, and it begins a new row of keys:

- With a recipient (`SEKISHO_AUDIT_RECIPIENT`) these are random, and the first is in the opening line, sealed for the
  recipient. An attacker who takes the worker over, secret and all, can then not rewrite the lines that came before.
- Without a recipient they follow from the audit key: a reader of `SEKISHO_SECRET` could write other lines.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Final, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OPENED: Final = "audit_opened"
CLOSED: Final = "audit_closed"
"""Kinds of the lines that are of the chain itself, and of no event."""

ID_BYTES: Final = 8
KEY_BYTES: Final = 32
MAC_BYTES: Final = 16
REOPEN_LINES: Final = 10_000
"""Lines after which a chain is opened again: of a stream that was cut anywhere, so many are not verified."""

_END: Final = re.compile(rb'"chain":\{"id":"([0-9a-f]{16})","n":([0-9]{1,15}),"mac":"([0-9a-f]{32})"\}\}{1,2}')


def audit_key(secret: bytes) -> bytes:
    """The key of all chains and checkpoints, derived from one of the service's secrets and used for nothing else."""
    return blake2b(secret, digest_size=KEY_BYTES, person=b"sekisho.audit").digest()


def opening_key(key: bytes, chain: str, number: int) -> bytes:
    """Derive from the audit key `key` the key that authenticates the opening line `number` of a chain."""
    return digest(key, f"open {chain} {number}".encode(), "sha256")


def derived_key(key: bytes, chain: str, number: int) -> bytes:
    """Derive from the audit key `key` the key of the line after opening line `number`, where there is no recipient."""
    return digest(key, f"next {chain} {number}".encode(), "sha256")


def next_key(key: bytes) -> bytes:
    """Derive the key of the next line from the key of a line. The way back cannot be computed."""
    return blake2b(key, digest_size=KEY_BYTES, person=b"audit next key").digest()


def mac(key: bytes, start: bytes, end: bytes) -> str:
    """Return the hexadecimal code of a line under `key`. `start`, `end`: the line before and after the code itself."""
    return blake2b(start + end, key=key, digest_size=MAC_BYTES, person=b"audit line").hexdigest()


class Link(NamedTuple):
    """What a line says of its place: its chain, its number there, its code, and the line around that code."""

    chain: str
    number: int
    mac: str
    start: bytes
    end: bytes

    def is_by(self, key: bytes) -> bool:
        """Whether the line's code was made with `key`. Compared in constant time: no code can be found by trying."""
        return compare_digest(mac(key, self.start, self.end), self.mac)


def link_of(line: bytes) -> Link | None:
    """Read the link from a line without its line break; None if the line has no link."""
    at = line.rfind(b'"chain":{')
    found = _END.fullmatch(line, at) if at >= 0 else None
    if found is None:
        return None
    return Link(found[1].decode(), int(found[2]), found[3].decode(), line[: found.start(3)], line[found.end(3) :])


@final
class Chain:
    """The lines of one worker.

    Args:
        key: see `audit_key`.
        chance: as `secrets.token_bytes`.
        seal: seals a key for the recipient, bound to the chain and the number; None: there is no recipient.
        reopen_lines: see `REOPEN_LINES`.

    Attributes:
        id: 16 random hex digits.
        number: of the line that comes next.
        last_mac: of the line before.
        left: how many lines come before the next opening line.
    """

    def __init__(
        self,
        key: bytes,
        chance: Callable[[int], bytes],
        seal: Callable[[bytes, str], str] | None = None,
        reopen_lines: int = REOPEN_LINES,
    ) -> None:
        self._key: Final = key
        self._chance: Final = chance
        self._seal: Final = seal
        self._reopen_lines: Final = reopen_lines
        self.id: Final = chance(ID_BYTES).hex()
        self._link: Final = f',"chain":{{"id":"{self.id}","n":'
        self.number = 0
        self.last_mac = ""
        self._next = b""
        self.left = 0

    @property
    def is_due(self) -> bool:
        """Whether the next line has to be an opening line."""
        return self.left <= 0

    def open(self, line: Callable[[dict[str, str]], tuple[str, str]]) -> bytes:
        """Make an opening line, and begin a new row of keys with it. The line break is included.

        `line`: makes the two parts of the line, given the fields that it has because of the chain.
        """
        number, fields = self.number, {}
        if self._seal is None:
            following = derived_key(self._key, self.id, number)
        else:
            following = self._chance(KEY_BYTES)
            fields["key"] = self._seal(following, place(self.id, number))
        written = self._linked(opening_key(self._key, self.id, number), *line(fields))
        self._next, self.left = following, self._reopen_lines
        return written

    def add(self, head: str, tail: str) -> bytes:
        """Make the next line, link and line break included. `head`: its JSON before the link; `tail`: after it."""
        key = self._next
        self._next = next_key(key)
        self.left -= 1
        return self._linked(key, head, tail)

    def _linked(self, key: bytes, head: str, tail: str) -> bytes:
        start = f'{head}{self._link}{self.number},"mac":"'.encode()
        end = f'"}}{tail}'.encode()
        self.last_mac = mac(key, start, end)
        self.number += 1
        return start + self.last_mac.encode() + end + b"\n"


def place(chain: str, number: int) -> str:
    """Name a line's place in its chain. A sealed key is bound to this name, and opens no other line."""
    return f"{chain} {number}"


def keys_of(secrets: Sequence[bytes]) -> list[bytes]:
    """The audit keys of all secrets: lines that were written before a rotation are verified with an older one."""
    return [audit_key(secret) for secret in secrets]
