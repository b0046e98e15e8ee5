"""Senders of codes and notices that also record each as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.stepup.factors.senders import Senders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.mail import Mailer, Service
    from sekisho.outbox import NoticeOutbox
    from sekisho.record import Events
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.codes import Code
    from sekisho.stepup.factors.letter_budget import LetterBudget
    from sekisho.stepup.factors.webhook import CodeQueue, Webhook
    from sekisho.stepup.links import NoticeLinks


class RecordedSenders(Senders):
    """See `Senders`. An event is recorded whether or not the owner has an address to write to.

    Accounts that do not exist are left out: their codes and factors are pretences.
    """

    def __init__(  # noqa: PLR0913 - everything it works with arrives from outside
        self,
        events: Events,
        mailer: Mailer | None,
        service: Service | None,
        *,
        code_senders: Sequence[Webhook | CodeQueue] = (),
        budget: LetterBudget | None = None,
        outbox: NoticeOutbox | None = None,
        links: NoticeLinks | None = None,
        has_notice_hook: bool = False,
        clock_s: Callable[[], float],
    ) -> None:
        super().__init__(
            mailer, service, code_senders=code_senders, budget=budget, outbox=outbox, links=links,
            has_notice_hook=has_notice_hook, clock_s=clock_s,
        )  # fmt: skip
        self._events = events

    def send_code(self, factor: str, owner: AccountOwner, code: Code, *, recovers: bool = False) -> None:
        super().send_code(factor, owner, code, recovers=recovers)
        if owner.contact is not None:
            self._events.code_sent(factor, owner.account)

    def new_device(self, owner: AccountOwner, *, browser: str, network: str, device: bytes = b"") -> None:
        super().new_device(owner, browser=browser, network=network, device=device)
        self._events.new_device(owner.account)

    async def delivered(self, owner: AccountOwner, kind: str, *, browser: str, network: str, device: bytes) -> bool:
        taken = await super().delivered(owner, kind, browser=browser, network=network, device=device)
        if taken:
            self._events.aged_device(owner.account)
        return taken

    def not_completed(self, owner: AccountOwner, *, browser: str, network: str) -> None:
        super().not_completed(owner, browser=browser, network=network)
        self._events.step_up_not_completed(owner.account)

    def factor_changed(self, owner: AccountOwner, factor: str, change: str) -> None:
        super().factor_changed(owner, factor, change)
        self._events.factor_changed(factor, change, owner.account)

    def reset_asked(self, owner: AccountOwner, due_s: int) -> None:
        super().reset_asked(owner, due_s)
        self._events.factor_changed("recovery", "reset_asked", owner.account)
