"""The token service behind `LoginGuard`."""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

import asyncio

import httpx
import pytest

from examples.fastapi_service import app
from sekisho.passwords import OWASP, Passwords, Profile

RIGHT = {"email": "hana@example.com", "password": "correct horse battery staple"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a secret and a trusted proxy."""
    monkeypatch.setenv("SEKISHO_SECRET", "a secret for tests which nobody else has")
    monkeypatch.setenv("SEKISHO_TRUSTED_PROXIES", "127.0.0.1")


@pytest.fixture
def service() -> httpx.ASGITransport:
    return httpx.ASGITransport(app.build())


def program(service: httpx.ASGITransport, address: str) -> httpx.AsyncClient:
    """A program that calls the service from `address`, through the proxy."""
    return httpx.AsyncClient(transport=service, base_url="https://api.test", headers={"X-Forwarded-For": address})


async def test_a_right_password_gets_a_token_that_opens_the_api(service: httpx.ASGITransport) -> None:
    """The guard passes the application's answer on unchanged."""
    async with program(service, "192.0.2.7") as client:
        answer = await client.post("/api/token", json=RIGHT)
        assert answer.status_code == 200
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await client.get("/api/me", headers=bearer)).json() == {"email": "hana@example.com"}


async def test_no_token_and_an_invented_one_are_refused_by_the_application(service: httpx.ASGITransport) -> None:
    """The guard checks only the door; the application checks its tokens itself."""
    async with program(service, "192.0.2.7") as client:
        assert (await client.get("/api/me")).status_code == 401
        assert (await client.get("/api/me", headers={"Authorization": "Bearer invented"})).status_code == 401


async def test_guesses_end_and_others_go_on(service: httpx.ASGITransport) -> None:
    """After twenty wrong passwords one address gets 429; a right password from another address gets its token."""
    async with program(service, "198.51.100.20") as attacker:
        wrong = ({"email": f"member{number}@example.com", "password": "guess"} for number in range(21))
        answers = [await attacker.post("/api/token", json=guess) for guess in wrong]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert answers[-1].json()["code"] == "too_many_attempts"
    async with program(service, "192.0.2.7") as client:
        assert (await client.post("/api/token", json=RIGHT)).status_code == 200


async def test_a_body_that_the_door_cannot_read_never_reaches_the_application(service: httpx.ASGITransport) -> None:
    """A body with two accounts is refused: the guard might count one while the application checks the other."""
    async with program(service, "192.0.2.7") as client:
        twice = '{"email":"a@example.com","email":"hana@example.com","password":"guess"}'
        answer = await client.post("/api/token", content=twice, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_attempt")


async def test_when_too_many_passwords_are_checked_the_next_caller_is_told_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer is 503 at once, not a long wait in a queue."""
    pool = Passwords(OWASP, decoy=Profile(4, 65_536, 1), threads=1, waiting_max=0)
    monkeypatch.setattr(app, "Passwords", lambda: pool)
    async with program(httpx.ASGITransport(app.build()), "192.0.2.7") as client:
        slow = asyncio.create_task(pool.verify(None, "guess"))
        await asyncio.sleep(0)
        answer = await client.post("/api/token", json=RIGHT)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert not await slow
        assert (await client.post("/api/token", json=RIGHT)).status_code == 200
    await pool.aclose()
