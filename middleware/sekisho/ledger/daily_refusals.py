"""Refuses attempts for which a day's limit is used up: guesses at codes, sign-ups, accounts that are linked; or an
hour's, of messages to an owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.judge.attempt_kind import tries_code
from sekisho.judge.policy import throttled
from sekisho.ledger.daily import LINKS, SIGNUPS
from sekisho.model import DoorKind

if TYPE_CHECKING:
    from sekisho.ledger.daily import DailyGuesses, DailyLimits
    from sekisho.model import Attempt, DayLimits, Decision
    from sekisho.model.shown_proofs import ShownProofs
    from sekisho.read import Digests, OriginDigests

_MESSAGES: Final = frozenset({DoorKind.CODE, DoorKind.RESET})


@final
class DailyRefusals:
    """Counts attempts before they reach the application.

    Args:
        digests: names accounts.
        guesses: counts guesses at codes; None where no door takes one.
        daily: counts sign-ups and links; None where no door takes one.
        limits: how many sign-ups and links there may be.
    """

    def __init__(
        self, digests: Digests, guesses: DailyGuesses | None, daily: DailyLimits | None, limits: DayLimits
    ) -> None:
        self._digests: Final = digests
        self._guesses: Final = guesses
        self._daily: Final = daily
        self._limits: Final = limits

    async def of(
        self, attempt: Attempt, origin: OriginDigests, shown: ShownProofs, *, known: bool, exempt: bool
    ) -> Decision | None:
        """Count an attempt against the limits of its day; return the refusal, or None if they have room.

        Args:
            attempt: one that the counters let pass.
            origin: the digests of its origin.
            shown: which browser asked for the code, and whose session links another account.
            known: whether its device is known at the account: its guesses are bounded by its own bucket.
            exempt: whether the limits of its address are lifted.

        Raises:
            StoreUnavailable: the settings forbid judging without the store.
        """
        account = self._digests.account(attempt.limit_key or attempt.canonical) if attempt.canonical else b""
        if account and not known and tries_code(attempt):
            wait_us = await self._guess(account, asked=bool(shown.asker))
            if wait_us:
                return throttled("account_guesses", wait_us)
        # Threat 133: an owner is sent a thousand codes. A reset on file sends nothing to others' addresses, and counts
        # what it sends by itself.
        elif account and not known and attempt.door.kind in _MESSAGES and not (attempt.secret or attempt.door.on_file):
            wait_us = await self._message(account)
            if wait_us:
                return throttled("account_messages", wait_us)
        if attempt.door.kind is DoorKind.SIGNUP and not exempt:
            wait_us = await self._sign_up(origin)
            return throttled("signups", wait_us) if wait_us else None
        if attempt.door.kind is DoorKind.LINK and account:
            wait_us = await self._link(account, origin, shown.linking, exempt=exempt)
            return throttled("link_targets", wait_us) if wait_us else None
        return None

    async def _guess(self, account: bytes, *, asked: bool) -> int:
        return await self._guesses.take(account, asked=asked) if self._guesses is not None else 0

    async def _message(self, account: bytes) -> int:
        return await self._guesses.ask(account) if self._guesses is not None else 0

    async def _sign_up(self, origin: OriginDigests) -> int:
        if self._daily is None:
            return 0
        limits = self._limits
        sources = ((origin.device, limits.signup_device), (origin.networks[0], limits.signup_network))
        return await self._daily.take(SIGNUPS, sources)

    async def _link(self, account: bytes, origin: OriginDigests, linking: bytes, *, exempt: bool) -> int:
        if self._daily is None:
            return 0
        limits = self._limits
        sources = [(linking, limits.link_account)] if linking else []
        if not exempt:
            # The narrowest first: what one device is refused does not count against its network.
            sources += [(origin.device, limits.link_device), (origin.networks[0], limits.link_network)]
        return await self._daily.take(LINKS, sources, account)
