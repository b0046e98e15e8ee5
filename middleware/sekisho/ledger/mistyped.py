"""Wrong passwords that were followed by the right one, from the same place: typing errors, and no guesses.

A success gives back its own charge alone, so typing errors added up at an address that many owners share: a school with
three hundred log-ins in a day and every fourth mistyped was over its limit of a day. So the success gives those back at
the address as well. The account's own count of failures stands.

An attacker gains no guess by it: a failure is given back only by a success of the exact account from the exact address
and fingerprint, and as far as it still weighs. Failures at an attacker's own account pay for themselves alone. Behind a
seal the same browser key is needed as well: a right secret waits for its own proof, so one that a neighbour guessed
would not be given back with his wrong ones, and the room at the address would confirm it.
"""

from __future__ import annotations

from typing import Final, final

from sekisho.ledger.history import NAME_BYTES
from sekisho.model import Charge, Charged, Verdict

AT_ADDRESS: Final = Charged.NETWORK | Charged.CREDIT
PLACES_MAX: Final = 2_048
"""With a failure that is not given back yet. A flood displaces the oldest."""
MISTAKES_MAX: Final = 5  # of one place: an account has room for no more guesses at once
KEPT_US: Final = 1_800_000_000


@final
class Mistake:
    """An attempt without a success. No named tuple: of a flood one is made for each attempt.

    Attributes:
        verdict: on it; where it is forgiven, of its charge at the address alone.
        work_receipt: of the attempt before it, which was answered by asking for work; empty without.
        is_wrong: False: the secret was right, and the proof for its own answer gives its charge back.
    """

    __slots__ = ("charge", "is_wrong", "verdict", "work_receipt")

    def __init__(self, charge: Charge, verdict: Verdict, work_receipt: bytes, *, is_wrong: bool) -> None:
        self.charge: Final = charge
        self.verdict: Final = verdict
        self.work_receipt: Final = work_receipt
        self.is_wrong: Final = is_wrong


@final
class Mistyped:
    """Belongs to one event loop: what another worker has refused is not given back here.

    In two halves: when the newer one is full or half an hour old, the older one is forgotten as a whole.
    """

    def __init__(self) -> None:
        self._newer: dict[bytes, tuple[Mistake, ...]] = {}
        self._older: dict[bytes, tuple[Mistake, ...]] = {}
        self._since_us = 0

    def note(
        self, charge: Charge, verdict: Verdict, work_receipt: bytes, browser_key: str = "", *, is_wrong: bool
    ) -> None:
        """Note an attempt without a success, if its address was charged for it.

        `browser_key`: of the browser to which its answer is sealed; empty where the answer has left.
        """
        if not (verdict.charged & AT_ADDRESS and charge.place):
            return
        now_us = verdict.at_us
        # Attempts end in another order than they began, and each node of a Cluster has a clock: that is no step back.
        if len(self._newer) >= PLACES_MAX // 2 or abs(now_us - self._since_us) >= KEPT_US:
            self._older, self._newer, self._since_us = self._newer, {}, now_us
        key = _key(charge, charge.place, browser_key)
        mistake = Mistake(charge, verdict, work_receipt, is_wrong=is_wrong)
        earlier = self._newer.get(key) or self._older.pop(key, None)
        self._newer[key] = (mistake,) if earlier is None else (*earlier[1 - MISTAKES_MAX :], mistake)

    def forgiven(self, charge: Charge, place: bytes, browser_key: str = "") -> tuple[Mistake, ...]:
        """Return the mistakes that a success forgives, each once.

        Args:
            charge: of the success, or of the attempt before the proof.
            place: as `Charge.place`; empty where no history is kept.
            browser_key: of the browser that the success was sealed to; empty where it was not.
        """
        if not (place and (self._newer or self._older)):
            return ()
        noted = self._taken(_key(charge, place, ""))
        if browser_key:
            noted += self._taken(_key(charge, place, browser_key))
        return tuple([_at_address(mistake) for mistake in noted if mistake.is_wrong])

    def _taken(self, key: bytes) -> tuple[Mistake, ...]:
        return (*self._older.pop(key, ()), *self._newer.pop(key, ()))


def _at_address(mistake: Mistake) -> Mistake:
    verdict = mistake.verdict
    verdict = verdict._replace(charged=verdict.charged & AT_ADDRESS, tagged=0)
    return Mistake(mistake.charge, verdict, mistake.work_receipt, is_wrong=True)


def _key(charge: Charge, place: bytes, browser_key: str) -> bytes:
    # Strangers' attempts are counted under a name that similar accounts share; a place names the exact one.
    return charge.ip + charge.device + place[:NAME_BYTES] + browser_key.encode()
