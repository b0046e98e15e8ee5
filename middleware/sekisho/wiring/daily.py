"""Builds the limits of a day: what counts, in the store or here, and what refuses attempts by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.ledger.daily import DailyGuesses, DailyLimits, DayCounts
from sekisho.ledger.daily_refusals import DailyRefusals
from sekisho.model import DoorKind
from sekisho.settings import StoreFailure
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from sekisho.settings import Settings
    from sekisho.store.vault import Vault
    from sekisho.wiring.process import ProcessWing


class DailyParts:
    """The limits of one event loop.

    Args:
        process: the parts shared by all event loops.
        vault: keeps the counts.

    Attributes:
        limits: counts sign-ups, links and mailed codes; None where no door has any.
        refusals: refuses attempts; None where no door needs it.
    """

    def __init__(self, process: ProcessWing, vault: Vault) -> None:
        settings = process.settings
        counts = DayCounts(
            vault,
            process.vault if settings.on_store_failure is StoreFailure.LOCAL else None,
            let_in=settings.on_store_failure is StoreFailure.OPEN,
            clock_s=process.clocks.wall_s,
        )
        has_limits = any(door.kind in {DoorKind.SIGNUP, DoorKind.LINK} for door in settings.doors)
        guesses = DailyGuesses(counts, guesses_max=settings.code_guesses_max) if takes_codes(settings) else None
        limits = DailyLimits(counts) if has_limits else None
        self._guesses: Final = guesses
        self.limits: Final = limits
        self.refusals: Final = (
            DailyRefusals(process.digests, guesses, limits, settings.day_limits) if guesses or limits else None
        )
        self._forgetting = TaskSet()

    def forget(self, accounts: tuple[bytes, ...], sources: tuple[bytes, ...]) -> None:
        """Start tasks that forget today's counts of accounts and sources, as an operator asked.

        Args:
            accounts: digests of accounts whose guesses are forgotten.
            sources: digests of accounts, networks and devices that have limits of the day.
        """
        if self._guesses is not None:
            self._forgetting.start(self._guesses.forget(accounts), name="sekisho unblock")
        if self.limits is not None:
            self._forgetting.start(self.limits.forget(sources), name="sekisho unblock")

    async def aclose(self) -> None:
        """Cancel the tasks that `forget` has started and that are still running."""
        await self._forgetting.cancel()


def takes_codes(settings: Settings) -> bool:
    """Whether a door takes codes or PINs."""
    return any(door.secret_is_small for door in settings.doors)
