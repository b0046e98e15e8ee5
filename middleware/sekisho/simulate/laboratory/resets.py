"""Resets of owners: each asks for a link, takes it from the mailbox, and sets a password with it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from sekisho.simulate.laboratory.browser import WORK, solution
from sekisho.simulate.laboratory.habits import PATIENCE_S, READ_MAIL_S, STEPS_MAX
from sekisho.simulate.laboratory.site import details

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sekisho.simulate.laboratory.browser import Browser, BrowserAnswer
    from sekisho.simulate.laboratory.results import ResetCounts


class Reset:
    """One reset, in one browser.

    Args:
        browser, where: the owner's, and its address.
        to: the owner's mail address.
        mail: the links that the service has sent, by mail address.
        counts: what the reset adds to.
    """

    def __init__(
        self, browser: Browser, where: str, account: str, to: str, mail: Mapping[str, str], counts: ResetCounts
    ) -> None:
        self._browser = browser
        self._where = where
        self._account = account
        self._to = to
        self._mail = mail
        self._counts = counts
        self._worked = self._waited = 0  # 1: in any of its requests

    async def run(self, password: str) -> bool:
        """Have a link sent, and set `password` with it. Return whether the service has set it."""
        self._counts.begun += 1
        done = await self._followed(password) if await self._asked() else False
        self._counts.done += done
        self._counts.worked += self._worked
        self._counts.waited += self._waited
        return done

    async def _asked(self) -> bool:
        """Ask for a link; whether one has come."""
        before = self._mail.get(self._to)
        ask = partial(self._browser.ask_reset, self._where, self._account, details(self._account), self._to)
        if (await self._sent(ask)).status >= 400:  # 202 by a guard that answers every such request alike
            self._counts.refused += 1
            return False
        await asyncio.sleep(READ_MAIL_S)
        has_come = self._mail.get(self._to) != before
        self._counts.unsent += not has_come
        return has_come

    async def _followed(self, password: str) -> bool:
        confirm = partial(self._browser.confirm_reset, self._where, self._account, self._mail[self._to], password)
        done = (await self._sent(confirm)).is_done
        self._counts.refused += not done
        return done

    async def _sent(self, send: Callable[..., Awaitable[BrowserAnswer]]) -> BrowserAnswer:
        """Send a request, solve what is asked for, and come again after a short wait."""
        answer = await send()
        for _ in range(STEPS_MAX):
            if answer.code == WORK:
                self._worked = 1
                answer = await send(work=solution(answer))
            elif answer.wait_s and answer.wait_s <= PATIENCE_S:
                self._waited = 1
                await asyncio.sleep(answer.wait_s)
                answer = await send()
            else:
                break
        return answer
