"""Hands codes to the service's own sender: posts them to a URL, or passes them to a function.

Like mail, a message is queued in one step: `send` is called if a password was right and not if it was wrong, so its
time must not show. The slow part begins at a random moment of the following half second.

The request is signed together with its time. A receiver that checks neither would send text messages for any client.
"""

from __future__ import annotations

import asyncio
import json
import logging
from hmac import new as hmac
from random import SystemRandom
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.https_post import JSON, HttpsPost, PostFault
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger("sekisho.webhook")

SIGNATURE = "Sekisho-Signature"
KEY_BYTES_MIN = 16
_ANSWER_BYTES_MAX = 16 << 10
CHANCE = SystemRandom().random


class CodeMessage(NamedTuple):
    """A code and its recipient.

    Attributes:
        account_id: the id that the enrolments belong to; empty at a sign-up, for an account that does not exist yet.
        account: exactly as the application reads it; at a sign-up the address or number that the code is for.
        code: the code that the owner types.
        locale: as the service stores it, or empty.
        minutes: lifetime of the code.
    """

    account_id: str
    account: str
    code: str
    locale: str
    minutes: int

    def __repr__(self) -> str:
        # Error reporters print local variables.
        return "CodeMessage(...)"


CodeHook: TypeAlias = "Callable[[CodeMessage], Awaitable[None] | None]"
"""A function of the service that sends a code. A plain function must not block: it runs on the event loop."""


class WebhookLimits(NamedTuple):
    """Every bound, with its reason. Times are in seconds.

    Attributes:
        waiting_max: messages that wait or are being sent; further ones are dropped.
        calls_max: calls at once. A gateway for text messages takes some tens a second.
        message_s: limit from `send` to giving up; no owner waits longer before asking for another code.
        try_s: limit for one try.
        pause_s: pause before the second try; there is no third.
        linger_s: the first try starts at a random moment within this time.
        close_s: how long `aclose` waits for messages that are being sent.
    """

    waiting_max: int = 1_000
    calls_max: int = 8
    message_s: float = 30
    try_s: float = 10
    pause_s: float = 1
    linger_s: float = 0.5
    close_s: float = 5


class CodeQueue:
    """Hands messages to a function, each in a task with a time limit. Belongs to one event loop.

    Args:
        deliver: takes the messages. After a `PostFault` it is called once more; any other error drops the message.
        limits: see `WebhookLimits`.
        chance: random numbers from 0 up to 1.
    """

    def __init__(
        self,
        deliver: CodeHook,
        *,
        limits: WebhookLimits = WebhookLimits(),  # noqa: B008 - frozen
        chance: Callable[[], float] = CHANCE,
    ) -> None:
        self._deliver = deliver
        self._limits = limits
        self._chance = chance
        self._places = asyncio.Semaphore(limits.calls_max)
        self._tasks = TaskSet()
        self._closed = False

    def send(self, message: CodeMessage) -> None:
        """Queue a message, or drop it if there is no room. Neither waits nor raises."""
        if self._closed or len(self._tasks) >= self._limits.waiting_max:
            log.warning("a code was not sent: no room")
            return
        self._tasks.start(self._run(message), name="sekisho code")

    async def aclose(self) -> None:
        """Wait for the pending messages, for a bounded time, and drop the rest."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks.running, timeout=self._limits.close_s)
        await self._tasks.cancel()

    async def _run(self, message: CodeMessage) -> None:
        try:
            async with asyncio.timeout(self._limits.message_s):
                await asyncio.sleep(self._limits.linger_s * self._chance())
                await self._tried(message)
        except PostFault as fault:
            log.warning("a code was not sent: %s", fault.reason)
        except Exception as error:  # noqa: BLE001 - a hook's error may contain the code: only its type is logged
            log.warning("a code was not sent: %s", type(error).__name__)

    async def _tried(self, message: CodeMessage) -> None:
        try:
            return await self._one_try(message)
        except PostFault:
            # Other messages use the place during the pause.
            await asyncio.sleep(self._limits.pause_s)
        return await self._one_try(message)

    async def _one_try(self, message: CodeMessage) -> None:
        async with self._places, asyncio.timeout(self._limits.try_s):
            sending = self._deliver(message)
            if sending is not None:
                await sending


class Webhook:
    """Posts codes to a URL of the service.

    The body is JSON: `account_id`, `account`, `code`, `locale`, `minutes`. The header `Sekisho-Signature` reads
    `t=<Unix time>,v1=<hex>`: HMAC-SHA256 with the key over time, a full stop and the body.

    Args:
        url: https; http is allowed only for loopback addresses.
        key: at least 16 bytes, shared with the receiver.
        limits: see `WebhookLimits`.
        clock_s: Unix time in seconds.

    Raises:
        ValueError: another URL, or too short a key. The text contains no part of either.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        limits: WebhookLimits = WebhookLimits(),  # noqa: B008 - frozen
        clock_s: Callable[[], float],
    ) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise ValueError(f"a webhook's key has at least {KEY_BYTES_MIN} bytes")
        self._key = key
        self._clock_s = clock_s
        self._try_s = limits.try_s
        self._wire = HttpsPost(url, content_type=JSON, answer_bytes_max=_ANSWER_BYTES_MAX)
        self._queue = CodeQueue(self._post, limits=limits)

    def send(self, message: CodeMessage) -> None:
        """Queue a message, or drop it if there is no room. Neither waits nor raises."""
        self._queue.send(message)

    async def aclose(self) -> None:
        await self._queue.aclose()

    async def _post(self, message: CodeMessage) -> None:
        body = json.dumps(message._asdict()).encode()
        signature = sign(self._key, body, int(self._clock_s()))
        await self._wire.tell(body, {SIGNATURE: signature}, limit_s=self._try_s)


def sign(key: bytes, body: bytes, now_s: int) -> str:
    """Return the value of the header `Sekisho-Signature` for a body that is sent at `now_s`, Unix time in seconds."""
    return f"t={now_s},v1={hmac(key, f'{now_s}.'.encode() + body, 'sha256').hexdigest()}"
