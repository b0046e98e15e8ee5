"""The page that a notice links to. It asks: was this you?

Opening it changes nothing, since mail scanners open every link: a button acts. *Yes* closes the question and grants
nothing. *No* ends the trust of the device, the step-ups under way and, by the service's hook, the sessions. Neither
sets a password or a factor: an attacker who reads the owner's mail must gain nothing by the link.
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from sekisho.answer import language_of, prefers_page

if TYPE_CHECKING:
    from sekisho.answer import Answer
    from sekisho.stepup.flow.not_me import NotMe
    from sekisho.stepup.flow.page_call import Handler, PageCall
    from sekisho.stepup.flow.parts import Parts
    from sekisho.stepup.links import NoticeLinks

_ANSWERS: Final = frozenset({"yes", "no"})


class NoticePages:
    """Serves the page and its answer."""

    def __init__(self, parts: Parts, links: NoticeLinks, not_me: NotMe, account_page: str) -> None:
        self._parts = parts
        self._links = links
        self._not_me = not_me
        self._account_page = account_page
        self.routes: dict[tuple[str, str], Handler] = {
            ("GET", "/notice"): self._asked,
            ("POST", "/notice"): self._answered,
        }

    async def _asked(self, call: PageCall) -> Answer:
        return self._page(call, "")

    async def _answered(self, call: PageCall) -> Answer:
        said = call.fields.get("answer", "")
        # A text pasted by hand may be the whole link.
        token = call.fields.get("token", "").strip().rpartition("#")[2]
        question = await self._links.answered(token) if said in _ANSWERS else None
        if question is None:
            return self._page(call, "over", 410)
        self._parts.events.notice_answered(question.kind, said, question.account)
        if said == "no":
            self._not_me(question.account, question.device, call.caller.origin)
        return self._page(call, said)

    def _page(self, call: PageCall, said: str, status: int = 200) -> Answer:
        responses = self._parts.responses
        if said and not prefers_page(call.headers):
            return responses.json(
                call.headers, status, {"answered": said} if status == 200 else {"code": "start_again"}
            )
        page = responses.pages.notice(
            language_of(call.headers), said=said, account_page=self._account_page, nonce=token_urlsafe(16)
        )
        return responses.page(page, status)
