"""Codes are posted to a real server: signed, bounded, and never logged."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.stepup.factors.webhook import CodeMessage, CodeQueue, Webhook, WebhookLimits
from tests.stepup.proving import NOW
from tests.talking import Talker, listening

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = b"k" * 32
MESSAGE = CodeMessage("1", "alice\ud800", "12345678", "ja", 10)
QUICK = WebhookLimits(message_s=5, try_s=2, pause_s=0, linger_s=0, close_s=5)


class Gateway(Talker):
    """Answers with each status in turn, then with the last."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self.statuses = list(statuses)
        self.posts: list[tuple[str, bytes]] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"Content-Length: ([0-9]+)", head)
        assert length
        self.posts.append((head, await reader.readexactly(int(length[1]))))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        writer.write(b"HTTP/1.1 %d x\r\n\r\n" % status)
        await writer.drain()


async def posted(gateway: Gateway, *, limits: WebhookLimits = QUICK) -> None:
    async with listening(gateway) as address:
        webhook = Webhook(f"{address}/codes", KEY, limits=limits, clock_s=lambda: NOW)
        webhook.send(MESSAGE)
        await webhook.aclose()


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_code_is_posted_and_signed(status: int) -> None:
    """The header's signature is what a receiver computes over time and body."""
    gateway = Gateway(status)
    await posted(gateway)
    [(head, body)] = gateway.posts
    signed = hmac.new(KEY, f"{NOW}.".encode() + body, "sha256").hexdigest()
    assert json.loads(body) == MESSAGE._asdict()
    assert f"\r\nSekisho-Signature: t={NOW},v1={signed}\r\n" in head
    assert head.startswith("POST /codes HTTP/1.1\r\n")
    assert "\r\nContent-Type: application/json\r\n" in head


async def test_a_fault_is_tried_once_more(caplog: pytest.LogCaptureFixture) -> None:
    """A failed post is repeated once and then given up, and no code is logged."""
    once, always = Gateway(503, 200), Gateway(503)
    await posted(once)
    assert (len(once.posts), caplog.messages) == (2, [])
    await posted(always)
    assert (len(always.posts), caplog.messages) == (2, ["a code was not sent: status 503"])


async def test_a_plain_function_may_send_codes(caplog: pytest.LogCaptureFixture) -> None:
    """A function that is no coroutine function is called, and its code does not count as unsent."""
    sent: list[str] = []

    queue = CodeQueue(lambda message: sent.append(message.code), limits=QUICK)
    queue.send(MESSAGE)
    await queue.aclose()

    assert (sent, caplog.messages) == ([MESSAGE.code], [])


async def test_what_a_hook_raises_is_told_by_its_type_alone(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of a hook is logged by its type alone: its text may hold the code."""

    async def broken(message: CodeMessage) -> None:
        raise RuntimeError(message.code)

    queue = CodeQueue(broken, limits=QUICK)
    queue.send(MESSAGE)
    await queue.aclose()
    assert caplog.messages == ["a code was not sent: RuntimeError"]


async def test_what_waits_is_bounded_and_so_is_closing(caplog: pytest.LogCaptureFixture) -> None:
    """Waiting posts are bounded (the third of two is dropped), and a hanging hook does not delay closing."""
    begun = []

    async def hangs(message: CodeMessage) -> None:
        begun.append(message)
        await asyncio.Event().wait()

    queue = CodeQueue(hangs, limits=QUICK._replace(waiting_max=2, calls_max=1, close_s=0.05))
    for _ in range(3):
        queue.send(MESSAGE)
    assert caplog.messages == ["a code was not sent: no room"]
    await queue.aclose()
    queue.send(MESSAGE)
    assert (len(begun), len(caplog.messages)) == (1, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Webhook("http://gateway.example/", KEY, clock_s=time.time),
        lambda: Webhook("ftp://gateway.example/", KEY, clock_s=time.time),
        lambda: Webhook("https://user:pass@gateway.example/", KEY, clock_s=time.time),
        lambda: Webhook("https://gateway.example/", b"short", clock_s=time.time),
    ],
)
def test_a_webhook_wants_tls_and_a_key(make: Callable[[], Webhook]) -> None:
    """A webhook needs TLS and a key; the errors quote neither."""
    with pytest.raises(ValueError, match=r"must be https|at least 16") as raised:
        make()
    assert "gateway" not in str(raised.value)


def test_messages_print_nothing() -> None:
    """A message's `repr` shows nothing: tracebacks print it."""
    assert repr(MESSAGE) == "CodeMessage(...)"
