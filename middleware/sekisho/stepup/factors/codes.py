"""One-time codes that are sent to the owner, by mail or as a text message.

A code is valid for one challenge (OWASP ASVS 5.0, 6.6.2), ten minutes (6.5.5) and one proof. ASVS 6.5.4 asks for 20
bits; eight digits have a hundred times as many values, because an attacker with the password may start again and again.

A new send never invalidates a pending code: mail is slow, and owners press the button twice and type the first code
that arrives. So a challenge has one code, and each send repeats it. The guard repeats it even when the account's sends
of the hour are used up. Otherwise an attacker with the password could prevent the owner from getting a lost mail again.

Behind a wrong secret the same steps run with a code that is not sent: neither time nor store shows a difference.
"""

from __future__ import annotations

import logging
import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from sekisho.crypto.seal import Unsealable
from sekisho.model import StoreUnavailable
from sekisho.stepup.attempt_limits import PERIOD_S, owner_key
from sekisho.stepup.factors.code_normalisation import folded_digits

if TYPE_CHECKING:
    from sekisho.crypto.seal import Sealer
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.stepup.attempt_limits import AttemptLimits, CodeTrial
    from sekisho.stepup.factors.code_budget import CodeBudget
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.challenge")

PURPOSE = b"sent code"
DIGITS = 8
LIFE_S = 600
SENDS_MAX = 5  # an account's challenges with a code in an hour: a stolen password must not cause a flood of mail
SENT, NOT_SENT = b"1", b"0"
AGAIN_MAX = 2  # repeats of a challenge's code, regardless of other challenges


class Code(NamedTuple):
    """A code to send.

    Attributes:
        digits: eight digits.
        seconds_left: its remaining lifetime; less than ten minutes if it is repeated.
    """

    digits: str
    seconds_left: int

    def __repr__(self) -> str:
        # Error reporters print local variables.
        return "Code(...)"


class Codes:
    """Creates, keeps and accepts codes. They exist only in the vault, sealed.

    Args:
        vault: keeps codes and counts.
        keys: the vault's.
        sealer: seals the codes.
        limits: counts the attempts, together with those at the other guessable factors.
        budget: of the whole site; None for no limit.
    """

    def __init__(
        self,
        vault: Vault,
        keys: VaultKeys,
        sealer: Sealer,
        limits: AttemptLimits,
        *,
        budget: CodeBudget | None = None,
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._limits = limits
        self._budget = budget

    async def issue(self, trial: CodeTrial, *, now_s: int) -> Code | None:
        """Return the code to send now; None behind a wrong secret, beyond the cap or beyond the site's budget.

        The caller must answer in the same way in all cases. Beyond the cap, the code that was sent stays valid.

        Args:
            trial: the challenge, and whether its secret was right.
            now_s: Unix time in seconds, to compute the remaining lifetime.

        Raises:
            StoreUnavailable: the caller should send nothing.
        """
        name = self._name(trial)
        code = self._opened(name, await self._held(name, now_s))
        may_send = await self._may_send(trial)
        sends = code is not None and may_send and trial.behind_right_secret
        if self._budget is not None:
            sends = await self._budget.take(sends=sends)
        if code is None or not sends:
            return None
        digits, issued_s = code
        return Code(digits, min(max(issued_s + LIFE_S - now_s, 0), LIFE_S))

    async def _may_send(self, trial: CodeTrial) -> bool:
        """Use up one send of the account, or one repeat of the challenge; return whether there was one left."""
        flag = self._keys.of(b"was sent", trial.challenge)
        asked = await self._vault.count(self._keys.of(b"sends asked", trial.challenge), seconds=PERIOD_S)
        sends = await self._vault.count(owner_key(self._keys, b"sends", trial), seconds=PERIOD_S)
        was_sent = await self._vault.get(flag) == SENT
        may = sends <= SENDS_MAX or (was_sent and asked <= 1 + AGAIN_MAX)
        # Always written: only a right secret reaches the cap, so a different number of steps would reveal it.
        await self._vault.put(flag, SENT if may or was_sent else NOT_SENT, seconds=PERIOD_S)
        return may

    async def accept(self, trial: CodeTrial, typed: str) -> bool:
        """Count an attempt; return whether `typed` is the challenge's code: True once, even if many calls come at once.

        False behind a wrong secret, and once the attempts are used up. A text that cannot be a code is not counted.
        Raises `StoreUnavailable`: the attempt may have been counted.
        """
        shown = folded_digits(typed, DIGITS)
        if shown is None:
            return False
        # Beyond the cap the same steps run: a faster answer from the eleventh guess on would reveal that the password
        # was right.
        allowed = await self._limits.of_guessable(trial)
        name = self._name(trial)
        sealed = await self._vault.get(name) or b""
        right = self._is(name, sealed, shown)
        if not (right and allowed and trial.behind_right_secret):
            return False
        # Marked as spent instead of removed: a removal could hit a later code of the same challenge.
        return await self._vault.once(self._keys.of(b"spent code", name, sealed), seconds=LIFE_S)

    async def match(self, trial: CodeTrial, typed: str) -> bool:
        """Whether this is the challenge's code. Neither counts an attempt nor spends it. Raises `StoreUnavailable`."""
        name, shown = self._name(trial), folded_digits(typed, DIGITS)
        return shown is not None and self._is(name, await self._vault.get(name) or b"", shown)

    def _is(self, name: bytes, sealed: bytes, shown: str) -> bool:
        code = self._opened(name, sealed)
        return code is not None and compare_digest(code[0], shown)

    def _name(self, trial: CodeTrial) -> bytes:
        return self._keys.of(b"code", trial.challenge, trial.account)

    async def _held(self, name: bytes, now_s: int) -> bytes:
        """Return the challenge's sealed code: the pending one, or a new one. Two calls at once get the same code."""
        digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        fresh = self._sealer.seal(PURPOSE, digits.encode() + now_s.to_bytes(8, "big"), bound_to=name)
        for _ in range(2):  # a second time if the code expired between the two steps
            if await self._vault.put(name, fresh, seconds=LIFE_S, only_new=True):
                return fresh
            if held := await self._vault.get(name):
                return held
        raise StoreUnavailable

    def _opened(self, name: bytes, sealed: bytes) -> tuple[str, int] | None:
        """Return the digits and their time of creation; None if the entry is missing or was not sealed here."""
        try:
            data = self._sealer.open(PURPOSE, sealed, bound_to=name) if sealed else b""
        except Unsealable:
            log.warning("a sent code cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return None
        return (data[:DIGITS].decode(), int.from_bytes(data[DIGITS:], "big")) if data else None
