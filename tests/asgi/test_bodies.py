"""Bodies and streams: read once, bounded, and passed on as they came."""

from __future__ import annotations

import asyncio
import gzip
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.asgi.body_reader import PIECES_MAX, BodyReader, Patience
from sekisho.model import Unreadable
from tests.asgi.driving import (
    FORM,
    JSON,
    Clock,
    Line,
    Shop,
    address,
    answer,
    ask,
    form,
    guarded,
    http,
    log_in,
    pieces,
    read,
)

if TYPE_CHECKING:
    from sekisho.asgi.types import Message, Receive, Scope, Send

BODY = form("hana", "right")
DISCONNECT: Message = {"type": "http.disconnect"}


class Echo:
    """Keeps the messages that an application receives, up to the end of the body."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while not self.messages or self.messages[-1].get("more_body", False):
            self.messages.append(await receive())
        await answer(send, 401)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages)


@given(st.lists(st.integers(0, len(BODY)), max_size=12).map(sorted))
async def test_the_application_gets_the_same_bytes_however_they_were_cut(cuts: list[int]) -> None:
    """Row 56: any chunking, with empty chunks, is read the same and passed on byte for byte."""
    edges = [0, *cuts, len(BODY)]
    chunks = [BODY[start:end] for start, end in pairwise(edges)]
    echo = Echo()

    await ask(guarded(echo), http(), *chunks)

    assert echo.body == BODY


async def test_a_body_in_one_piece_is_passed_on_as_the_very_same_message() -> None:
    """A body in one piece is passed on as the same message: no copy, and its extensions survive."""
    echo, line = Echo(), Line([{"type": "http.request", "body": BODY, "more_body": False, "extra": 1}])
    message = line._incoming[0]

    await guarded(echo)(http(), line.receive, line.send)

    assert len(echo.messages) == 1
    assert echo.messages[0] is message


@pytest.mark.parametrize("empties", [0, 50_000])
async def test_a_body_in_crumbs_is_kept_in_few_pieces(empties: int) -> None:
    """A body in crumbs or empty messages is kept in few pieces: each message weighs hundreds of bytes."""
    echo = Echo()
    crumbs = [BODY[i : i + 1] for i in range(len(BODY))] + [b"x"] * 2_000

    await ask(guarded(echo), http(), *[b""] * empties, *crumbs, b"")

    assert echo.body == BODY + b"x" * 2_000
    assert len(echo.messages) <= PIECES_MAX + 1


async def test_a_compressed_body_reaches_the_application_compressed() -> None:
    """A compressed answer is unpacked for the verdict alone; the client gets the compressed bytes."""
    echo, packed = Echo(), gzip.compress(BODY)

    answered = await ask(guarded(echo), http(headers=[FORM, (b"content-encoding", b"gzip")]), packed)

    assert (answered.status, echo.body) == (401, packed)


async def test_what_is_no_door_is_not_touched_at_all() -> None:
    """Elsewhere than at doors the application gets the server's own scope, receive and send.

    A sample of forms is looked at: `test_unnamed_doors.py`.
    """
    given_: list[Any] = []

    async def app(*ends: Any) -> None:
        given_.extend(ends)

    line, scope = Line([]), http("/report", headers=[(b"content-type", b"text/plain")])
    await guarded(app)(scope, line.receive, line.send)

    assert given_[0] is scope
    assert "state" not in scope
    assert given_[1:] == [line.receive, line.send]


async def test_a_stream_at_a_door_passes_message_by_message() -> None:
    """An answer other than JSON is not judged by its body: each part is sent before the next is made, without a
    copy.
    """
    line, made = Line(pieces(BODY)), list[dict[str, Any]]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        made.append(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
        )
        made.extend({"type": "http.response.body", "body": b"tick", "more_body": n < 2} for n in range(3))
        for n, message in enumerate(made):
            await send(message)
            assert len(line.sent) == n + 1

    await guarded(app)(http(), line.receive, line.send)

    assert all(there is here for there, here in zip(line.sent, made, strict=True))


async def test_json_beyond_the_bound_is_let_go_as_it_is_and_is_no_success() -> None:
    """Row 64: JSON that decides by its body is held up to 64 KiB; a longer one is sent as it is and is no success."""
    line, part = Line(pieces(BODY)), b'{"access_token": "t", "x": "' + b"x" * 40_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        for n in range(4):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            assert len(line.sent) == (0 if n == 0 else n + 2)
        await send({"type": "http.response.body", "body": b'"}'})

    await guarded(app, login="POST /login success=json:token")(http(), line.receive, line.send)

    assert line.answer.body == part * 4 + b'"}'
    assert not line.answer.device


@pytest.mark.parametrize("declared", [True, False])
async def test_an_oversized_body_is_refused_counted_and_hung_up_on(clock: Clock, declared: bool) -> None:
    """Row 54: an oversized body gets 413 at once, is charged like any attempt, and the rest is not read."""
    shop = Shop()
    app = guarded(shop, limit_ip="3/hour", body_bytes_max=2_048)
    headers = [FORM, (b"content-length", b"4096")] if declared else [FORM]
    lines = [Line(pieces(*[b"x" * 1_024] * 4)) for _ in range(4)]

    for line in lines:
        await app(http(headers=headers), line.receive, line.send)
        clock.advance(3)

    assert [line.answer.status for line in lines] == [413, 413, 413, 429]
    assert {line.answer.header(b"connection") for line in lines} == {b"close"}
    assert lines[0].received == (0 if declared else 3)
    assert (await log_in(app)).status == 429
    assert not shop.reached


async def test_over_http_2_nobody_is_told_to_close_the_connection() -> None:
    """Over HTTP/2 no answer has a `Connection` header (RFC 9113 section 8.2.2): it would be malformed."""
    app = guarded(Shop(), body_bytes_max=1_024)

    answered = await ask(app, http(http_version="2"), b"x" * 2_000)

    assert (answered.status, answered.header(b"connection")) == (413, None)


async def test_a_slow_body_ends_at_its_deadline_and_nobody_else_waits() -> None:
    """Row 55: one byte and then silence gets a 408, and other log-ins are not delayed."""
    shop = Shop()
    app = guarded(shop, body_seconds_max=0.1)
    slow = Line([{"type": "http.request", "body": b"u", "more_body": True}], hangs_up=False)
    waiting = asyncio.ensure_future(app(http(client=address(1)), slow.receive, slow.send))
    await slow.starving.wait()

    others = [await log_in(app, client=address(n)) for n in range(2, 5)]

    assert [other.status for other in others] == [303] * 3
    assert not slow.sent
    await waiting
    assert (slow.answer.status, slow.answer.code) == (408, "unreadable_attempt")
    assert slow.answer.header(b"connection") == b"close"
    assert len(shop.reached) == 3


@pytest.mark.parametrize(("by_the_server", "raised"), [(False, Unreadable), (True, asyncio.CancelledError)])
async def test_a_server_that_gives_up_on_a_slow_body_is_not_taken_for_our_deadline(
    by_the_server: bool, raised: type[BaseException]
) -> None:
    """If server and deadline cancel in one turn of the loop, the task ends cancelled: a 408 would keep a server from
    stopping.
    """
    silent = Line([], hangs_up=False)
    patience = Patience(0.0)  # every body that is waited for is late
    reading = asyncio.ensure_future(BodyReader(silent.receive).read(bytes_max=1_024, patience=patience))
    await silent.starving.wait()

    patience._look()
    if by_the_server:
        reading.cancel()

    with pytest.raises(raised):
        await reading


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
@pytest.mark.parametrize("arrived", [[], pieces(BODY, b"")[:1]], ids=["nothing", "all but the end"])
async def test_a_client_that_hangs_up_in_the_middle_never_reaches_the_application(
    arrived: list[Message], mode: str
) -> None:
    """A client that disconnects in the middle never reaches the application: a cut body would be an uncounted
    attempt.
    """
    shop, line = Shop(), Line([*arrived, DISCONNECT])

    await guarded(shop, mode=mode)(http(), line.receive, line.send)

    assert (shop.reached, line.sent) == ([], [])


async def test_an_unreadable_body_reaches_the_application_in_monitor_byte_for_byte() -> None:
    """In `monitor` an unreadable body reaches the application byte for byte."""
    for body in (b"\xff\xfe", b"username=a&username=b&password=c", b"x" * 5_000):
        echo = Echo()

        await ask(guarded(echo, mode="monitor", body_bytes_max=4_096), http(), body[:3], body[3:])

        assert echo.body == body
