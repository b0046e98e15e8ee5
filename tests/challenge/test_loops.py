"""Requests to other services work on every event loop: the server chooses it, and uvicorn chooses uvloop."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.challenge.captcha import TURNSTILE, CaptchaLimits, Siteverify, Solved
from sekisho.stepup.factors.webhook import CodeMessage, Webhook, WebhookLimits
from sekisho.store.vault import MemoryVault
from tests.challenge.captcha_server import SECRET, siteverify_api
from tests.loops import NewLoop, on_every_loop, run_on
from tests.stepup.test_webhook import KEY, Gateway
from tests.talking import CERTIFICATE, Talker, listening

if TYPE_CHECKING:
    from sekisho.challenge.captcha import Answer

MESSAGE = CodeMessage("1", "alice", "12345678", "ja", 10)


def captcha_at(url: str, *, call_s: float = 20) -> Siteverify:
    vault = MemoryVault(entries_max=10, bytes_max=1 << 20, clock_s=lambda: 1_000.0)
    return Siteverify(
        TURNSTILE,
        SECRET,
        vault,
        url=url,
        hostnames=["shop.example"],
        limits=CaptchaLimits(call_s=call_s),
        clock_s=time.monotonic,
    )


async def checked(*, secure: bool) -> tuple[Answer, Answer]:
    """A captcha's verdict on an earned token and on a made-up one."""
    async with siteverify_api(secure=secure) as api:
        captcha = captcha_at(api.url)
        return await captcha.check(api.earned()), await captcha.check("made.up")


@on_every_loop
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_captcha_is_asked(new_loop: NewLoop, secure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A captcha is checked, solved and unsolved, with TLS and without."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert run_on(new_loop, checked(secure=secure)) == (Solved("turnstile"), False)


@on_every_loop
def test_a_certificate_of_nobody_is_not_believed(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """An untrusted certificate means *could not tell*."""

    async def thrice() -> list[Answer]:
        async with siteverify_api(secure=True) as api:
            captcha = captcha_at(api.url)
            return [await captcha.check(api.earned()) for _ in range(3)]

    assert run_on(new_loop, thrice()) == [None, None, None]
    assert caplog.messages == ["turnstile is not asked for a while: no TLS that can be trusted"]


@on_every_loop
def test_a_host_whose_first_address_leads_nowhere_is_found_by_its_second(
    new_loop: NewLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8305: a first address (IPv6) that refuses or swallows costs a quarter of a second, then the second one is
    used.
    """

    async def asked() -> Answer:
        async with siteverify_api() as api:
            port = int(api.url.split(":")[2].partition("/")[0])

            async def found(*_: object, **__: object) -> list[object]:
                stream = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
                nowhere = (socket.AF_INET6, *stream, ("100::1", port, 0, 0))  # RFC 6666: packets to it are dropped
                return [nowhere, (socket.AF_INET, *stream, ("127.0.0.1", port))]

            monkeypatch.setattr("anyio._core._sockets.getaddrinfo", found)
            captcha = captcha_at(api.url.replace("127.0.0.1", "localhost"))
            return await captcha.check(api.earned())

    assert run_on(new_loop, asked()) == Solved("turnstile")


class Silent(Talker):
    """Takes what is sent and answers nothing."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()


@on_every_loop
def test_a_service_that_says_nothing_is_left_in_time(new_loop: NewLoop) -> None:
    """A silent service is left at the deadline for name, connection and answer together, and nothing stays open."""

    async def asked() -> Answer:
        async with listening(Silent()) as address:
            return await captcha_at(address, call_s=0.05).check("earned")

    assert run_on(new_loop, asked()) is None


@on_every_loop
def test_a_code_is_posted_to_a_webhook(new_loop: NewLoop) -> None:
    """A code is posted once, to the named address."""
    gateway = Gateway(204)

    async def posted() -> None:
        async with listening(gateway) as address:
            webhook = Webhook(f"{address}/codes", KEY, limits=WebhookLimits(linger_s=0), clock_s=time.time)
            webhook.send(MESSAGE)
            await webhook.aclose()

    run_on(new_loop, posted())
    assert [head.partition("\r\n")[0] for head, _ in gateway.posts] == ["POST /codes HTTP/1.1"]
