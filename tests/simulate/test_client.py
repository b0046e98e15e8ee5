"""The HTTP client, with well-behaved and faulty servers."""

from __future__ import annotations

import pytest

from sekisho.simulate.client import BODY_BYTES_MAX, Client, HttpAnswer, Unanswered, login_request
from sekisho.simulate.engine import Jar
from tests.simulate.serving import serving
from tests.simulate.tries import a_try

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_connection_is_kept() -> None:
    """A connection is kept, or handshakes would be measured."""
    async with serving(OK, OK, OK) as server, Client(server.port) as client:
        answers = [await client.send(login_request(a_try())) for _ in range(3)]
    assert [answer.body for answer in answers] == [b"ok"] * 3
    assert server.connections == 1


async def test_a_connection_that_the_server_closes_is_opened_anew() -> None:
    """After `Connection: close` the next request gets a new connection."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with serving(closing, OK) as server, Client(server.port) as client:
        await client.send(login_request(a_try()))
        assert (await client.send(login_request(a_try()))).body == b"ok"
    assert server.connections == 2


async def test_a_connection_that_rested_is_opened_anew() -> None:
    """A connection that was idle is not used again: the server may close it while the request is on its way."""
    async with serving(OK, OK) as server, Client(server.port, idle_s_max=0) as client:
        answers = [await client.send(login_request(a_try())) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"ok"] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1) + b"x" * (BODY_BYTES_MAX + 1),
    ],
    ids=["hangs up", "is no HTTP", "never stops"],
)
async def test_a_server_that_misbehaves_is_an_unanswered_try_and_no_crash(answer: bytes) -> None:
    """A faulty answer counts as an unanswered try; its request is not repeated, and the next one is sent."""
    async with serving(answer, OK) as server, Client(server.port) as client:
        with pytest.raises(Unanswered):
            await client.send(login_request(a_try()))
        assert (await client.send(login_request(a_try()))).body == b"ok"
    assert len(server.requests) == 2


async def test_a_dead_service_leaves_every_try_unanswered() -> None:
    """With the service dead every remaining try is unanswered at once."""
    async with serving() as server:
        port = server.port
    with pytest.raises(Unanswered):
        await Client(port).send(login_request(a_try()))


def test_a_log_in_looks_as_a_proxy_hands_it_on() -> None:
    """A log-in is sent as a proxy passes it on: form, length, client address in the usual header."""
    request = login_request(a_try(address="248.1.2.3", user_agent="a bot", account="o'neill&co"), cookie="device=d")
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert body == b"username=o%27neill%26co&password=pa55word"
    assert lines[0] == b"POST /login HTTP/1.1"
    assert {b"X-Forwarded-For: 248.1.2.3", b"User-Agent: a bot", b"Cookie: device=d"} <= set(lines)
    assert b"Content-Length: %d" % len(body) in lines


def test_cookies_are_read_without_their_attributes() -> None:
    """Two `Set-Cookie` headers are two cookies."""
    headers = ((b"set-cookie", b"session=s; HttpOnly; Path=/"), (b"set-cookie", b"__Host-d=a=b; Secure"))
    assert HttpAnswer(303, headers, b"").cookies() == {"session": "s", "__Host-d": "a=b"}


def test_a_known_browser_sends_what_made_it_known_but_no_old_session() -> None:
    """A known browser sends its device cookie and no old session, which has ended by then."""
    jar, attempt = Jar(), a_try(owner=4, honest=True, known_device=True)
    jar.keep(
        attempt, HttpAnswer(303, ((b"set-cookie", b"session=s"), (b"set-cookie", b"__Host-sekisho=t; Secure")), b"")
    )
    assert jar.cookie(attempt) == "__Host-sekisho=t"


def test_a_browser_that_is_not_known_keeps_nothing() -> None:
    """An unknown browser, such as a private window, keeps nothing."""
    jar, attempt = Jar(), a_try(owner=4, honest=True)
    jar.keep(attempt, HttpAnswer(303, ((b"set-cookie", b"__Host-sekisho=t"),), b""))
    assert jar.cookie(attempt) == jar.cookie(a_try(owner=4, honest=True, known_device=True)) == ""
