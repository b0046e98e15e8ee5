"""Recovery codes: ten codes on a sheet of paper, for owners who lost their phone. Each works once.

A code has 80 random bits, so a fast keyed hash is enough; a password would need a slow one. At a thousand billion
guesses a second, the first code of a set is found after some 3,500 years. A thief of the database cannot even begin,
since the set is sealed under a key that is not in the database. (OWASP ASVS 5.0, 6.5.2, asks for a password hash below
112 bits; it assumes that readers of the database need no further key.) The hash's key is random and part of the set, so
a rotation of secrets invalidates no sheet.

For the same reason only the attempts of the challenge are counted, not those of the account. Guessing is hopeless, and
an attacker who has the password must not lock the owner out by using up the account's attempts.
"""

from __future__ import annotations

import logging
import secrets
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.crypto.seal import Unsealable
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.stepup.factors.code_normalisation import folded_symbols, symbols

if TYPE_CHECKING:
    from sekisho.crypto.seal import Sealer
    from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial

log = logging.getLogger("sekisho.challenge")

PURPOSE = b"recovery codes"
CODES = 10
SYMBOLS = 16  # of five bits each
GROUP = 4
_KEY_BYTES = 32
_DIGEST_BYTES = 16
_TIME_BYTES = 8
_SWAPS_MAX = CODES + 4  # a swap fails when another request uses one of the ten codes or seals the set anew


class RecoveryStore(Protocol):
    """Stores one account's sealed set."""

    async def read(self) -> bytes | None:
        """Return the current sealed set; None if there is none."""

    async def swap(self, old: bytes, new: bytes) -> bool:
        """Replace `old` by `new`; return False, without a change, if the current set differs from `old`."""


class Sheet(NamedTuple):
    """A new set.

    Attributes:
        codes: in groups, `7K3M-…`; shown once.
        sealed: the set to store.
    """

    codes: tuple[str, ...]
    sealed: bytes

    def __repr__(self) -> str:
        # Error reporters print local variables.
        return "Sheet(...)"


class _Set(NamedTuple):
    """The sealed content: the hash's key, the digest of each unused code, and the time when the codes were made.

    A new sheet takes the row of the older one, whose time of creation would let it pass for old. Earlier versions read
    the eight bytes at the end as one more digest, which no code has.
    """

    key: bytes
    digests: tuple[bytes, ...]
    made_s: int = 0

    def packed(self) -> bytes:
        return self.key + b"".join(self.digests) + self.made_s.to_bytes(_TIME_BYTES)

    @classmethod
    def of(cls, data: bytes) -> _Set:
        has_time = (len(data) - _KEY_BYTES) % _DIGEST_BYTES == _TIME_BYTES
        end = len(data) - _TIME_BYTES if has_time else len(data)
        digests = tuple(data[start : start + _DIGEST_BYTES] for start in range(_KEY_BYTES, end, _DIGEST_BYTES))
        return cls(data[:_KEY_BYTES], digests, int.from_bytes(data[end:]))

    def without(self, code: str) -> _Set | None:
        """Return the set without this code; None if the code is not in it. All digests are compared."""
        wanted = _digest(self.key, code)
        left = tuple(digest for digest in self.digests if not compare_digest(digest, wanted))
        return self._replace(digests=left) if len(left) < len(self.digests) else None

    def __repr__(self) -> str:
        return "_Set(...)"


class RecoveryCodes:
    """The factor `recovery`. A set is bound to its account: in another row of the database it does not open."""

    def __init__(self, sealer: Sealer, limits: AttemptLimits) -> None:
        self._sealer = sealer
        self._limits = limits
        self._nobodys = self.fresh(account="", enrolment="").sealed

    def fresh(self, *, account: str, enrolment: str, now_s: int = 0) -> Sheet:
        """Return ten new codes, and the sealed set to store in place of an older one. `now_s`: Unix time in seconds."""
        codes = [symbols(secrets.randbits(5 * SYMBOLS), SYMBOLS) for _ in range(CODES)]
        key = secrets.token_bytes(_KEY_BYTES)
        kept = _Set(key, tuple(_digest(key, code) for code in codes), now_s)
        return Sheet(tuple(map(_grouped, codes)), self._sealed(kept, enrolment_binding(account, enrolment)))

    def left(self, sealed: bytes, *, account: str, enrolment: str) -> int:
        """Count the unused codes."""
        return len(self._opened(sealed, enrolment_binding(account, enrolment)).digests)

    def made_s(self, sealed: bytes | None, *, account: str, enrolment: str) -> int:
        """When the codes were made, Unix time in seconds; 0 for codes of earlier versions, and where there are none."""
        return self._opened(sealed, enrolment_binding(account, enrolment)).made_s

    async def accept(self, trial: CodeTrial, enrolment: str, store: RecoveryStore, typed: str) -> int | None:
        """Use up a code; return the number of codes left, or None if it proves nothing.

        If many calls with one code come at once, one succeeds. Different codes at once all succeed.

        Args:
            trial: the account and the challenge; behind a wrong secret nothing is proved and no code is used up.
            enrolment: its id.
            store: stores the enrolment's set.
            typed: as typed. A text that cannot be a code is not counted as an attempt.

        Raises:
            StoreUnavailable: the attempt may have been counted.
        """
        code = folded_symbols(typed, SYMBOLS)
        if code is None or not await self._limits.in_challenge(trial):
            return None
        bound_to = enrolment_binding(trial.account, enrolment)
        for _ in range(_SWAPS_MAX):
            old = await store.read()
            rest = self._opened(old, bound_to).without(code)
            if old is None or rest is None or not trial.behind_right_secret:
                return None
            if await store.swap(old, self._sealed(rest, bound_to)):
                return len(rest.digests)
        return None

    async def match(self, trial: CodeTrial, enrolment: str, store: RecoveryStore, typed: str) -> bool:
        """Whether this is an unused code, without counting an attempt or using it up."""
        code = folded_symbols(typed, SYMBOLS)
        old = await store.read()
        rest = self._opened(old, enrolment_binding(trial.account, enrolment)).without(code or "")
        return old is not None and rest is not None

    def _sealed(self, kept: _Set, bound_to: bytes) -> bytes:
        return self._sealer.seal(PURPOSE, kept.packed(), bound_to=bound_to)

    def _opened(self, sealed: bytes | None, bound_to: bytes) -> _Set:
        """Return the stored set; a random one if there is none, so that the comparison takes the same work."""
        if sealed is None:
            sealed, bound_to = self._nobodys, enrolment_binding("", "")
        try:
            return _Set.of(self._sealer.open(PURPOSE, sealed, bound_to=bound_to))
        except Unsealable:
            # An exception would give an error page, which would distinguish this account from invented ones.
            log.warning("a set of recovery codes cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return _Set(bytes(_KEY_BYTES), ())


def _digest(key: bytes, code: str) -> bytes:
    return blake2b(code.encode(), key=key, digest_size=_DIGEST_BYTES, person=b"recovery code").digest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, SYMBOLS, GROUP))
