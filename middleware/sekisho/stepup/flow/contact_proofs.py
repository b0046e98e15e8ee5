"""Sign-ups whose mail address or telephone number is proved first: by a code that is sent there, before the application
runs.

Accounts at Docomo could be opened with any address, and then be linked with other people's bank accounts (2020). The
answer is the same for every address, because nothing is looked up: whether it has an account already, only the
application knows, and it runs for those alone who read the mailbox.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.answer import language_of, send_answer
from sekisho.challenge.challenges import FORM_CHARS_MAX
from sekisho.ledger.daily import MAILS
from sekisho.ledger.receipt import pack_receipt
from sekisho.model import SekishoError
from sekisho.model.mail_domain import mailbox_key, prefix_key
from sekisho.stepup.attempt_limits import CodeTrial
from sekisho.stepup.escrow import Purpose, Ticket
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.let_through import let_through
from sekisho.stepup.flow.sealed_request import contact_of, key_line, sealed_form
from sekisho.stepup.flow.waiting_proofs import WaitingProofs
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Answer
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.request_context import RequestContext
    from sekisho.assessment import Assessment
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.ledger.daily import DailyLimits
    from sekisho.settler import Settler
    from sekisho.stepup.factors.codes import Code, Codes
    from sekisho.stepup.flow.page_call import Handler, PageCall
    from sekisho.stepup.flow.parts import Parts

    Send = Callable[[str, str, Code], None]
    """Queues a code: address, language, code."""

log = logging.getLogger("sekisho")

MAIL, HOOK = "email", "webhook"
SCOPE: Final = b"contact"  # guesses here use up no attempts of an owner who logs in
SENDING_MAX: Final = 256  # tasks of one worker that are about to queue a code
SITE: Final = b"whole site"
OVER_BUDGET = (
    "a code for a sign-up was not sent: its network, its mail domain (or the first digits of its number) or the whole "
    "site has used up the codes of the day (SEKISHO_SIGNUP_CODES_MAX)"
)


class Channels(NamedTuple):
    """The ways to send a code: by mail to addresses, and by the service's own sender to all that cannot be mailed.

    Attributes:
        mail: None where the site mails nothing.
        hook: None where the service has no sender.
    """

    mail: Send | None
    hook: Send | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the channels that the site has, `email` or `webhook`, as answers to clients list them."""
        return tuple(name for name, send in ((MAIL, self.mail), (HOOK, self.hook)) if send is not None)

    def to(self, address: str) -> tuple[str, Send | None]:
        """Return the name and the function of the channel to an address or number; None in place of a missing function.

        The text's form alone decides: nothing is looked up.
        """
        by_mail = self.mail is not None and ("@" in address or self.hook is None)
        return (MAIL, self.mail) if by_mail else (HOOK, self.hook)


class ContactBudget:
    """Limits the codes of a day, besides those of each mailbox, which `Codes` limits.

    Args:
        limits: counts them.
        keys: the vault's.
        network_max: codes that one network asks for.
        site_max: codes of the whole site; half of them to one mail domain, or to numbers that begin alike.
    """

    def __init__(self, limits: DailyLimits, keys: VaultKeys, *, network_max: int, site_max: int) -> None:
        self._limits = limits
        self._network_max = network_max
        self._site_max = site_max
        self._keys = keys

    async def take(self, address: str, network: bytes) -> bool:
        """Use up one code of this day; return whether one was left for the network, mail domain and site.

        Raises `StoreUnavailable`.
        """
        domain = self._keys.of(b"contact domain", prefix_key(address))
        sources = (
            (network, self._network_max),
            (domain, max(1, self._site_max // 2)),
            (self._keys.of(b"contact site", SITE), self._site_max),
        )
        return not await self._limits.take(MAILS, sources)


class ContactProofs:
    """Belongs to one event loop.

    Args:
        settler: settles sign-ups.
        reading: knows the doors.
        parts: the parts of a step-up.
        codes: creates and accepts codes.
        budget: limits how many are sent.
        channels: queue them.
    """

    def __init__(
        self, settler: Settler, reading: Reading, parts: Parts, codes: Codes, budget: ContactBudget, channels: Channels
    ) -> None:
        self._settler = settler
        self._doors = reading.doors
        self._parts = parts
        self._codes = codes
        self._budget = budget
        self._channels = channels
        self._waiting = WaitingProofs()
        self._tasks = TaskSet()
        self.routes: dict[tuple[str, str], Handler] = {
            ("POST", "/contact"): self._confirm,
            ("POST", "/contact/send"): self._send_again,
        }

    async def ask(self, context: RequestContext, assessment: Assessment) -> None:
        """Ask for a code that is sent to the address of a sign-up. The answer is alike for every address.

        The code is sent behind the answer. The attempt's charge stands until the code is shown.
        """
        self._settler.put_off(assessment)
        parts, browser_key, attempt = self._parts, browser_key_of(context.by_name), assessment.attempt
        receipt = pack_receipt(assessment.charge, assessment.verdict)
        ticket, text = parts.escrow.issue(
            Ticket(b"", Purpose.CONTACT, attempt.door.name, contact_of(attempt), receipt=receipt), browser_key.key
        )
        parts.events.step_up_issued(ticket.door, ticket.purpose.value, ticket.account, context.origin)
        headers = context.scope["headers"]
        form = sealed_form(parts, context, browser_key, int(self._parts.clock_s()))
        answer = parts.responses.contact(headers, text, form=form).adding(key_line(parts, context, browser_key))
        await send_answer(context.send, answer)
        self._send_behind(ticket, context.digests.networks[0], language_of(headers))

    async def _confirm(self, call: PageCall) -> Answer | None:
        ticket = await self._ticket(call)
        if ticket is None:
            return self._parts.responses.start_again(call.headers)
        with self._waiting.place(call.caller.digests.networks[-1], call.caller.digests.ip):
            if not await self._codes.accept(_trial(ticket), call.fields.get("code", "")):
                return self._refused(call, ticket)
            if not await self._parts.escrow.claim(ticket):
                return self._parts.responses.start_again(call.headers)
        factor, _ = self._channels.to(ticket.account)
        self._parts.events.proved(ticket.door, ticket.purpose.value, factor, ticket.account, call.caller.origin)
        # To read a mailbox clears no failures at an account of that name: its password was not shown.
        self._settler.refund_proved(ticket.receipt, b"")
        return await let_through(self._parts, self._doors, call, ticket, int(self._parts.clock_s()))

    async def _send_again(self, call: PageCall) -> Answer | None:
        ticket = await self._ticket(call)
        if ticket is None:
            return self._parts.responses.start_again(call.headers)
        self._send_behind(ticket, call.caller.digests.networks[0], language_of(call.headers))
        return self._asked_again(call, sent=True)

    async def _ticket(self, call: PageCall) -> Ticket | None:
        """The ticket that was shown, if it is one of a sign-up, has calls left and is not over."""
        escrow, key = self._parts.escrow, call.browser_key.key
        ticket = escrow.read(call.fields.get("challenge", ""), key)
        if ticket is None or ticket.purpose is not Purpose.CONTACT or not await escrow.may_call(ticket):
            return None
        return None if await escrow.is_over(ticket, key) else ticket

    def _refused(self, call: PageCall, ticket: Ticket) -> Answer:
        factor, _ = self._channels.to(ticket.account)
        self._parts.refusals.answered(ticket.door, "proof_failed", factor, enforced=True)
        self._parts.events.step_up_failed(ticket.door, ticket.purpose.value, factor, ticket.account, call.caller.origin)
        return self._asked_again(call, failed=True)

    def _asked_again(self, call: PageCall, *, failed: bool = False, sent: bool = False) -> Answer:
        text, form = call.fields.get("challenge", ""), call.fields.get("form", "")[:FORM_CHARS_MAX]
        return self._parts.responses.contact(call.headers, text, form=form, failed=failed, sent=sent)

    def _send_behind(self, ticket: Ticket, network: bytes, language: str) -> None:
        # Beyond the bound nothing is sent, for known and unknown addresses alike; the page says what to do then.
        if len(self._tasks) < SENDING_MAX:
            self._tasks.start(self._send_code(ticket, network, language))

    async def _send_code(self, ticket: Ticket, network: bytes, language: str) -> None:
        address = ticket.account
        factor, send = self._channels.to(address)
        try:
            code = await self._codes.issue(_trial(ticket), now_s=int(self._parts.clock_s()))
            may_send = code is not None and await self._budget.take(address, network)
        except SekishoError as error:
            return log.warning("a code for a sign-up was not sent (%s)", type(error).__name__)
        if code is not None and may_send and send is not None:
            send(address, language, code)
            self._parts.events.code_sent(factor, address)
        elif code is not None and send is not None:
            self._parts.anomaly(OVER_BUDGET)
        return None

    async def aclose(self) -> None:
        """Wait for the tasks that send codes."""
        await self._tasks.ended()


def _trial(ticket: Ticket) -> CodeTrial:
    # Counted by the mailbox: five codes an hour, and ten guesses, with any tag in the address.
    return CodeTrial(ticket.challenge, mailbox_key(ticket.account), behind_right_secret=True, scope=SCOPE)
