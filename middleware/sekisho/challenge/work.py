"""Proof of work: a price for an attempt, paid before the secret is checked. It proves that a client computed.

It proves no identity (an attacker's computer works as well as the owner's), so the result is a `Worked`, which no check
of identity accepts.

The puzzle is ALTCHA's second version, so that its widget solves it as well as our own page: find a counter for which
`PBKDF2-SHA-256(nonce + counter, salt)` begins with given digits. Every browser computes PBKDF2 natively, in a page
without WebAssembly. Graphics cards are far faster: one of 2022 does some 9·10⁹ iterations a second, as many as 9,000
phones. Work keeps a flood of cheap scripts from using up password hashing; it slows an attacker down, but stops none.

Challenges are not stored. Their signature is keyed by the attempt that they were made for, so that a solution for
another door, account or browser is a forgery, and the binding is never sent. They are issued without a derivation,
since asking for one is free; so the time to solve one is geometrically distributed, not fixed.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from hmac import digest as hmac_digest
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from altcha import Challenge, ChallengeParameters, Payload, Solution, verify_solution

from sekisho.crypto.signers import Signer, always_signing, as_signers, signing
from sekisho.model.text import utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.store.vault import Vault

LIFE_S = 120  # seconds from the challenge to its solution: the longest work on a slow phone
SKEW_S = 60  # seconds: the largest accepted difference of two workers' clocks
USED_S = 2 * (LIFE_S + SKEW_S)  # longer than any worker accepts the same challenge
PAYLOAD_CHARS_MAX = 2_048  # a solved challenge has some 600 besides its data; the widget adds its time

PHONE_HASHES_PER_S = 1_000_000
"""PBKDF2-SHA-256 iterations a second on one core of an average phone of 2020: an assumption.

A laptop of 2020 (Ryzen 7 4750U) did 600,000 in 160 ms in its browser (robinmoisson/staticrypt#159), 3.8 million a
second; such a phone is assumed to do a quarter of that. With four workers it needs a third of the time or less.
"""

DIFFICULTY_MAX = 8_000_000
_BY_POSTURE = (250_000, 1_000_000, 2_000_000)
_DOUBLED_FROM = (0.5, 0.75, 0.9)

_ALGORITHM = "PBKDF2/SHA-256"
_COST_MAX = 8_000  # iterations for one try, and so for the check: 2 ms, a tenth of a password's hash
_DIGITS_MIN = 2
_NONCE_BYTES, _SALT_BYTES = 16, 16
_KEY = re.compile("[0-9a-f]{64}")
_UNSOLVED = {"counter": 0, "derivedKey": "0" * 64}  # no tries in the age of the universe find that key
_CARRIED, _OURS = "carried", "ours"
_ENDS = re.compile("[0-9]{1,12}")
MARK_CHARS_MAX = 128  # a page's mark has some 80
LOOKED_AT_MAX = 10_000  # challenges that passed a refusal; each one cost a charge within two minutes


def difficulty(posture_level: int, occupancy: float) -> int:
    """Return the amount of work to ask for: expected hashes, in PBKDF2 iterations.

    In seconds on a phone (see `PHONE_HASHES_PER_S`), by posture and by the occupancy of the queues behind the
    challenge:

    | posture    | < 50% | ≥ 50% | ≥ 75% | ≥ 90% |
    |------------|-------|-------|-------|-------|
    | 0 calm     | 0.25  | 0.5   | 1     | 2     |
    | 1 elevated | 1     | 2     | 4     | 8     |
    | 2 attack   | 2     | 4     | 8     | 8     |

    These are means; one phone in a hundred needs 4.6 times as long, which at 8 s is 37 s of the 120 it has. Each of the
    256 tries (4,096 from 4 s on) also costs a call to the browser's cryptography: 0.2 ms as measured in Node 20 on a
    server.

    Args:
        posture_level: 0 to 2; values outside count as the nearest one.
        occupancy: of the queues, 0 to 1. Not a number counts as full.
    """
    base = _BY_POSTURE[max(0, min(posture_level, 2))]
    doublings = sum(not occupancy < at for at in _DOUBLED_FROM)
    return min(base << doublings, DIFFICULTY_MAX)


@dataclass(frozen=True, slots=True)
class Worked:
    """A client has computed for this attempt. It is no proof of identity, and no tuple that could equal one.

    Attributes:
        difficulty: expected hashes of the solved challenge.
        carried: the data that the challenge carried.
    """

    difficulty: int
    carried: str = ""


class Puzzle(NamedTuple):
    """A puzzle for a page.

    Attributes:
        text: JSON, in the fields of ALTCHA.
        ends_s: Unix time in seconds.
        nonce: its name, which the text contains as well.
        carries: whether it carries data.
    """

    text: str
    ends_s: int
    nonce: str
    carries: bool


class Work:
    """Makes puzzles, and accepts each solution once.

    Args:
        secrets: the first secret that signs and has not ended signs; all that have not ended verify.
        vault: remembers used solutions.
        clock_s: Unix time in seconds.
    """

    def __init__(self, secrets: Sequence[bytes | Signer], vault: Vault, *, clock_s: Callable[[], float]) -> None:
        self._keys = [_Key(signer) for signer in as_signers(secrets)]
        self._signed = [(key, key.signer) for key in self._keys]
        self._always: Final = always_signing(self._signed)
        self._vault = vault
        self._clock_s = clock_s
        self._looked_at: dict[str, None] = {}

    def challenge(self, bound_to: bytes, difficulty: int, *, carried: str = "") -> Puzzle:
        """Make a puzzle for the page.

        Args:
            bound_to: a digest of door, account and browser. Not sent.
            difficulty: expected hashes, 1 to `DIFFICULTY_MAX`; at least 256 are asked for.
            carried: base64url data that comes back with the solution: signed, but readable; some 400 characters. It is
                put into the puzzle without a search for characters that JSON escapes.

        Raises:
            ValueError: no binding, or a difficulty out of range.
        """
        digits, cost = _shape(difficulty)
        key, ends_s = self._signing(), int(self._clock_s()) + LIFE_S
        random = token_bytes(_NONCE_BYTES + _SALT_BYTES).hex()
        nonce, salt = random[: 2 * _NONCE_BYTES], random[2 * _NONCE_BYTES :]
        data = ""
        if carried:
            data = f'"data":{{"{_CARRIED}":"{carried}","{_OURS}":"{key.ours(ends_s, carried)}"}},'
        # The result of `altcha.create_challenge`, in a twentieth of the time, since a flood is answered with it. The
        # signature covers exactly this spelling: names in order, no spaces.
        parameters = (
            f'{{"algorithm":"{_ALGORITHM}","cost":{cost},{data}"expiresAt":{ends_s},"keyLength":32,'
            f'"keyPrefix":"{"0" * digits}","nonce":"{nonce}","salt":"{salt}"}}'
        )
        signed = hmac_digest(key.bound(bound_to), utf8(parameters), "sha256").hex()
        return Puzzle(f'{{"parameters":{parameters},"signature":"{signed}"}}', ends_s, nonce, bool(carried))

    def earns_look(self, payload: str) -> bool:
        """Whether a genuine challenge with data is shown to this worker for the first time.

        For requests that would otherwise be refused unread. No solution is checked, so the call costs very little. It
        is true once for each challenge and worker: otherwise one challenge would carry a flood past the refusal.
        """
        if (solved := _read(payload)) is None or not self._is_fresh(solved.parameters):
            return False
        data: object = solved.parameters.data
        carried, shown = (data.get(_CARRIED), data.get(_OURS)) if isinstance(data, dict) else (None, None)
        if not isinstance(carried, str) or not isinstance(shown, str):
            return False
        ours = (key.ours(solved.parameters.ends_s, carried) for key in self._alive())
        return any(compare_digest(one.encode(), utf8(shown)) for one in ours) and self._is_first_look(carried)

    def page_mark(self, puzzle: Puzzle) -> str:
        """Return the mark that a browser sends with a page's form. The form's body has the solution; see
        `earns_look_by_mark`.
        """
        return self._signing().page_mark(puzzle.ends_s, puzzle.nonce)

    def earns_look_by_mark(self, mark: str) -> bool:
        """Whether the challenge of a page's form is shown to this worker for the first time; otherwise as `earns_look`.

        `mark`: what `page_mark` returned for the challenge.
        """
        ends, _, nonce = mark.rpartition(".")[0].partition(".")
        if len(mark) > MARK_CHARS_MAX or not _ENDS.fullmatch(ends) or not self._is_near(int(ends)):
            return False
        ours = (key.page_mark(int(ends), nonce) for key in self._alive())
        return any(compare_digest(utf8(one), utf8(mark)) for one in ours) and self._is_first_look(mark)

    def _is_first_look(self, name: str) -> bool:
        if name in self._looked_at:
            return False
        if len(self._looked_at) >= LOOKED_AT_MAX:
            del self._looked_at[next(iter(self._looked_at))]
        self._looked_at[name] = None
        return True

    async def accept(self, payload: str, bound_to: bytes) -> Worked | None:
        """Check a solution; return its work the first time that it is shown, otherwise None.

        A challenge has one try: with false solutions to a genuine challenge, a client makes us derive one key only.

        Args:
            payload: the client's text: base64 of JSON.
            bound_to: as for `challenge`.

        Raises:
            StoreUnavailable: the solution may have been used before, so grant nothing.
            ValueError: no binding.
        """
        if (solved := _read(payload)) is None or not solved.is_solved:
            return None
        if (key := await self._used_up(solved, bound_to)) is None or not verify_solution(solved.payload, key).verified:
            return None
        return Worked(solved.parameters.cost << 4 * len(solved.parameters.key_prefix), solved.carried)

    async def carried(self, payload: str, bound_to: bytes) -> str:
        """Return the data of a genuine challenge, solved or not, the first time that it is shown; otherwise empty.

        For clients that have solved a captcha instead. The challenge is used up by it: an attacker who shows it once
        beside a captcha and once solved would get one charge back twice.

        Args:
            payload: as for `accept`; it may lack the solution.
            bound_to: as for `challenge`.

        Raises:
            StoreUnavailable: the challenge may have been used before.
        """
        if (shown := _read(payload)) is None or await self._used_up(shown, bound_to) is None:
            return ""
        return shown.carried

    async def _used_up(self, shown: _Solved, bound_to: bytes) -> bytes | None:
        """Mark a challenge of this attempt as used. Returns its key; None if it is not genuine, too old, or used."""
        if not self._is_fresh(shown.parameters) or (key := self._signed_with(shown, bound_to)) is None:
            return None
        return key if await self._vault.once(_used(key, shown), seconds=USED_S) else None

    def _signing(self) -> _Key:
        return self._always or signing(self._signed, self._clock_s())

    def _alive(self) -> list[_Key]:
        now_s = self._clock_s()
        return [key for key in self._keys if now_s < key.signer.until_s]

    def _is_fresh(self, parameters: _Parameters) -> bool:
        return self._is_near(parameters.ends_s)

    def _is_near(self, ends_s: int) -> bool:
        # A challenge from too far in the future would outlive the mark of its use.
        return 0 < ends_s - self._clock_s() <= LIFE_S + SKEW_S

    def _signed_with(self, solved: _Solved, bound_to: bytes) -> bytes | None:
        """Return the key that signed the challenge, if the cheap checks pass; otherwise None."""
        payload, claimed = solved.payload, bytes.fromhex(solved.payload.solution.derived_key)
        keys = (key.bound(bound_to) for key in self._alive())
        return next((key for key in keys if verify_solution(payload, key, lambda *_: claimed).verified), None)


class _Key:
    """What a secret signs with: a keyed state for each use, which a digest copies."""

    __slots__ = ("_bound", "_ours", "_page", "signer")

    def __init__(self, signer: Signer) -> None:
        key = blake2b(signer.secret, digest_size=64, person=b"sekisho.work").digest()
        self.signer: Final = signer
        self._bound: Final = blake2b(key=key, digest_size=32, person=b"work for").copy
        self._ours: Final = blake2b(key=key, digest_size=16, person=b"work carries").copy
        self._page: Final = blake2b(key=key, digest_size=16, person=b"work page").copy

    def bound(self, bound_to: bytes) -> bytes:
        """The key that signs challenges for one attempt."""
        if not bound_to:
            raise ValueError("work is bound to an attempt")
        digest = self._bound()
        digest.update(bound_to)
        return digest.digest()

    def ours(self, ends_s: int, carried: str) -> str:
        """Return a tag that proves a challenge genuine before its binding is known."""
        digest = self._ours()
        digest.update(b"%d %b" % (ends_s, utf8(carried)))
        return digest.hexdigest()

    def page_mark(self, ends_s: int, nonce: str) -> str:
        digest = self._page()
        digest.update(b"%d %b" % (ends_s, utf8(nonce)))
        return f"{ends_s}.{nonce}.{digest.hexdigest()}"


class _Parameters(ChallengeParameters):
    """Hides the end from the library, which would compare it with the process's clock. The end is still signed."""

    def __init__(self, *, expires_at: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.ends_s = expires_at

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "expiresAt": self.ends_s}


class _Solved(NamedTuple):
    payload: Payload
    parameters: _Parameters  # of the payload
    is_solved: bool

    @property
    def carried(self) -> str:
        found: str = (self.parameters.data or {}).get(_CARRIED, "")
        return found


def _shape(difficulty: int) -> tuple[int, int]:
    """Return the leading zero digits, and the iterations of a try, for at least so many expected hashes.

    The tries are as few and as expensive as our check allows: only browsers pay the extra cost of each call, and an
    attacker's own program does not.
    """
    if not 1 <= difficulty <= DIFFICULTY_MAX:
        raise ValueError(f"difficulty is 1 to {DIFFICULTY_MAX}")
    digits = _DIGITS_MIN
    while difficulty > _COST_MAX << 4 * digits:
        digits += 1
    return digits, -(-difficulty >> 4 * digits)


def _used(key: bytes, solved: _Solved) -> bytes:
    # By the nonce alone: another spelling or another solution still belongs to the same challenge.
    return blake2b(solved.parameters.nonce.encode(), key=key, digest_size=16, person=b"work used").digest()


def _read(payload: str) -> _Solved | None:
    """Read the payload if it has the form that the library expects; the library fails on others."""
    if len(payload) > PAYLOAD_CHARS_MAX:
        return None
    try:
        read = json.loads(b64decode(payload, validate=True))
        parameters: Any = _Parameters.from_dict(read["challenge"]["parameters"])
        found = Solution.from_dict(read.get("solution", _UNSOLVED))
        # `1000.0` is signed as `1000`, but is no number of iterations.
        numbers = (parameters.cost, parameters.key_length, parameters.ends_s, found.counter)
        if not (all(type(number) is int for number in numbers) and _KEY.fullmatch(found.derived_key)):
            return None
        payload_read = Payload(Challenge(parameters, read["challenge"]["signature"]), found)
        return _Solved(payload_read, parameters, "solution" in read)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
