"""Cloudflare: a list of addresses of the account, replaced as a whole; a rule of the site blocks what is in it.

The list ends no entry by itself: this program replaces it, and empties it when it ends. Cloudflare works a replacement
off in the background, one at a time.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from sekisho.feed.fronts.http import Request, json_answer
from sekisho.feed.fronts.port import FrontFault, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Change

ID: Final = re.compile(r"[0-9a-f]{32}")
URL: Final = "https://api.cloudflare.com/client/v4"
ASKED_MAX: Final = 60


class Cloudflare:
    """Args:
    url: of the API, without a last slash.
    account, list_id: 32 hex digits each.
    token: an API token that may edit the account's lists.
    every_s: the shortest time between two replacements.
    sleep: waits between two looks at a replacement.
    """

    forgets: Final = False

    def __init__(
        self,
        url: str,
        account: str,
        list_id: str,
        token: str,
        every_s: float,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._lists = f"/accounts/{account}/rules/lists"
        self._items = f"{self._lists}/{list_id}/items"
        self._headers = {"Authorization": f"Bearer {token}"}
        self.every_s = every_s
        self._sleep = sleep

    def steps(self, change: Change) -> list[str]:
        """Return the request that `apply` would send, as text: it replaces the whole list. For `--dry-run`."""
        return [str(self._request(change.wanted))]

    async def begin(self) -> None:
        """Empty Cloudflare's list. Raises `FrontFault`."""
        await self._replace({})

    async def apply(self, change: Change) -> None:
        """Replace the list, if a network is added or removed. Prolonging changes nothing: entries have no end.

        Raises `FrontFault`.
        """
        if change.added or change.removed:
            await self._replace(change.wanted)

    def _request(self, wanted: dict[Network, float]) -> Request:
        return Request("PUT", self._items, [{"ip": shown(network), "comment": "sekisho"} for network in wanted])

    async def _replace(self, wanted: dict[Network, float]) -> None:
        result = await self._ask(self._request(wanted))
        operation = str(result.get("operation_id", ""))
        if not re.fullmatch(r"[0-9A-Za-z-]{1,64}", operation):
            raise FrontFault("Cloudflare names no operation")
        for _ in range(ASKED_MAX):
            found = await self._ask(Request("GET", f"{self._lists}/bulk_operations/{operation}"))
            if found.get("status") == "completed":
                return
            if found.get("status") == "failed":
                raise FrontFault("Cloudflare could not replace the list")
            await self._sleep(1.0)
        raise FrontFault(f"Cloudflare has not replaced the list in {ASKED_MAX} seconds")

    async def _ask(self, request: Request) -> dict[str, Any]:
        answer = await json_answer(self._url, request, self._headers, "Cloudflare")
        result = answer.get("result") if isinstance(answer, dict) and answer.get("success") else None
        if not isinstance(result, dict):
            raise FrontFault(f"Cloudflare refuses {request.method} {request.path}")
        return result
