"""A mailer whose clock advances only when it sleeps, and the results of its messages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sekisho.mail import Bounds, Letter, Mailer, Means, SendResult, Service, messages
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sekisho.mail.mailer import Deliver

SHOP = Service("Shop", "shop.example/account")
SENDER = "no-reply@shop.example"
OWNER = "owner.canary@mail.example"
NOW = datetime(2026, 11, 22, 21, 53, 10, tzinfo=UTC)
CODE = "731-CANARY"


def letter(locale: str = "en") -> Letter:
    return messages.code(SHOP, locale, code=CODE, minutes=10)


class FakeTime:
    """Sleeping returns at once and advances the clock."""

    def __init__(self, chance: float = 0.0) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []
        self.asleep = asyncio.Event()
        self.means = Means(clock_s=lambda: self.now_s, now=lambda: NOW, sleep=self.sleep, chance=lambda: chance)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


class Results:
    """The calls of `on_result`."""

    def __init__(self) -> None:
        self.told: list[tuple[str, SendResult]] = []
        self._news = asyncio.Event()

    def __call__(self, kind: str, result: SendResult) -> None:
        self.told.append((kind, result))
        self._news.set()

    async def first(self, count: int = 1) -> list[SendResult]:
        """The first of that many messages."""
        async with asyncio.timeout(60):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return [result for _, result in self.told]


@asynccontextmanager
async def mailer(
    url: str,
    *,
    time: FakeTime | None = None,
    on_result: Callable[[str, SendResult], None] | None = None,
    bounds: Bounds = Bounds(try_s=0.3, close_s=0.5),  # noqa: B008 - frozen
    deliver: Deliver | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Mailer, Results]]:
    results = Results()
    means = (time or FakeTime()).means
    made = Mailer(
        url,
        sender=settings.pop("sender", SENDER),
        ca_file=settings.pop("ca_file", str(CERTIFICATE)),
        means=means if deliver is None else means._replace(deliver=deliver),
        bounds=bounds,
        on_result=on_result or results,
        **settings,
    )
    try:
        yield made, results
    finally:
        await made.aclose()
