"""Failures of a relay: temporary ones are retried, permanent ones are not, and every wait ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback

import pytest

from sekisho.mail import Bounds, SendResult
from sekisho.mail.address import address
from sekisho.mail.compose import compose
from sekisho.mail.relay import Envelope, RelayFault, deliver, relay, tls_context

from .sending import CODE, NOW, OWNER, FakeTime, letter, mailer
from .servers import DRIP, FLOOD, HANG_UP, RESET, SILENCE, faulty_server

STEPS = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"]
# A permanent refusal of EHLO is answered with HELO, so it does not end the try.
FINAL_STEPS = [step for step in STEPS if step != "EHLO"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("reply", [b"451 later", b"421 going down", HANG_UP, RESET], ids=["451", "421", "end", "reset"])
async def test_a_temporary_failure_is_retried(step: str, reply: bytes) -> None:
    """A temporary failure at any step is retried, and the owner gets one message."""
    time = FakeTime()
    # Greylisting may hit EHLO: the library then says HELO and gets the same answer.
    replies: dict[str, bytes | list[bytes]] = {step: [reply, b"250 ok"]}
    if step == "greeting":
        replies = {step: [reply, b"220 relay.example"]}
    elif step == "DATA":
        replies = {step: [reply, b"354 go on"]}
    elif step == "EHLO":
        replies |= {"HELO": reply}
    async with (
        faulty_server(replies) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", time=time) as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.SENT]
        assert server.connections == 2
        assert 1 in time.slept


@pytest.mark.parametrize("step", FINAL_STEPS)
@pytest.mark.parametrize("reply", [b"550 no", b"554 never", b"500 what?"])
async def test_what_is_refused_for_good_is_not_tried_again(step: str, reply: bytes) -> None:
    """A permanent refusal (5xx) is not retried: relays count retries as abuse."""
    async with faulty_server({step: reply}) as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.REFUSED]
        assert server.connections == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("reply", [b"451 later", HANG_UP], ids=["451", "end"])
async def test_tries_are_few(step: str, reply: bytes) -> None:
    """There are three tries, a second and five seconds apart."""
    time = FakeTime()
    replies: dict[str, bytes | list[bytes]] = {step: reply, "HELO": reply}
    async with (
        faulty_server(replies) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", time=time) as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.EXPIRED]
        assert server.connections == 3
        assert [seconds for seconds in time.slept if seconds] == [1, 5]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "reply", [SILENCE, DRIP, FLOOD, b"\xff\xfe\x00 garbage"], ids=["silence", "drip", "flood", "?"]
)
async def test_no_answer_holds_the_worker_longer_than_a_try(step: str, reply: bytes) -> None:
    """A black hole, a slow drip, an endless line or nonsense costs its try, and the next one follows."""
    replies: dict[str, bytes | list[bytes]] = {step: reply, "HELO": reply}
    bounds = Bounds(try_s=0.15, backoff_s=(), close_s=0.5)
    async with (
        faulty_server(replies) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", bounds=bounds) as (mail, results),
    ):
        mail.send(OWNER, letter())
        mail.send(OWNER, letter())

        async with asyncio.timeout(2):
            assert await results.first(2) == [SendResult.EXPIRED, SendResult.EXPIRED]
        assert server.connections == 2


@pytest.mark.parametrize("goodbye", [SILENCE, HANG_UP, RESET, b"500 what?", b"421 go"])
async def test_taken_is_taken_whatever_the_good_bye(goodbye: bytes) -> None:
    """A message that the server has accepted is never sent again, even if the server's last answer fails."""
    async with faulty_server({"QUIT": goodbye}) as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.SENT]
        assert len(server.taken) == 1


async def test_a_message_sent_twice_is_seen_to_be_one() -> None:
    """A message cut off after the last byte may have been accepted: its second copy has the same message id."""
    async with (
        faulty_server({"end": [HANG_UP, b"250 ok"]}) as server,
        mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.SENT]
        assert server.taken[0] == server.taken[1]


async def test_a_relay_that_is_down_is_given_up_in_time() -> None:
    """A relay that is down is tried, and given up in time."""
    async with faulty_server({}) as server:
        port = server.port
    async with mailer(f"smtp://127.0.0.1:{port}") as (mail, results):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.EXPIRED]


async def test_one_mailbox_that_says_later_holds_up_nobody() -> None:
    """While one mailbox waits for its second try, other codes are sent."""
    time = FakeTime()
    async with (
        faulty_server({"RCPT": [b"450 later", b"250 ok"]}) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", time=time) as (mail, results),
    ):
        mail.send("slow@mail.example", letter())
        mail.send(OWNER, letter())

        assert await results.first(2) == [SendResult.SENT, SendResult.SENT]
    assert b"To: owner.canary@mail.example" in server.taken[0]
    assert b"To: slow@mail.example" in server.taken[1]


async def test_a_late_message_is_not_sent() -> None:
    """A late code is not sent: its owner has asked for the next."""
    time = FakeTime()
    bounds = Bounds(message_s=60, try_s=0.3, backoff_s=(61, 1), close_s=0.5)
    async with (
        faulty_server({"RCPT": [b"450 later", b"250 ok"]}) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", time=time, bounds=bounds) as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.EXPIRED]
        assert server.connections == 1
        assert 1 not in time.slept


@pytest.mark.parametrize("reply", [b"550 <canary@mail.example>", b"450 <canary@mail.example>", HANG_UP])
async def test_a_fault_holds_nothing_of_what_it_is_about(reply: bytes) -> None:
    """A fault holds nothing of its message, in its causes neither: error reporters print them."""
    to = address("canary@mail.example")
    message = compose(letter(), sender=to, sender_name="", to=to, now=NOW, token="t")
    async with faulty_server({"RCPT": reply}) as server:
        with pytest.raises(RelayFault) as error:
            await deliver(relay(f"smtp://127.0.0.1:{server.port}"), tls_context(), Envelope(to, to, message), limit_s=1)
    assert "canary" not in "".join(traceback.format_exception(error.value))
    assert repr(Envelope(to, to, message)) == "Envelope(…)"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "reply", [b"550 <owner.canary@mail.example> 731-CANARY", b"450 <owner.canary@mail.example>", HANG_UP, SILENCE]
)
async def test_nothing_leaks_into_logs(caplog: pytest.LogCaptureFixture, step: str, reply: bytes) -> None:
    """No log, the loop's included, has address, code or relay, although servers repeat them."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(enabled=True)
    replies: dict[str, bytes | list[bytes]] = {step: reply}
    bounds = Bounds(try_s=0.1, backoff_s=(1,), close_s=0.5)
    async with (
        faulty_server(replies) as server,
        mailer(f"smtp://relay.user@127.0.0.1:{server.port}", password="relay-secret", bounds=bounds) as (mail, results),
    ):
        mail.send(OWNER, letter())
        mail.send("no.owner.canary\r\n@x", letter())
        await results.first(2)
        told = [repr(mail), repr(letter()), repr(mail._relay), repr(mail._queue), repr(mail._task), repr(mail._sender)]
    gc.collect()

    log = "\n".join(record.getMessage() + str(record.exc_info) + str(record.args) for record in caplog.records)
    assert "was not sent" in log
    for secret in ("canary", CODE, "relay.user", "relay-secret", "no-reply"):
        assert secret not in log
        assert not any(secret in text for text in told)
