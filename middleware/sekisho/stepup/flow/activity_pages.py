"""The owner's statement: recent log-ins, with a button that ends the trust of a device, and one that says *not me*.

Access is that of the page of factors: a session bound to the account, and a proof of a moment ago (R4).
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import TYPE_CHECKING

from sekisho.answer import language_of, prefers_page
from sekisho.stepup.log_ins import previous

if TYPE_CHECKING:
    from sekisho.answer import Answer
    from sekisho.stepup.factors import AccountOwner
    from sekisho.stepup.flow.not_me import NotMe
    from sekisho.stepup.flow.page_call import PageCall
    from sekisho.stepup.flow.parts import Parts
    from sekisho.stepup.log_ins import LogIns, RecordedLogIn


class ActivityPages:
    """The steps of the page. `EnrolmentPages` calls them for clients that may see it."""

    def __init__(self, parts: Parts, log_ins: LogIns, not_me: NotMe) -> None:
        self._parts = parts
        self._log_ins = log_ins
        self._not_me = not_me

    async def show(self, call: PageCall, owner: AccountOwner, token: str, notice: str) -> Answer:
        """Return the page of the owner's log-ins, newest first; JSON for a program.

        `token`: shows that a request came from this page. Raises `OwnersError`.
        """
        found = await self._log_ins.recent(owner)
        responses, before = self._parts.responses, previous(found)
        if not prefers_page(call.headers):
            listed, last = [_described(one) for one in found], _described(before) if before is not None else None
            return responses.json(call.headers, 200, {"log_ins": listed, "previous": last, "token": token})
        page = responses.pages.activity(
            language_of(call.headers),
            log_ins=found,
            previous=before,
            token=token,
            notice=notice,
            nonce=token_urlsafe(16),
        )
        return responses.page(page)

    async def end(self, call: PageCall, owner: AccountOwner) -> Answer:
        """End the trust of the device of the chosen log-in, if it is the account's, and return the answer."""
        device = await self._device(call, owner)
        if device:
            self._not_me.end_device(owner.account, device, call.caller.origin)
        return self._done(call, "ended")

    async def deny(self, call: PageCall, owner: AccountOwner) -> Answer:
        """Act on an owner's word that somebody else logged in: end that device's trust and the step-ups under way."""
        self._parts.events.notice_answered("activity", "no", owner.account)
        self._not_me(owner.account, await self._device(call, owner), call.caller.origin)
        return self._done(call, "denied")

    async def _device(self, call: PageCall, owner: AccountOwner) -> bytes:
        chosen = call.fields.get("id", "")
        return next((one.device for one in await self._log_ins.recent(owner) if one.id == chosen), b"")

    def _done(self, call: PageCall, notice: str) -> Answer:
        responses = self._parts.responses
        if prefers_page(call.headers):
            return responses.see_other(f"{call.prefix}{self._parts.mount}/activity?notice={notice}")
        return responses.json(call.headers, 200, {"done": True})


def _described(one: RecordedLogIn) -> dict[str, object]:
    return {
        "id": one.id,
        "at": one.at_s,
        "outcome": one.outcome,
        "browser": one.browser,
        "network": one.network,
        "place": one.place,
        "device": bool(one.device),
    }
