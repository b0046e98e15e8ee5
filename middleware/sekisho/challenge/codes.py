"""One-time codes that are sent to the owner, by mail or as a text message.

A code is good for one challenge (OWASP ASVS 5.0, 6.6.2), ten minutes (6.5.5) and one proof. Its eight digits are
a hundred times the 20 bits that 6.5.4 asks for, because whoever holds the password may start again and again.

A send never ends a code that is under way: mail is slow, people press the button twice, and then type the first code
that arrives. So a challenge has one code, and sending again sends that one: also where others have used up what the
account is sent in an hour, or whoever has the password could keep the mail that was lost from its owner.

Behind a wrong secret all of this happens too, with a code that nobody is sent: who watches the clock or the store
sees no difference.
"""

from __future__ import annotations

import logging
import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from sekisho.challenge.seal import Unsealable
from sekisho.challenge.tries import PERIOD_S, owner_key
from sekisho.challenge.typed import folded_digits
from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    from sekisho.challenge.keys import VaultKeys
    from sekisho.challenge.seal import Sealer
    from sekisho.challenge.tries import Trial, Tries
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.challenge")

PURPOSE = b"sent code"
DIGITS = 8
LIFE_S = 600
SENDS_MAX = 5  # challenges that are sent a code, an hour and account: a stolen password must not become a flood of mail
SENT, NOT_SENT = b"1", b"0"
AGAIN_MAX = 2  # how often a challenge's code is sent once more, whatever other challenges have used up


class Code(NamedTuple):
    """What to send.

    Attributes:
        digits: eight of them.
        seconds_left: how long it is still good for; less than ten minutes where it is sent again.
    """

    digits: str
    seconds_left: int

    def __repr__(self) -> str:
        # Error reporters print the values of a frame.
        return "Code(...)"


class Codes:
    """Makes, remembers and accepts codes. Holds them sealed in the vault, and nowhere else.

    Args:
        vault: where codes and counts live.
        keys: names in it.
        sealer: seals the codes.
        tries: counts the tries, with those of the other guessable factors.
        sends_max: how often an account is sent a code in an hour.
    """

    def __init__(
        self, vault: Vault, keys: VaultKeys, sealer: Sealer, tries: Tries, *, sends_max: int = SENDS_MAX
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._tries = tries
        self._sends_max = sends_max

    async def issue(self, trial: Trial, *, now_s: int) -> Code | None:
        """The code to send now, or None: nothing is sent behind a wrong secret or beyond the cap.

        What the caller answers must be the same either way. Beyond the cap the code that was sent stays good.

        Args:
            trial: for which challenge, and whether its secret was right.
            now_s: Unix time, for telling how much is left.

        Raises:
            StoreUnavailable: nothing should be sent.
        """
        name = self._name(trial)
        code = self._opened(name, await self._held(name, now_s))
        may_send = await self._may_send(trial)
        if code is None or not may_send or not trial.behind_right_secret:
            return None
        digits, issued_s = code
        return Code(digits, min(max(issued_s + LIFE_S - now_s, 0), LIFE_S))

    async def _may_send(self, trial: Trial) -> bool:
        """Whether the account has a send left, which is now used; or its challenge, which was sent its code before."""
        flag = self._keys.of(b"was sent", trial.challenge)
        asked = await self._vault.count(self._keys.of(b"sends asked", trial.challenge), seconds=PERIOD_S)
        sends = await self._vault.count(owner_key(self._keys, b"sends", trial), seconds=PERIOD_S)
        was_sent = await self._vault.get(flag) == SENT
        may = sends <= self._sends_max or (was_sent and asked <= 1 + AGAIN_MAX)
        # Written in any case: as many steps within the cap as beyond it, which only a right secret can reach.
        await self._vault.put(flag, SENT if may or was_sent else NOT_SENT, seconds=PERIOD_S)
        return may

    async def accept(self, trial: Trial, typed: str) -> bool:
        """Whether this is the challenge's code. True once, for one of any number who show it at once.

        What cannot be a code is no try. Raises `StoreUnavailable`: nobody knows whether the try counted.
        """
        shown = folded_digits(typed, DIGITS)
        if shown is None:
            return False
        # Beyond a cap everything goes on as before it: a page that is quicker from the eleventh guess on would say
        # that there is an account behind it, and a right password.
        allowed = await self._tries.of_guessable(trial)
        name = self._name(trial)
        sealed = await self._vault.get(name) or b""
        right = self._is(name, sealed, shown)
        if not (right and allowed and trial.behind_right_secret):
            return False
        # Marked as spent rather than taken: taking could take a later code of the same challenge by mistake.
        return await self._vault.once(self._keys.of(b"spent code", name, sealed), seconds=LIFE_S)

    async def match(self, trial: Trial, typed: str) -> bool:
        """Whether this is the challenge's code. Counts and spends nothing. Raises `StoreUnavailable`."""
        name, shown = self._name(trial), folded_digits(typed, DIGITS)
        return shown is not None and self._is(name, await self._vault.get(name) or b"", shown)

    def _is(self, name: bytes, sealed: bytes, shown: str) -> bool:
        code = self._opened(name, sealed)
        return code is not None and compare_digest(code[0], shown)

    def _name(self, trial: Trial) -> bytes:
        return self._keys.of(b"code", trial.challenge, trial.account)

    async def _held(self, name: bytes, now_s: int) -> bytes:
        """The challenge's code, sealed: the one under way, else a new one. Of two at once, both get the first."""
        digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        fresh = self._sealer.seal(PURPOSE, digits.encode() + now_s.to_bytes(8, "big"), bound_to=name)
        for _ in range(2):  # once more where it ended between the two steps
            if await self._vault.put(name, fresh, seconds=LIFE_S, only_new=True):
                return fresh
            if held := await self._vault.get(name):
                return held
        raise StoreUnavailable

    def _opened(self, name: bytes, sealed: bytes) -> tuple[str, int] | None:
        """Digits, and when they were made; None for nothing, and for what somebody else put there."""
        try:
            data = self._sealer.open(PURPOSE, sealed, bound_to=name) if sealed else b""
        except Unsealable:
            log.warning("a sent code cannot be opened: altered, or SEKISHO_SECRET lost its key")
            return None
        return (data[:DIGITS].decode(), int.from_bytes(data[DIGITS:], "big")) if data else None
