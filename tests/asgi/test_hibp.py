"""Have I Been Pwned at the doors: asked if no local source knows and the attempt would pass, and with a deadline."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import time
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.model import Exposure
from sekisho.wiring import MACHINE
from tests.asgi.driving import OPEN, guarded, log_in
from tests.asgi.test_breaches import DOORS, Listening, post
from tests.breach import hibp_server as manner
from tests.breach.hibp_server import range_api
from tests.breach.making import corpus_file, digest
from tests.breach.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sekisho.wiring import LoginGuard
    from tests.breach.hibp_server import RangeApi

LEAKED = "password1234"
PATIENT_S = 20


pytestmark = pytest.mark.usefixtures("direct")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extend the deadline: these tests are not about a busy machine."""
    monkeypatch.setattr("sekisho.breach.lookup.WAIT_S", PATIENT_S)


def leaks() -> Ranges:
    ranges = Ranges()
    ranges.plant(LEAKED, 100)
    return ranges


@asynccontextmanager
async def asking(shop: Listening, **settings: Any) -> AsyncIterator[tuple[LoginGuard, RangeApi]]:
    """A guard that asks a service of this test."""
    async with range_api(leaks()) as api:
        app = guarded(shop, hibp="on", hibp_url=api.url, **settings)
        try:
            yield app, api
        finally:
            assert app._loops is not None
            await app._loops.stop()


def corpus(tmp_path: Path, *, built: float) -> str:
    path = tmp_path / "passwords"
    corpus_file(path, {digest("sunshine"): 1}, built=int(built))
    return str(path)


async def test_without_a_corpus_the_service_is_asked() -> None:
    """Without a corpus the service is asked, once per prefix; its answer is the same finding."""
    shop = Listening()
    async with asking(shop) as (app, api):
        await log_in(app, password=LEAKED)
        assert (shop.findings, shop.reports[-1].exposure.password) == (["breached_password"], 7)
        await log_in(app, password=LEAKED)
        assert len(api.requests) == 1


async def test_blanks_around_a_leaked_password_hide_it_from_no_service() -> None:
    """Row 132: with blanks around it, the service is asked about the password without them as well."""
    shop = Listening()
    async with asking(shop) as (app, _):
        await log_in(app, password=f" {LEAKED}")
        assert (shop.findings, shop.reports[-1].exposure.password) == (["breached_password"], 7)
        await log_in(app, password=" of no list")
        assert shop.reports[-1].exposure.password == 0


async def test_not_seen_is_an_answer() -> None:
    """*Not seen* is reported as zero and not as *unknown*."""
    shop = Listening()
    async with asking(shop) as (app, _):
        await log_in(app, password="of nobody's list")
        assert shop.reports[-1].exposure == Exposure(0, None)


async def test_a_fresh_corpus_is_enough(tmp_path: Path) -> None:
    """With a fresh corpus nothing is sent to the service."""
    shop = Listening()
    async with asking(shop, corpus=corpus(tmp_path, built=time())) as (app, api):
        await log_in(app, password=LEAKED)
        assert shop.reports[-1].exposure.password == 0
        assert api.requests == []


async def test_an_old_corpus_is_not_believed_when_it_does_not_know(tmp_path: Path) -> None:
    """An old corpus is believed for its hits; for its misses the service is asked."""
    shop = Listening()
    async with asking(shop, corpus=corpus(tmp_path, built=time() - 31 * 86_400)) as (app, api):
        await log_in(app, password="sunshine")
        assert (shop.findings, api.requests) == (["breached_password"], [])
        await log_in(app, password=LEAKED)
        assert (shop.findings, len(api.requests)) == (["breached_password"], 1)


async def test_a_corpus_that_has_vanished_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service replaces a corpus file that has vanished."""
    now = 0.0
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", MACHINE._replace(monotonic_s=lambda: now))
    monkeypatch.setattr("sekisho.wiring.leaks.in_thread", lambda look: look())  # it has looked before it answers
    shop = Listening()
    async with asking(shop, corpus=corpus(tmp_path, built=time())) as (app, _):
        (tmp_path / "passwords").unlink()
        now += 2
        await log_in(app, password=LEAKED)
        assert shop.findings == ["breached_password"]


async def test_a_silent_service_is_unknown_and_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an old corpus says *absent* and the service is silent, every door gets *unknown* and refuses nothing."""
    monkeypatch.setattr("sekisho.breach.lookup.WAIT_S", 0.02)
    shop = Listening()
    async with asking(shop, corpus=corpus(tmp_path, built=0), **DOORS) as (app, api):
        api.answer = manner.silence
        assert (await log_in(app, password=LEAKED)).status == 401
        assert shop.reports[-1].exposure.password is None
        assert (await post(app, "/signup", email="a@example.com", password=LEAKED)).status == 201
        assert app.counts["POST /signup", "new_password", "unknown"] == 1


async def test_a_password_that_is_chosen_is_asked_about() -> None:
    """A chosen password is checked with the service too, and refused in the same words."""
    async with asking(Listening(), **DOORS) as (app, _):
        assert (await post(app, "/signup", email="a@example.com", password=LEAKED)).status == 422
        assert (await post(app, "/signup", email="a@example.com", password="of nobody's list")).status == 201


async def test_who_is_refused_anyway_asks_nobody() -> None:
    """A refused attempt asks nothing, or a flood would be passed on to the service."""
    limits = {**OPEN, "limit_ip": "2/hour", "limit_account": "1000/hour"}
    async with asking(Listening(), **limits) as (app, api):
        statuses = [(await log_in(app, password=f"guess {n}")).status for n in range(6)]
        assert statuses == [401, 401, 429, 429, 429, 429]
        assert len(api.requests) == 2


async def test_codes_are_not_sent_anywhere() -> None:
    """Codes are not sent: five hex digits of a hash reveal nearly all of six digits."""
    async with asking(Listening(), **DOORS) as (app, api):
        await post(app, "/code", username="hana", code="123456")
        assert api.requests == []
