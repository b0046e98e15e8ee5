"""The page of metrics at an address of its own, which one worker holds."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sekisho.asgi.metrics_listener import MetricsListener, ensure_usable
from sekisho.asgi.metrics_page import MetricsPage
from sekisho.model import SettingsError
from sekisho.settings.listening import listening
from tests.asgi.driving import Shop, ask, guarded, http, log_in
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "a-token-of-forty-characters-for-the-test"
AUTHORIZED = b"authorization: Bearer " + TOKEN.encode() + b"\r\n"


async def asked(port: int, request: bytes) -> bytes:
    """The whole answer to a request; waits for a listener."""
    for _ in range(400):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def write(_accept: str) -> tuple[bytes, str]:
    return b"sekisho_up 1\n", "text/plain"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A listener alone."""
    port = free_port()
    listener = MetricsListener("127.0.0.1", port, MetricsPage("", TOKEN.encode(), write))
    running = asyncio.create_task(listener.run())
    yield port
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_page_is_at_its_address_and_no_longer_below_the_mount() -> None:
    """A request with the token gets the counts there; on the service's own port the application answers."""
    port = free_port()
    guard = guarded(Shop(), metrics_token=TOKEN, metrics_listen=f"127.0.0.1:{port}")
    await log_in(guard)
    answer = await asked(port, b"GET /metrics HTTP/1.1\r\nhost: a\r\n" + AUTHORIZED + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'sekisho_attempts_total{action="allow",door="POST /login"} 1.0' in answer
    below = await ask(
        guard, http("/sekisho/metrics", method="GET", headers=[(b"authorization", b"Bearer " + TOKEN.encode())])
    )
    assert below.body == b"welcome"
    await guard._stop()
    ensure_usable("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        pass  # nothing listens there any more


async def test_the_token_is_asked_for_on_loopback(port: int) -> None:
    """Other users of the machine reach loopback too."""
    answer = await asked(port, b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"sekisho_up" not in answer


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET /metrics?x=1 HTTP/1.1", b"200"), (b"POST /metrics HTTP/1.1", b"404"), (b"GET /a/metric HTTP/1.1", b"404")],
)
async def test_nothing_else_is_there(request_line: bytes, status: bytes, port: int) -> None:
    answer = await asked(port, request_line + b"\r\n" + AUTHORIZED + b"\r\n")
    assert answer.split(b" ")[1] == status


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET /metrics HTTP/1.1\r\na: " + b"b" * 70_000])
async def test_a_request_that_cannot_be_read_is_hung_up_on(request_: bytes, port: int) -> None:
    """It is not answered, and the listener lives on."""
    with suppress(ConnectionResetError):  # it hung up before it had read all
        assert await asked(port, request_) == b""
    assert b"200 OK" in await asked(port, b"GET /metrics HTTP/1.1\r\n" + AUTHORIZED + b"\r\n")


async def test_another_worker_follows_when_the_one_that_listens_ends() -> None:
    """One listens at a time, and the other takes the address over."""
    port = free_port()

    def worker(name: bytes) -> asyncio.Task[None]:
        async def named(_accept: str) -> tuple[bytes, str]:
            return name, "text/plain"

        page = MetricsPage("", TOKEN.encode(), named)
        return asyncio.create_task(MetricsListener("127.0.0.1", port, page, again_s=0.01).run())

    request = b"GET /metrics HTTP/1.1\r\n" + AUTHORIZED + b"\r\n"
    one = worker(b"one")
    assert (await asked(port, request)).endswith(b"\r\n\r\none")
    other = worker(b"other")
    await asyncio.sleep(0)
    assert (await asked(port, request)).endswith(b"\r\n\r\none")
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    assert (await asked(port, request)).endswith(b"\r\n\r\nother")
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


def test_addresses_and_ports_are_read() -> None:
    assert listening("127.0.0.1:9464", "S") == ("127.0.0.1", 9464)
    assert listening("[::1]:65535", "S") == ("::1", 65535)


@pytest.mark.parametrize(
    "text",
    [
        "9464",
        "localhost:9464",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.1:80",
        "::1:80",
        "[127.0.0.1]:80",
        ":80",
    ],
)
def test_other_texts_stop_the_start(text: str) -> None:
    """No names and no port that the machine chooses."""
    with pytest.raises(SettingsError, match=r"^S: wants an IP address and a port, such as"):
        listening(text, "S")


def test_a_listener_without_a_token_stops_the_start() -> None:
    with pytest.raises(SettingsError) as raised:
        guarded(Shop(), metrics_listen="127.0.0.1:9464")
    assert str(raised.value) == "SEKISHO_METRICS_TOKEN: is not set, and SEKISHO_METRICS_LISTEN answers to nothing else"


def test_an_address_of_another_machine_stops_the_start() -> None:
    """The reason is told, and the address is not."""
    with pytest.raises(SettingsError) as raised:
        guarded(Shop(), metrics_listen="192.0.2.1:9464", metrics_token=TOKEN)
    assert str(raised.value) == "SEKISHO_METRICS_LISTEN: cannot be used here: Cannot assign requested address"


def test_an_address_that_another_worker_has_does_not_stop_the_start() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert guarded(Shop(), metrics_token=TOKEN, metrics_listen=f"127.0.0.1:{port}").problem == ""
