"""The bare application behind `LoginGuard`."""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

import asyncio
from importlib import import_module, reload

import httpx
import pytest

from sekisho.passwords import OWASP, Passwords, Profile


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> httpx.ASGITransport:
    """The module creates its guard at import, so it is imported after the environment is set."""
    monkeypatch.setenv("SEKISHO_SECRET", "a secret for tests which nobody else has")
    monkeypatch.setenv("SEKISHO_TRUSTED_PROXIES", "127.0.0.1")
    return httpx.ASGITransport(reload(import_module("examples.plain_asgi.app")).app)


def browser(service: httpx.ASGITransport, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=service, base_url="https://shop.test", headers={"X-Forwarded-For": address})


async def test_a_right_password_logs_in_and_makes_the_device_known(service: httpx.ASGITransport) -> None:
    """Both cookies are set: the application's session and the guard's device token."""
    async with browser(service, "192.0.2.7") as client:
        answer = await client.post("/login", data={"username": "hana", "password": "correct horse battery staple"})
    assert answer.status_code == 303
    assert {"session", "__Host-sekisho"} <= set(answer.cookies)


async def test_guesses_end_and_others_go_on(service: httpx.ASGITransport) -> None:
    """After twenty wrong passwords one address gets 429; a member at another address logs in."""
    async with browser(service, "198.51.100.20") as attacker:
        answers = [
            await attacker.post("/login", data={"username": f"member{number}", "password": "guess"})
            for number in range(21)
        ]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    async with browser(service, "192.0.2.7") as client:
        answer = await client.post("/login", data={"username": "hana", "password": "correct horse battery staple"})
    assert answer.status_code == 303


async def test_other_routes_are_none_of_the_guards_business(service: httpx.ASGITransport) -> None:
    """Requests at no door pass unchanged and unlimited."""
    async with browser(service, "198.51.100.20") as client:
        assert {(await client.get("/")).status_code for _ in range(30)} == {404}


async def test_when_too_many_passwords_are_checked_the_next_one_is_told_when_to_come_back(
    service: httpx.ASGITransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is 503 at once, not a long wait in a queue."""
    pool = Passwords(OWASP, decoy=Profile(10, 65_536, 1), threads=1, waiting_max=0)
    monkeypatch.setattr("examples.plain_asgi.app.PASSWORDS", pool)
    async with browser(service, "192.0.2.7") as client:
        slow = asyncio.create_task(pool.verify(None, "guess"))
        await asyncio.sleep(0)
        answer = await client.post("/login", data={"username": "hana", "password": "guess"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert not await slow
    await pool.aclose()


@pytest.mark.usefixtures("service")
async def test_without_a_guard_that_refuses_it_a_password_that_nobody_can_have_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In `monitor` mode every attempt is passed on, even with an empty password."""
    monkeypatch.setenv("SEKISHO_MODE", "monitor")
    watched = httpx.ASGITransport(reload(import_module("examples.plain_asgi.app")).app)
    async with browser(watched, "192.0.2.7") as client:
        assert (await client.post("/login", data={"username": "hana", "password": ""})).status_code == 401
