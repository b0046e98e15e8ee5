"""Recovery codes: ten on a sheet of paper, for the day the phone is gone. Each works once.

A code is 80 random bits. That is why a fast keyed hash is enough where a password would need a slow one: a thousand
billion guesses a second take some 3,500 years to the first of a set, and whoever copies the database cannot even
begin, since the set is sealed under a key that is not in it. (OWASP ASVS 5.0, 6.5.2, asks for a password hash below
112 bits: it has readers of the database in mind who need no further key.) The hash's own key is random and lies in the
set, so that no rotation of secrets ends anybody's sheet.

It is also why only the challenge's tries are counted and not the account's: guessing is hopeless, and an attacker
who has the password and burns the account's tries must not close the last door for its owner.
"""

from __future__ import annotations

import logging
import secrets
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.challenge.keys import enrolment_binding
from sekisho.challenge.seal import Unsealable
from sekisho.challenge.typed import folded_symbols, symbols

if TYPE_CHECKING:
    from sekisho.challenge.seal import Sealer
    from sekisho.challenge.tries import Trial, Tries

log = logging.getLogger("sekisho.challenge")

PURPOSE = b"recovery codes"
CODES = 10
SYMBOLS = 16  # of five bits
GROUP = 4
_KEY_BYTES = 32
_DIGEST_BYTES = 16
_SWAPS_MAX = CODES + 4  # a swap is lost to one who used a code, of which there are ten, or sealed the set anew


class Shelf(Protocol):
    """Where one account's sealed set lies."""

    async def read(self) -> bytes | None:
        """The sealed set as it is now; None where there is none."""

    async def swap(self, old: bytes, new: bytes) -> bool:
        """Put `new` in the place of `old`; False, and nothing done, where `old` is not what lies there any more."""


class Sheet(NamedTuple):
    """A new set.

    Attributes:
        codes: to be shown once, as people read them: `7K3M-…`.
        sealed: to be kept.
    """

    codes: tuple[str, ...]
    sealed: bytes

    def __repr__(self) -> str:
        # Error reporters print the values of a frame.
        return "Sheet(...)"


class _Set(NamedTuple):
    """What is inside the seal: the hash's key, and a digest for each code that is left."""

    key: bytes
    digests: tuple[bytes, ...]

    def packed(self) -> bytes:
        return self.key + b"".join(self.digests)

    @classmethod
    def of(cls, data: bytes) -> _Set:
        starts = range(_KEY_BYTES, len(data), _DIGEST_BYTES)
        return cls(data[:_KEY_BYTES], tuple(data[start : start + _DIGEST_BYTES] for start in starts))

    def without(self, code: str) -> _Set | None:
        """The set when this code has been used; None where it is not in it. Every digest is compared."""
        wanted = _digest(self.key, code)
        left = tuple(digest for digest in self.digests if not compare_digest(digest, wanted))
        return self._replace(digests=left) if len(left) < len(self.digests) else None

    def __repr__(self) -> str:
        return "_Set(...)"


class RecoveryCodes:
    """The factor. An enrolment's set is bound to its account: moved to another row of the database it is void."""

    def __init__(self, sealer: Sealer, tries: Tries) -> None:
        self._sealer = sealer
        self._tries = tries
        self._nobodys = self.fresh(account="", enrolment="").sealed

    def fresh(self, *, account: str, enrolment: str) -> Sheet:
        """Ten new codes. Kept in the place of an older set, they end it."""
        codes = [symbols(secrets.randbits(5 * SYMBOLS), SYMBOLS) for _ in range(CODES)]
        key = secrets.token_bytes(_KEY_BYTES)
        kept = _Set(key, tuple(_digest(key, code) for code in codes))
        return Sheet(tuple(map(_grouped, codes)), self._sealed(kept, enrolment_binding(account, enrolment)))

    def left(self, sealed: bytes, *, account: str, enrolment: str) -> int:
        """How many codes have not been used."""
        return len(self._opened(sealed, enrolment_binding(account, enrolment)).digests)

    async def accept(self, trial: Trial, enrolment: str, shelf: Shelf, typed: str) -> int | None:
        """How many codes are left after this one, or None: it proves nothing.

        Of any number who show one code at once, one gets it; of several codes at once, each works.

        Args:
            trial: for whom; behind a wrong secret nothing is proved and no code is used up.
            enrolment: its id.
            shelf: where its set lies.
            typed: as typed. What cannot be a code is no try.

        Raises:
            StoreUnavailable: nobody knows whether the try counted.
        """
        code = folded_symbols(typed, SYMBOLS)
        if code is None or not await self._tries.in_challenge(trial):
            return None
        bound_to = enrolment_binding(trial.account, enrolment)
        for _ in range(_SWAPS_MAX):
            old = await shelf.read()
            rest = self._opened(old, bound_to).without(code)
            if old is None or rest is None or not trial.behind_right_secret:
                return None
            if await shelf.swap(old, self._sealed(rest, bound_to)):
                return len(rest.digests)
        return None

    async def match(self, trial: Trial, enrolment: str, shelf: Shelf, typed: str) -> bool:
        """Whether this is one of the codes that are left. Counts and uses up nothing."""
        code = folded_symbols(typed, SYMBOLS)
        old = await shelf.read()
        rest = self._opened(old, enrolment_binding(trial.account, enrolment)).without(code or "")
        return old is not None and rest is not None

    def _sealed(self, kept: _Set, bound_to: bytes) -> bytes:
        return self._sealer.seal(PURPOSE, kept.packed(), bound_to=bound_to)

    def _opened(self, sealed: bytes | None, bound_to: bytes) -> _Set:
        """What lies on the shelf; nobody's set where there is none, so that it takes the same work to look through."""
        if sealed is None:
            sealed, bound_to = self._nobodys, enrolment_binding("", "")
        try:
            return _Set.of(self._sealer.open(PURPOSE, sealed, bound_to=bound_to))
        except Unsealable:
            # An error page in its place would tell this account from those that do not exist.
            log.warning("a set of recovery codes cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return _Set(bytes(_KEY_BYTES), ())


def _digest(key: bytes, code: str) -> bytes:
    return blake2b(code.encode(), key=key, digest_size=_DIGEST_BYTES, person=b"recovery code").digest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, SYMBOLS, GROUP))
