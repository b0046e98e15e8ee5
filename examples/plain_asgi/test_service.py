"""The bare application behind the guard."""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

from importlib import import_module, reload

import httpx
import pytest


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> httpx.ASGITransport:
    """The module makes its guard when it is imported, so it is imported after the environment is set."""
    monkeypatch.setenv("SEKISHO_SECRET", "a secret for tests which nobody else has")
    monkeypatch.setenv("SEKISHO_TRUSTED_PROXIES", "127.0.0.1")
    return httpx.ASGITransport(reload(import_module("examples.plain_asgi.app")).app)


def browser(service: httpx.ASGITransport, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=service, base_url="https://shop.test", headers={"X-Forwarded-For": address})


async def test_a_right_password_logs_in_and_makes_the_device_known(service: httpx.ASGITransport) -> None:
    """Both cookies are set: the application's session, and the guard's beside it."""
    async with browser(service, "192.0.2.7") as client:
        answer = await client.post("/login", data={"username": "hana", "password": "correct horse battery staple"})
    assert answer.status_code == 303
    assert {"session", "__Host-sekisho"} <= set(answer.cookies)


async def test_guesses_end_and_others_go_on(service: httpx.ASGITransport) -> None:
    """Twenty wrong passwords from one address, then 429; elsewhere somebody logs in."""
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
    """What is no door passes untouched, however often."""
    async with browser(service, "198.51.100.20") as client:
        assert {(await client.get("/")).status_code for _ in range(30)} == {404}
