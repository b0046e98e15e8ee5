"""Recovery of a lost passkey or app: a recovery code, then a mailed code, then a day.

Each of the two can be relayed by a phishing page, so both together let nobody in: they ask for the same reset that an
operator asks for (`sekisho owners reset`). The owner is told at once, and a proof by the factor, if it is found,
cancels it. A day later the account has no factor left, and begins anew with a code by mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import FactorClass

if TYPE_CHECKING:
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.owners import Owners, Reset
    from sekisho.stepup.attempt_limits import CodeTrial
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.codes import Codes
    from sekisho.stepup.factors.requirements import Requirements
    from sekisho.stepup.factors.senders import Senders

LOST: Final = "lost"
"""The name of this way in forms; no factor has it."""


class LostFactor:
    """Begins a recovery in two steps.

    Args:
        by: the factor that carries the second code, `email` or `webhook`; empty if the site sends no codes.
        owners: keeps the reset.
        keys: of the vault.
        codes: makes and accepts the second code.
        requirements: the class that each account has to show.
        senders: sends the code and the notice.
    """

    def __init__(
        self, by: str, owners: Owners, keys: VaultKeys, codes: Codes, *, requirements: Requirements, senders: Senders
    ) -> None:
        self.by: Final = by
        self._owners = owners
        self._keys = keys
        self._codes = codes
        self._requirements = requirements
        self._senders = senders

    def may_begin(self, owner: AccountOwner, now_s: int) -> bool:
        """Whether the account has a strong factor that can be lost, and does not refuse weaker ways to replace it."""
        has_strong = self._requirements.own(owner, now_s) >= FactorClass.APP
        return has_strong and not self._requirements.is_only_strong(owner)

    async def send(self, trial: CodeTrial, owner: AccountOwner, *, proved: bool, now_s: int) -> None:
        """Send the second code of a recovery, by mail or webhook, if the recovery code was right (`proved`).

        Otherwise run the same steps without one.

        Raises:
            StoreUnavailable: nothing was sent.
        """
        code = await self._codes.issue(self._second(trial, right=proved), now_s=now_s)
        if code is not None:
            self._senders.send_code(self.by, owner, code, recovers=True)

    async def confirm(self, trial: CodeTrial, owner: AccountOwner, typed: str, *, now_s: int) -> Reset | None:
        """Request the reset of the account's factors, and return it, if `typed` is the second code; otherwise None.

        A pending reset stays unchanged.

        Raises:
            StoreUnavailable, OwnersError: the code may be spent.
        """
        # Only a right recovery code had the second code sent, so the first step needs no mark of its own.
        right = trial.behind_right_secret and self.may_begin(owner, now_s)
        if not await self._codes.accept(self._second(trial, right=right), typed):
            return None
        reset = await self._owners.ask_reset(owner.account_id, now_s=now_s)
        self._senders.reset_asked(owner, reset.due_s)
        return reset

    def _second(self, trial: CodeTrial, *, right: bool) -> CodeTrial:
        # A challenge of its own: a code for a recovery must not prove a log-in, nor the other way round.
        challenge = self._keys.of(b"recovery sent", trial.challenge)
        return trial._replace(challenge=challenge, behind_right_secret=right, number=0)
