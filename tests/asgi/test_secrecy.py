"""Row 90: no log, key, error or `repr` of this process shows passwords, accounts, addresses or tokens."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import socket
import traceback
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.asgi.driving import (
    JSON,
    Line,
    Shop,
    address,
    ask,
    form,
    guarded,
    http,
    log_in,
)
from tests.left_behind import Captured, capturing, dump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.asgi.types import App, Receive, Scope, Send
    from tests.servers import RedisServer

SECRET = "canary-of-the-signing-secret-0123456789"
PASSWORD = "canary-pass-4711"
ACCOUNT = "Canary.Bird@Example.jp"
CLIENT = "198.51.100.231"
CLIENT_6 = "2001:db8:ca:7a1::77"
PROXY = "192.0.2.199"
AGENT = "CanaryBrowser/7.1"


def spellings(token: str) -> list[bytes]:
    """Every form of the secrets: plain, folded, encoded, and hashed without a key."""
    plain = [SECRET, PASSWORD, ACCOUNT, ACCOUNT.lower(), "canary-", CLIENT, CLIENT_6, PROXY, AGENT]
    found = [text.encode() for text in plain] + [token.encode()] * bool(token)
    for text in (PASSWORD, ACCOUNT.lower(), CLIENT):
        raw = text.encode()
        found += [raw.hex().encode(), b64encode(raw).rstrip(b"=")]
        for algorithm in ("md5", "sha1", "sha256", "blake2b"):
            digest = hashlib.new(algorithm, raw).digest()
            found += [digest[:8], digest.hex()[:16].encode()]
    found.append(socket.inet_pton(socket.AF_INET6, CLIENT_6)[:8])
    return found


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capturing() as handler:
        yield handler


def reprs() -> str:
    """What a debugger, an error reporter or a careless f-string would show of every living value of ours."""
    ours = [each for each in gc.get_objects() if str(type(each).__module__).startswith("sekisho.")]
    return "\n".join(repr(each) + str(each) for each in ours)


class Fragile(Shop):
    """A shop that fails now and then and is inspected during an attempt."""

    def __init__(self) -> None:
        super().__init__({ACCOUNT: PASSWORD})
        self.seen = ""
        self.errors: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self.reached) < 4:
            self.seen += reprs()
        if len(self.reached) % 10 == 9:
            self.reached.append(("", ""))
            raise RuntimeError("out of order")
        await super().__call__(scope, receive, send)


async def attempts(app: App, token: str) -> None:
    """A round of right, wrong, readable and unreadable attempts from many addresses, with and without a token."""
    proxied = [(b"x-forwarded-for", CLIENT_6.encode()), (b"user-agent", AGENT.encode())]
    basic = b64encode(f"{ACCOUNT}:{PASSWORD}".encode())
    await log_in(app, ACCOUNT, PASSWORD, client=CLIENT, token=token)
    await log_in(app, ACCOUNT, PASSWORD + "x", client=PROXY, headers=proxied)
    await log_in(app, ACCOUNT.upper(), PASSWORD, client=CLIENT, headers=proxied)
    await log_in(app, PASSWORD, ACCOUNT, client=CLIENT_6)
    await ask(app, http(client=CLIENT), form(ACCOUNT, PASSWORD) + b"&username=x")
    await ask(app, http(client=CLIENT, headers=[JSON]), b'{"username": "%b", "password": ["' % ACCOUNT.encode())
    await ask(app, http(client=CLIENT, headers=[(b"content-type", PASSWORD.encode())]), form(ACCOUNT, PASSWORD))
    await ask(app, http(client=CLIENT, query_string=form(ACCOUNT, PASSWORD)), form(ACCOUNT, PASSWORD))
    await ask(app, http(client=CLIENT), form(ACCOUNT, PASSWORD) * 2_000)
    await ask(app, http("/files/x", client=CLIENT, headers=[(b"authorization", b"Basic " + basic)]))
    await ask(app, http("/files/x", client=CLIENT, headers=[(b"authorization", b"Basic !" + basic)]))
    gone = Line(
        [{"type": "http.request", "body": form(ACCOUNT, PASSWORD), "more_body": True}, {"type": "http.disconnect"}]
    )
    await app(http(client=CLIENT), gone.receive, gone.send)
    socket_ = Line([{"type": "websocket.connect"}])
    await app({**http(client=CLIENT, query_string=form(ACCOUNT, PASSWORD)), "type": "websocket"}, socket_.receive,
              socket_.send)  # fmt: skip


async def all_attempts(app: App, shop: Fragile, rounds: int, token: str = "") -> None:
    for n in range(rounds):
        try:
            await attempts(app, token)
        except RuntimeError:
            shop.errors.append(traceback.format_exc())
        await log_in(app, ACCOUNT, f"{PASSWORD}{n}", client=address(n))


async def test_no_secret_leaves_the_process(own_redis_server: RedisServer, captured: Captured, tmp_path: Path) -> None:
    """After 300 attempts of every kind, with the store up and then down, no secret is found anywhere."""
    shop = Fragile()
    app = guarded(
        shop,
        secret=SECRET,
        store=own_redis_server.url,
        login="POST /login success=303:/home; * /files/* basic",
        trusted_proxies=PROXY,
        limit_ip="150/hour",
        limit_network="9999/hour",
        limit_device="9999/hour",
        body_bytes_max=8_192,
        workers=1,
        events_file=str(tmp_path / "events.jsonl"),
    )
    first = await log_in(app, ACCOUNT, PASSWORD, client=CLIENT, headers=[(b"user-agent", AGENT.encode())])
    token = first.device
    canaries = spellings(token)

    await all_attempts(app, shop, 16, token)
    stored = dump(own_redis_server)
    own_redis_server.kill()
    await all_attempts(app, shop, 6, token)
    seen = shop.seen + reprs()
    assert app._loops is not None
    await app._loops.stop()

    places = {
        "log": captured.text.getvalue().encode(),
        "redis": stored,
        "repr": seen.encode("utf-8", "surrogateescape"),
        "metrics": repr(app.counts).encode(),
        "events": (tmp_path / "events.jsonl").read_bytes(),
        "refusals": b"".join(
            [
                (await log_in(app, ACCOUNT, PASSWORD, client=CLIENT)).body,
                (await ask(app, http(client=CLIENT), form(ACCOUNT, ""))).body,
            ]
        ),
    }
    await app._loops.stop()
    assert token
    assert all(len(text) > 100 for text in places.values()), {place: len(text) for place, text in places.items()}
    found = {(place, canary) for place, text in places.items() for canary in canaries if canary in text}
    assert not found
    assert shop.errors
    assert not [line for error in shop.errors for line in error.splitlines() if "Canary" in line or CLIENT in line]


async def test_the_canaries_would_be_found(redis_url: str, redis_server: RedisServer, captured: Captured) -> None:
    """Secrets planted in each place are found, so the test above can fail."""
    redis_server.cli("HSET", f"key of {ACCOUNT}", "field", PASSWORD)
    logging.getLogger("sekisho.somewhere").debug("tried %s", ACCOUNT)
    canaries = spellings("")

    assert redis_url
    assert any(canary in dump(redis_server) for canary in canaries)
    assert any(canary in captured.text.getvalue().encode() for canary in canaries)


async def test_a_slow_request_in_debug_mode_names_nobody(captured: Captured) -> None:
    """Event loops in debug mode log the `repr` of callbacks and tasks; ours show nothing."""
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().slow_callback_duration = 0.0

    await log_in(guarded(Shop()), ACCOUNT, PASSWORD, client=CLIENT)
    await asyncio.sleep(0)

    text = captured.text.getvalue()
    assert "took" in text
    assert not [canary for canary in (ACCOUNT, PASSWORD, CLIENT) if canary in text]
