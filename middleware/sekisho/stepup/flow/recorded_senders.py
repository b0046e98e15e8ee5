"""Senders of codes and notices that also record each as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.stepup.factors.senders import Senders

if TYPE_CHECKING:
    from sekisho.mail import Mailer, Service
    from sekisho.record import Events
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.codes import Code
    from sekisho.stepup.factors.letter_budget import LetterBudget
    from sekisho.stepup.factors.webhook import CodeHook, Webhook


class RecordedSenders(Senders):
    """See `Senders`. An event is recorded whether or not the owner has an address to write to.

    Accounts that do not exist are left out: their codes and factors are pretences.
    """

    def __init__(
        self,
        events: Events,
        mailer: Mailer | None,
        service: Service | None,
        webhook: Webhook | None = None,
        on_code: CodeHook | None = None,
        *,
        budget: LetterBudget | None = None,
    ) -> None:
        super().__init__(mailer, service, webhook, on_code, budget=budget)
        self._events = events

    def send_code(self, factor: str, person: AccountOwner, code: Code) -> None:
        super().send_code(factor, person, code)
        if person.contact is not None:
            self._events.code_sent(factor, person.account)

    def new_device(self, person: AccountOwner, *, browser: str, network: str) -> None:
        super().new_device(person, browser=browser, network=network)
        self._events.new_device(person.account)

    def not_completed(self, person: AccountOwner, *, browser: str, network: str) -> None:
        super().not_completed(person, browser=browser, network=network)
        self._events.step_up_not_completed(person.account)

    def factor_changed(self, person: AccountOwner, factor: str, change: str) -> None:
        super().factor_changed(person, factor, change)
        self._events.factor_changed(factor, change, person.account)
