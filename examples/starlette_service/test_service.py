"""The tea house, with and without `LoginGuard`."""

# ruff: noqa: S101 - tests assert

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from examples.starlette_service import app as unprotected
from examples.starlette_service import protected
from sekisho.passwords import Passwords, Profile
from tests.breach.making import corpus_file, digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.applications import Starlette

PASSWORD = "an old pond, a frog"
HOME, CAFE = "192.0.2.7", "198.51.100.20"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set a fresh database, cheap hashes, a trusted proxy, and limits without challenges."""
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.sqlite3"))
    monkeypatch.setenv("SHOP_ARGON2", "1,256,1")
    monkeypatch.setenv("SEKISHO_SECRET", "a secret for tests which nobody else has")
    monkeypatch.setenv("SEKISHO_TRUSTED_PROXIES", "127.0.0.1")
    monkeypatch.setenv("SEKISHO_CHALLENGES", "none")  # otherwise guesses are asked for work before they are refused


@asynccontextmanager
async def serving(build: Callable[[], Starlette]) -> AsyncIterator[Starlette]:
    """Run the service with one member, `basho`."""
    service = build()
    service.state.members.add([("basho", await service.state.passwords.hash(PASSWORD))])
    async with service.router.lifespan_context(service):
        yield service


def browser(service: Starlette, address: str = HOME) -> httpx.AsyncClient:
    """A browser at `address`, behind the proxy."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(service),
        base_url="https://shop.test",
        headers={"X-Forwarded-For": address, "User-Agent": "a browser"},
    )


@asynccontextmanager
async def listening(service: Starlette) -> AsyncIterator[str]:
    """Run the service under uvicorn on a free port; yields its address."""
    server = uvicorn.Server(uvicorn.Config(service, proxy_headers=False, ws="none", log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serves = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serves


async def log_in(client: httpx.AsyncClient, username: str = "basho", password: str = PASSWORD) -> httpx.Response:
    return await client.post("/login", data={"username": username, "password": password})


async def sign_up(client: httpx.AsyncClient, username: str, password: str) -> httpx.Response:
    return await client.post("/signup", data={"username": username, "password": password})


async def change(client: httpx.AsyncClient, old: str, new: str, username: str = "basho") -> httpx.Response:
    fields = {"username": username, "old_password": old, "new_password": new}
    return await client.post("/password", data=fields)


@pytest.mark.parametrize("build", [unprotected.build, protected.build], ids=["unprotected", "protected"])
async def test_a_member_logs_in_and_out(build: Callable[[], Starlette]) -> None:
    """The guard changes nothing for a member with the right password."""
    async with serving(build) as service, browser(service) as client:
        answer = await log_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert "basho" in (await client.get("/account")).text
        session = client.cookies["session"]
        await client.post("/logout")
        client.cookies["session"] = session
        assert (await client.get("/account")).status_code == 303


@pytest.mark.parametrize("build", [unprotected.build, protected.build], ids=["unprotected", "protected"])
async def test_a_wrong_password_and_an_unknown_name_get_the_same_page(build: Callable[[], Starlette]) -> None:
    """The page does not reveal who is a member, and escapes the typed text."""
    async with serving(build) as service, browser(service) as client:
        wrong = await log_in(client, "basho", "guess")
        unknown = await log_in(client, '"><script>', "guess")
    assert wrong.status_code == unknown.status_code == 401
    assert unknown.text == wrong.text.replace('value="basho"', 'value="&quot;&gt;&lt;script&gt;"')


async def test_an_unknown_name_costs_a_hash_like_any_other() -> None:
    """A faster answer for unknown names would reveal the members."""
    async with serving(unprotected.build) as service, browser(service) as client:
        await log_in(client, "basho", "guess")
        await log_in(client, "nobody", "guess")
        assert service.state.passwords.checks == 2


@pytest.mark.parametrize("build", [unprotected.build, protected.build], ids=["unprotected", "protected"])
async def test_a_new_member_is_logged_in_at_once_and_again_later(build: Callable[[], Starlette]) -> None:
    """A member logs in with the password from the sign-up."""
    async with serving(build) as service, browser(service) as client:
        assert (await sign_up(client, "chiyo", "morning glories")).headers["location"] == "/account"
        assert "chiyo" in (await client.get("/account")).text
        assert (await log_in(client, "chiyo", "morning glories")).status_code == 303


@pytest.mark.parametrize("username", ["basho", "", "x" * 255], ids=["taken", "empty", "endless"])
async def test_a_name_that_is_not_to_be_had_changes_nothing(username: str) -> None:
    """The name's owner keeps the password, and the client is not logged in."""
    async with serving(unprotected.build) as service, browser(service) as client:
        answer = await sign_up(client, username, "morning glories")
        assert (answer.status_code, "session" in client.cookies) == (409, False)
        assert (await log_in(client)).status_code == 303


@pytest.mark.parametrize("build", [unprotected.build, protected.build], ids=["unprotected", "protected"])
async def test_a_changed_password_ends_all_other_sessions(build: Callable[[], Starlette]) -> None:
    """The old password no longer works, other sessions end, and the member who changed it stays logged in."""
    async with serving(build) as service, browser(service) as client, browser(service, CAFE) as thief:
        await log_in(thief)
        await log_in(client)
        assert "basho" in (await client.get("/password")).text
        assert (await change(client, PASSWORD, "a frog leaps in")).headers["location"] == "/account"
        assert (await client.get("/account")).status_code == 200
        assert (await thief.get("/account")).headers["location"] == "/login"
        assert (await log_in(client)).status_code == 401
        assert (await log_in(client, password="a frog leaps in")).status_code == 303


async def test_a_password_is_changed_only_by_whoever_knows_it_and_is_logged_in() -> None:
    """A guess, another name than the session's, and a missing session are refused."""
    async with serving(unprotected.build) as service, browser(service) as client:
        assert (await change(client, PASSWORD, "a frog leaps in")).headers["location"] == "/login"
        await log_in(client)
        assert (await change(client, "guess", "a frog leaps in")).status_code == 401
        assert (await change(client, PASSWORD, "a frog leaps in", username="chiyo")).status_code == 401
        assert (await log_in(client)).status_code == 303


async def test_two_changes_at_once_leave_one_of_the_two() -> None:
    """Both clients have the old password; the slower one is told that it is no longer valid."""
    async with serving(unprotected.build) as service, browser(service) as client:
        await log_in(client)
        answers = await asyncio.gather(change(client, PASSWORD, "a frog"), change(client, PASSWORD, "a splash"))
        assert sorted(answer.status_code for answer in answers) == [303, 409]
        assert {(await log_in(client, password=new)).status_code for new in ("a frog", "a splash")} == {303, 401}


async def test_old_hashes_are_renewed_when_their_owners_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the operator raises the cost, members log in as before, without a new password."""
    async with serving(unprotected.build):
        pass
    monkeypatch.setenv("SHOP_ARGON2", "2,256,1")
    service = unprotected.build()
    async with service.router.lifespan_context(service), browser(service) as client:
        assert (await log_in(client, password="guess")).status_code == 401
        assert "m=256,t=1,p=1" in service.state.members.password_hash("basho")
        assert (await log_in(client)).status_code == 303
        await service.state.passwords.aclose()
        assert "m=256,t=2,p=1" in service.state.members.password_hash("basho")
        assert (await log_in(client)).status_code == 303


async def test_when_too_many_are_at_the_door_the_next_is_told_when_to_come_back() -> None:
    """The answer is 503 at once, not a long wait in a queue."""
    async with serving(unprotected.build) as service, browser(service) as client:
        service.state.passwords = Passwords(Profile(10, 65_536, 1), threads=1, waiting_max=0)
        slow = asyncio.create_task(service.state.passwords.verify(None, "guess"))
        await asyncio.sleep(0)
        for answer in (await log_in(client), await sign_up(client, "chiyo", "morning glories")):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert not await slow
        await service.state.passwords.aclose()


@pytest.mark.parametrize("password", ["", "x" * 1_000_000], ids=["empty", "a megabyte"])
async def test_passwords_that_nobody_can_have_cost_nothing(password: str) -> None:
    """Such passwords are refused before hashing, at every door, for members and others alike."""
    async with serving(unprotected.build) as service, browser(service) as client:
        asked = [
            await log_in(client, "basho", password),
            await log_in(client, "nobody", password),
            await sign_up(client, "chiyo", password),
        ]
        assert [answer.status_code for answer in asked] == [422] * 3
        assert len({answer.text for answer in asked}) == 1
        assert service.state.passwords.checks == 0


async def test_a_leaked_password_is_refused_where_one_is_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sign-up and change refuse it with a reason; the handlers are unchanged."""
    leaked = tmp_path / "leaked"
    corpus_file(leaked, {digest("hunter2"): 17_000})
    monkeypatch.setenv("SEKISHO_CORPUS", str(leaked))
    async with serving(protected.build) as service, browser(service) as client:
        await log_in(client)
        for answer in (await sign_up(client, "chiyo", "hunter2"), await change(client, PASSWORD, "hunter2")):
            assert (answer.status_code, answer.json()["code"]) == (422, "breached_password")
            assert "stolen" in answer.json()["detail"]
        assert (await change(client, PASSWORD, "a frog leaps in")).status_code == 303
        assert service.state.members.password_hash("chiyo") is None


async def test_guesses_at_the_old_password_end_too() -> None:
    """An attacker at an unattended browser has as many tries as at the log-in, then none."""
    async with serving(protected.build) as service, browser(service) as client:
        await log_in(client)
        statuses = [(await change(client, f"guess{number}", "mine")).status_code for number in range(20)]
        assert set(statuses) == {401, 429}
        assert statuses == sorted(statuses)


async def test_guesses_from_one_address_end_after_twenty() -> None:
    """The twenty-first guess is refused before its password is checked."""
    async with serving(protected.build) as service, browser(service) as client:
        answers = [await log_in(client, f"member{number}", "guess") for number in range(21)]
        assert [answer.status_code for answer in answers] == [401] * 20 + [429]
        assert service.state.passwords.checks == 20
    assert answers[-1].json()["code"] == "too_many_attempts"
    assert int(answers[-1].headers["retry-after"]) >= 30


async def test_whoever_is_elsewhere_is_not_touched_by_it() -> None:
    """A member at another address logs in while the guesses go on."""
    async with serving(protected.build) as service:
        async with browser(service, CAFE) as attacker:
            for number in range(25):
                await log_in(attacker, f"member{number}", "guess")
        async with browser(service, HOME) as client:
            assert (await log_in(client)).status_code == 303


async def test_only_a_right_password_makes_a_device_known() -> None:
    """Scripts, other hosts and plain HTTP cannot read the cookie."""
    async with serving(protected.build) as service, browser(service) as client:
        assert "set-cookie" not in (await log_in(client, password="guess")).headers
        cookies = (await log_in(client)).headers.get_list("set-cookie")
    known = next(cookie for cookie in cookies if cookie.startswith("__Host-sekisho="))
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in known.split(";")}


async def test_nobody_can_lock_a_member_out_of_a_known_device() -> None:
    """Attackers exhaust the account's limit; the member's own browser has its own lane."""
    async with serving(protected.build) as service, browser(service, HOME) as client:
        await log_in(client)
        for number in range(8):
            async with browser(service, f"203.0.{number}.1") as attacker:
                last = await log_in(attacker, "basho", f"guess{number}")
        assert last.status_code == 429
        assert (await log_in(client)).status_code == 303


async def test_the_same_over_a_real_socket() -> None:
    """Under uvicorn, with its lifespan and parser, guesses are limited, and the trusted proxy's addresses are used."""
    async with listening(protected.build()) as url:
        async with httpx.AsyncClient(base_url=url, headers={"X-Forwarded-For": CAFE}) as attacker:
            statuses = [(await log_in(attacker, f"member{number}", "guess")).status_code for number in range(21)]
        async with httpx.AsyncClient(base_url=url, headers={"X-Forwarded-For": HOME}) as client:
            assert (await log_in(client, password="guess")).status_code == 401
    assert statuses == [401] * 20 + [429]
