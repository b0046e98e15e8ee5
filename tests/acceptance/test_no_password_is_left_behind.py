"""Promised: after ten thousand log-ins no lasting data holds a password or ten hex digits of its hash.

All sources are in use: a corpus, pairs, Have I Been Pwned (a test server), Redis, logs at the lowest level. The five
hex digits sent to the service are in no log either, where they would stand beside a time and a door.
"""

from __future__ import annotations

import asyncio
import re
from hashlib import sha1
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.breach.pairs import PairDigests
from tests.asgi.driving import OPEN, Shop, address, guarded, log_in
from tests.breach.hibp_server import range_api
from tests.breach.making import corpus_file, digest
from tests.breach.ranges import Ranges
from tests.left_behind import capturing, dump

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard
    from tests.servers import RedisServer

pytestmark = pytest.mark.usefixtures("direct")

LOG_INS = 10_000
AT_ONCE = 64
KEY = b"a key for pairs, which nobody can guess: 8c1f"
PASSWORDS = [f"Sesame-{n:05}-open!" for n in range(LOG_INS // 2)]


def sources(folder: Path) -> dict[str, Any]:
    """An old corpus without every tenth password, for which the service is asked; pairs of every fifth owner."""
    pairs = PairDigests(KEY)
    corpus_file(folder / "passwords", {digest(password): 1 + n for n, password in enumerate(PASSWORDS) if n % 10})
    listed = {make(f"owner{n}", PASSWORDS[n]): 1 for n in range(0, 500, 5) for make in (pairs.exact, pairs.stem)}
    corpus_file(folder / "pairs", listed, kind="pairs", key_id=pairs.key_id)
    return {"corpus": folder / "passwords", "pairs": folder / "pairs", "pairs_key": KEY, "hibp": True}


async def storm(app: LoginGuard) -> None:
    """Right and wrong log-ins of strangers and known devices, with new passwords in between."""
    tokens: dict[str, str] = {}

    async def one(n: int) -> None:
        account, password = f"owner{n % 500}", PASSWORDS[n % len(PASSWORDS)]
        answer = await log_in(app, account, password, client=address(n % 4_000), token=tokens.get(account, ""))
        tokens[account] = answer.device or tokens.get(account, "")

    for start in range(0, LOG_INS, AT_ONCE):
        await asyncio.gather(*(one(n) for n in range(start, min(start + AT_ONCE, LOG_INS))))


def told_by(text: bytes) -> list[str]:
    """The passwords in `text`, as they are, as a raw SHA-1, or as ten or more hex digits of it."""
    digits = {run[at : at + 10] for run in re.findall(rb"[0-9a-f]{10,}", text.lower()) for at in range(len(run) - 9)}
    whole = {text[at : at + 8] for at in range(len(text) - 7)}
    hashes = {password: sha1(password.encode()).digest() for password in PASSWORDS}
    return [
        password
        for password, hashed in hashes.items()
        if hashed.hex()[:10].encode() in digits or hashed[:8] in whole or password.encode() in text
    ]


async def test_no_password_is_left_behind(own_redis_server: RedisServer, tmp_path: Path) -> None:
    """No password is in logs, counters or Redis, to the last byte."""
    ranges = Ranges(rows=400)
    for password in PASSWORDS[::20]:
        ranges.plant(password, 3)
    shop = Shop({f"owner{n}": PASSWORDS[n] for n in range(500)})
    with capturing() as log:
        async with range_api(ranges) as api:
            settings = {**sources(tmp_path), "hibp_url": api.url, **OPEN, "limit_account": "9999/minute"}
            app = guarded(shop, store=own_redis_server.url, workers=1, **settings)
            await storm(app)
            left = dump(own_redis_server)
            assert app._loops is not None
            counts = app.counts
            await app._loops.stop()

    assert len(shop.reached) > LOG_INS * 0.9
    assert len(left) > 100_000
    assert counts["POST /login", "allow", "breached_password"] > 1_000
    assert counts["POST /login", "allow", "breached_pair"] > 10
    assert len(set(api.prefixes)) > 400
    for place in (left, log.text.getvalue().encode(), repr(counts).encode()):
        assert told_by(place) == []
    words = set(re.findall(r"\b[0-9A-F]{5}\b", log.text.getvalue().upper()))
    assert not {prefix for prefix in api.prefixes if not prefix.isdigit()} & words  # a number may be a port


@pytest.mark.parametrize(
    "text",
    [
        PASSWORDS[7].encode(),
        b"x" + sha1(PASSWORDS[7].encode()).hexdigest()[:10].encode(),
        sha1(PASSWORDS[7].encode()).hexdigest().upper().encode(),
        b"x" + sha1(PASSWORDS[7].encode()).digest(),
    ],
)
def test_what_is_left_behind_would_be_found(text: bytes) -> None:
    """The search above finds planted passwords."""
    assert told_by(b"much ado " + text + b" about nothing") == [PASSWORDS[7]]
