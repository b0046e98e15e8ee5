"""Codes for a sender of the service's own: an address that codes are posted to, or a function that takes them.

Queued in one step, like mail, and for the same reason: `send` is called where a password was right and not where it
was wrong. What takes time comes at a moment of the following half second that nobody can guess.

What is posted is signed, with its time: a receiver that checks neither would send text messages for anybody.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from hmac import new as hmac
from random import SystemRandom
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.https_post import JSON, HttpsPost, PostFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger("sekisho.webhook")

SIGNATURE = "Sekisho-Signature"
KEY_BYTES_MIN = 16
_ANSWER_BYTES_MAX = 16 << 10
_CHANCE = SystemRandom().random


class CodeMessage(NamedTuple):
    """A code and whom it is for.

    Attributes:
        account_id: what enrolments hang on.
        account: exactly as the application reads it.
        code: what is to be typed.
        locale: as the service keeps it, or nothing.
        minutes: how long it is good for.
    """

    account_id: str
    account: str
    code: str
    locale: str
    minutes: int

    def __repr__(self) -> str:
        # Error reporters print the values of a frame.
        return "CodeMessage(...)"


CodeHook: TypeAlias = "Callable[[CodeMessage], Awaitable[None]]"
"""Sends a code in the service's own way."""


class WebhookLimits(NamedTuple):
    """Every bound, with its reason.

    Attributes:
        waiting_max: messages that wait or are under way; more are dropped.
        calls_max: at once. A gateway for text messages takes some tens a second.
        message_s: from `send` to giving up; nobody waits longer before he asks for another code.
        try_s: for one try.
        pause_s: before the second try; there is no third.
        linger_s: the first try comes by chance within this time.
        close_s: what `aclose` waits for those under way.
    """

    waiting_max: int = 1_000
    calls_max: int = 8
    message_s: float = 30
    try_s: float = 10
    pause_s: float = 1
    linger_s: float = 0.5
    close_s: float = 5


class Outbox:
    """Hands messages to a function, each in a task with an end. Belongs to one event loop.

    Args:
        deliver: what takes them. A `PostFault` is tried once more; any other error is the end of the message.
        limits: see there.
        chance: from 0 up to 1.
    """

    def __init__(
        self,
        deliver: CodeHook,
        *,
        limits: WebhookLimits = WebhookLimits(),  # noqa: B008 - frozen
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        self._deliver = deliver
        self._limits = limits
        self._chance = chance
        self._places = asyncio.Semaphore(limits.calls_max)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def send(self, message: CodeMessage) -> None:
        """Queue a message, or drop it where there is no room. Neither waits nor raises."""
        if self._closed or len(self._tasks) >= self._limits.waiting_max:
            log.warning("a code was not sent: no room")
            return
        task = asyncio.create_task(self._run(message), name="sekisho code")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Wait for what is under way, for a bounded time, and drop the rest."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.close_s)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, message: CodeMessage) -> None:
        try:
            async with asyncio.timeout(self._limits.message_s):
                await asyncio.sleep(self._limits.linger_s * self._chance())
                await self._tried(message)
        except PostFault as fault:
            log.warning("a code was not sent: %s", fault.reason)
        except Exception as error:  # noqa: BLE001 - whatever a hook raises, it may hold the code: only its type is told
            log.warning("a code was not sent: %s", type(error).__name__)

    async def _tried(self, message: CodeMessage) -> None:
        try:
            return await self._one_try(message)
        except PostFault:
            # Others are tried meanwhile: the place is free again.
            await asyncio.sleep(self._limits.pause_s)
        return await self._one_try(message)

    async def _one_try(self, message: CodeMessage) -> None:
        async with self._places, asyncio.timeout(self._limits.try_s):
            await self._deliver(message)


class Webhook:
    """Posts codes to an address of the service's.

    The body is JSON: `account_id`, `account`, `code`, `locale`, `minutes`. The header `Sekisho-Signature` reads
    `t=<Unix time>,v1=<hex>`: HMAC-SHA256 with the key over time, a full stop and the body.

    Args:
        url: https; http for this machine's own address alone.
        key: at least 16 bytes, which the receiver has too.
        limits: see there.
        clock_s: Unix time.
        chance: from 0 up to 1.

    Raises:
        ValueError: another URL, or too short a key. The text holds no part of them.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        limits: WebhookLimits = WebhookLimits(),  # noqa: B008 - frozen
        clock_s: Callable[[], float] = time.time,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise ValueError(f"a webhook's key has at least {KEY_BYTES_MIN} bytes")
        self._key = key
        self._clock_s = clock_s
        self._try_s = limits.try_s
        self._wire = HttpsPost(url, content_type=JSON, answer_bytes_max=_ANSWER_BYTES_MAX)
        self._outbox = Outbox(self._post, limits=limits, chance=chance)

    def send(self, message: CodeMessage) -> None:
        """Queue a message, or drop it where there is no room. Neither waits nor raises."""
        self._outbox.send(message)

    async def aclose(self) -> None:
        await self._outbox.aclose()

    async def _post(self, message: CodeMessage) -> None:
        body = json.dumps(message._asdict()).encode()
        signature = sign(self._key, body, int(self._clock_s()))
        await self._wire.tell(body, {SIGNATURE: signature}, limit_s=self._try_s)


def sign(key: bytes, body: bytes, now_s: int) -> str:
    """The header's value."""
    return f"t={now_s},v1={hmac(key, f'{now_s}.'.encode() + body, 'sha256').hexdigest()}"
