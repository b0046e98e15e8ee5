"""The queue accepts messages at once and alike for all, within its bound, and counts every result."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.mail import Bounds, SendResult, messages
from sekisho.mail.relay import RelayFault

from .sending import OWNER, SHOP, FakeTime, Results, letter, mailer
from .servers import SILENCE, faulty_server, real_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.mail.relay import Envelope

NOWHERE = "smtp://127.0.0.1:9"


@pytest.mark.parametrize("to", [OWNER, "", "no address", "\r\n", "x" * 1_000_000, "用户@mail.example"])
async def test_sending_only_queues(to: str) -> None:
    """`send` only queues: no check of the address, no loop step, no connection, no error."""
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results):
        mail.send(to, letter())

        assert [item.to for item in mail._queue] == [to]
        assert mail._queue[0].envelope is None
        assert not results.told


async def test_the_answer_comes_before_the_work() -> None:
    """A random delay separates `send` and the work, so the answer's timing reveals nothing."""
    time = FakeTime(chance=0.75)
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}", time=time) as (mail, results):
        mail.send(OWNER, letter())
        await results.first()

    assert time.slept == [0.75 * Bounds().linger_s]


async def test_the_queue_has_a_bound() -> None:
    """Beyond its bound a message is dropped at once and counted, without waiting."""
    results = Results()
    bounds = Bounds(queue_max=3, try_s=0.1, close_s=0.1)
    async with mailer(NOWHERE, bounds=bounds, on_result=results) as (mail, _):
        for _ in range(5):
            mail.send(OWNER, letter())

        assert results.told == [("code", SendResult.DROPPED)] * 2
        assert len(mail._queue) == 3


async def test_the_queue_keeps_its_bound_while_a_relay_is_silent() -> None:
    """A silent relay fills the queue and nothing else."""
    bounds = Bounds(queue_max=10, try_s=5, close_s=0.1)
    async with (
        faulty_server({"greeting": SILENCE}) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", bounds=bounds) as (mail, results),
    ):
        mail.send(OWNER, letter())
        await server.reached.wait()
        for _ in range(500):
            mail.send(OWNER, letter())

        assert len(mail._queue) == 10
        assert results.told == [("code", SendResult.DROPPED)] * 490


async def test_closing_sends_what_waits() -> None:
    """Closing tries all queued messages first, without their random delays."""
    time = FakeTime(chance=0.9)
    async with real_server() as server:
        async with mailer(f"smtp://127.0.0.1:{server.port}", time=time) as (mail, results):
            mail.send(OWNER, letter())
            mail.send(OWNER, letter("ja"))

        assert results.told == [("code", SendResult.SENT)] * 2
        assert len(server.received) == 2


async def test_closing_ends_in_time() -> None:
    """Closing ends in time with a silent relay; remaining messages count as dropped."""
    bounds = Bounds(try_s=60, close_s=0.1)
    async with faulty_server({"greeting": SILENCE}) as server, asyncio.timeout(2):
        async with mailer(f"smtp://127.0.0.1:{server.port}", bounds=bounds) as (mail, results):
            for _ in range(3):
                mail.send(OWNER, letter())
            await server.reached.wait()

        assert results.told == [("code", SendResult.DROPPED)] * 3


async def test_closing_tries_once() -> None:
    """Closing tries each message once, without a second try."""
    bounds = Bounds(backoff_s=(1, 5), close_s=2)
    async with faulty_server({"RCPT": b"450 later"}) as server:
        async with mailer(f"smtp://127.0.0.1:{server.port}", bounds=bounds) as (mail, results):
            mail.send(OWNER, letter())

        assert results.told == [("code", SendResult.EXPIRED)]
        assert server.connections == 1


async def test_closing_an_idle_mailer_takes_no_time() -> None:
    """Closing an idle mailer, or one whose messages wait for their delay, takes no time."""
    time = FakeTime()

    async def for_ever(seconds: float) -> None:
        time.asleep.set()
        await asyncio.Event().wait()

    bounds = Bounds(close_s=60)
    async with real_server() as server, asyncio.timeout(2):
        async with mailer(NOWHERE, bounds=bounds) as (mail, results):
            await asyncio.sleep(0)
        time.means = time.means._replace(sleep=for_ever, chance=lambda: 0.5)
        async with mailer(f"smtp://127.0.0.1:{server.port}", bounds=bounds, time=time) as (mail, results):
            mail.send(OWNER, letter())
            await time.asleep.wait()

        assert results.told == [("code", SendResult.SENT)]


async def test_closing_twice_and_sending_afterwards_do_no_harm() -> None:
    """Messages after closing are dropped and counted, and closing twice is harmless."""
    async with mailer(NOWHERE) as (mail, results):
        await asyncio.gather(mail.aclose(), mail.aclose())
        await mail.aclose()
        mail.send(OWNER, letter())

        assert results.told == [("code", SendResult.DROPPED)]


def said(caplog: pytest.LogCaptureFixture) -> str:
    """All log text except the test server's own."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name != "mail.log")


async def test_a_metric_that_fails_costs_nobody_his_code(caplog: pytest.LogCaptureFixture) -> None:
    """A failing metric reaches neither the caller of `send` nor the next message, and its text is not logged."""

    def broken(kind: str, result: SendResult) -> None:
        raise RuntimeError("canary")

    async with real_server() as server:
        async with mailer(f"smtp://127.0.0.1:{server.port}", on_result=broken) as (mail, _):
            mail.send("no address", letter())
            mail.send(OWNER, letter())
        assert len(server.received) == 1
    assert "counting mail failed: RuntimeError" in caplog.text
    assert "canary" not in said(caplog)


async def test_a_mistake_of_ours_costs_one_message_only(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in one message does not end the task, and its log line has the kind of error alone."""
    broken = messages.Letter("code", "en", "two\r\nlines", ("canary",))
    caplog.set_level(logging.DEBUG, "sekisho")
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results):
        mail.send(OWNER, broken)
        mail.send(OWNER, letter())

        assert await results.first(2) == [SendResult.REFUSED, SendResult.SENT]
    assert "ValueError" in caplog.text
    assert "canary" not in said(caplog)


ANSWERS = st.sampled_from([b"250 ok", b"450 later", b"550 no"])


@settings(max_examples=25)
@given(
    answers=st.lists(ANSWERS, min_size=1, max_size=12),
    addresses=st.lists(st.sampled_from([OWNER, "second@mail.example", "no address"]), max_size=8),
    queue_max=st.integers(1, 8),
    closing=st.booleans(),
)
async def test_every_message_comes_to_exactly_one_end(
    answers: Sequence[bytes], addresses: Sequence[str], queue_max: int, *, closing: bool
) -> None:
    """Each message gets exactly one true result, for any answers of the relay, any number and any end."""
    bounds = Bounds(queue_max=queue_max, try_s=2, close_s=2)
    async with faulty_server({"RCPT": list(answers)}) as server:
        async with mailer(f"smtp://127.0.0.1:{server.port}", bounds=bounds) as (mail, results):
            for to in addresses:
                mail.send(to, letter())
            if not closing:
                await results.first(len(addresses))
        ends = Counter(result for _, result in results.told)

        assert ends.total() == len(addresses)
        assert ends[SendResult.SENT] == len(server.taken)
        assert ends[SendResult.DROPPED] == max(0, len(addresses) - queue_max)


async def test_each_kind_is_counted_as_itself() -> None:
    """A metric tells notices from codes."""
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results):
        mail.send(OWNER, messages.factor_reset_asked(SHOP, "ja", when_effective=datetime(2026, 8, 1, tzinfo=UTC)))
        await results.first()
        mail.send(OWNER, letter())  # by now the worker waits for work
        await results.first(2)

    assert results.told == [("factor_reset_asked", SendResult.SENT), ("code", SendResult.SENT)]


# One connection that hangs, and one relay that defers.


async def test_a_connection_that_hangs_holds_up_nobody_elses_code() -> None:
    """While three connections hang the next code is sent long before."""
    ended, tries = asyncio.Event(), []

    async def deliver(_place: object, _tls: object, envelope: Envelope, *, limit_s: float) -> None:
        tries.append(envelope)
        if len(tries) <= 3:
            await ended.wait()

    async with mailer("smtp+plain://127.0.0.1:9", deliver=deliver) as (mail, results):
        for _ in range(5):
            mail.send(OWNER, letter())
        assert await results.first(2) == [SendResult.SENT] * 2
        ended.set()
        assert await results.first(5) == [SendResult.SENT] * 5


async def test_no_more_than_four_are_under_way() -> None:
    """At most four messages are under way: relays limit connections per client."""
    ended, under_way, most = asyncio.Event(), 0, 0

    async def deliver(*_: object, limit_s: float) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await ended.wait()
        under_way -= 1

    async with mailer("smtp+plain://127.0.0.1:9", deliver=deliver) as (mail, results):
        for _ in range(20):
            mail.send(OWNER, letter())
        while under_way < 4:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        ended.set()
        assert await results.first(20) == [SendResult.SENT] * 20
    assert most == 4


async def test_a_relay_that_puts_off_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """A deferring relay is logged at its first 4xx, and again after it has accepted one: a late code is useless."""
    off, unreachable = RelayFault("status 451", passing=True), RelayFault("no connection", passing=True)
    answers: list[RelayFault | None] = [off, off, None, None, unreachable, None]

    async def deliver(*_: object, limit_s: float) -> None:
        if (fault := answers.pop(0)) is not None:
            raise fault

    async with mailer("smtp+plain://127.0.0.1:9", deliver=deliver) as (mail, results):
        mail.send(OWNER, letter())
        await results.first(1)
        mail.send(OWNER, letter())
        await results.first(2)
        mail.send(OWNER, letter())
        assert await results.first(3) == [SendResult.SENT] * 3
    assert caplog.messages == [
        "the mail relay defers messages, which are tried again: status 451",
        "the mail relay defers messages, which are tried again: no connection",
    ]
