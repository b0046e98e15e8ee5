"""Starts and stops an application for a trial, as a server would."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import App, Message

SECONDS_MAX = 60.0


class NotStarted(SekishoError):  # noqa: N818 - a state of the application, not a mistake of ours
    """The application said that it could not start, or said nothing within a minute."""


class _Server:
    """The server's end of a lifespan."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()

    async def run(self, app: App) -> None:
        scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await app(scope, self._incoming.get, self._said.put)
        except Exception:  # noqa: BLE001 - how ASGI says that an application has no use for a lifespan
            await self._said.put({"type": "lifespan.unsupported"})

    async def tell(self, kind: str) -> Message:
        """Send one message to the application, and return its answer."""
        await self._incoming.put({"type": kind})
        async with asyncio.timeout(SECONDS_MAX):
            return await self._said.get()


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Start the application by its lifespan before a block, and shut it down afterwards. Raises `NotStarted`."""
    server = _Server()
    task = asyncio.create_task(server.run(app))
    try:
        try:
            began = await server.tell("lifespan.startup")
        except TimeoutError:
            raise NotStarted("the application has not started within a minute") from None
        if began["type"] == "lifespan.startup.failed":
            raise NotStarted(f"the application did not start: {began.get('message', '')}")
        yield
        if began["type"] == "lifespan.startup.complete":
            await server.tell("lifespan.shutdown")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
