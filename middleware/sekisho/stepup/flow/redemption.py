"""The redemption of a ticket, as the steps of a proof pass it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.stepup.escrow import Ticket
    from sekisho.stepup.factors import AccountOwner
    from sekisho.stepup.flow.page_call import PageCall


class Redemption(NamedTuple):
    """Attributes:
    call: shows the ticket, and a proof for it.
    ticket: read from the call, by the browser that it was issued to.
    person: the owner of the ticket's account, with the factors that can prove it.
    """

    call: PageCall
    ticket: Ticket
    person: AccountOwner

    def __repr__(self) -> str:
        return "Redemption(...)"
