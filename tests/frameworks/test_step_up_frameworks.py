"""Real frameworks' sessions behind the seal: no log-in before the proof, and the owner's after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.frameworks.sessions import (
    NOBODY,
    VISITED,
    on_django,
    on_fastapi,
    on_litestar,
    on_quart,
    on_starlette,
)
from tests.stepup.flow.driving import STEP, STRANGE, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN: list[Callable[[], Any]] = [on_litestar, on_starlette, on_fastapi, on_quart]
WITH_FORM_TOKEN = "POST /login form:username,password cookies=csrftoken"


class Built:
    """A service behind the guard, and the member `hana` with her phone."""

    def __init__(self, app: Any, **settings: Any) -> None:
        self.site = Site()
        self.guard = self.site.guarded(app, **settings)

    def browser(self, cookies: httpx.Cookies | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.guard, client=(STRANGE, 50_000))
        # Browsers send a form's origin, and Django checks it.
        headers = {"referer": "https://shop.test/login", "accept": "application/json"}
        return httpx.AsyncClient(transport=transport, base_url="https://shop.test", headers=headers, cookies=cookies)


@contextmanager
def django(login: str = WITH_FORM_TOKEN) -> Iterator[Built]:
    with on_django() as app:
        yield Built(app, login=login)


@pytest.fixture(params=[*PLAIN, None], ids=lambda build: build.__name__ if build else "on_django")
def built(request: pytest.FixtureRequest) -> Iterator[Built]:
    if request.param is None:
        with django() as on_it:
            yield on_it
    else:
        yield Built(request.param())


async def visit(client: httpx.AsyncClient) -> str:
    """Begin a session by opening a page. Gives the form's token, if there is one."""
    answer = await client.get("/visit")
    assert answer.status_code == 200
    assert "session" in client.cookies
    return "" if answer.text == VISITED else answer.text


async def ask(client: httpx.AsyncClient, token: str, password: str = "right") -> str:
    """Log in and be asked for a proof. Gives the ticket."""
    fields = {"username": "hana", "password": password, "csrfmiddlewaretoken": token}
    answer = await client.post("/login", data=fields)
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_required")
    return str(answer.json()["challenge"])


async def show(client: httpx.AsyncClient, ticket: str, code: str) -> httpx.Response:
    return await client.post(STEP, data={"challenge": ticket, "factor": "totp", "code": code})


async def until_it_ran(client: httpx.AsyncClient, ticket: str) -> None:
    """A wrong code is answered only after the application has answered."""
    answer = await show(client, ticket, "000000")
    assert (answer.status_code, answer.json()["code"]) == (401, "proof_failed")


async def who(client: httpx.AsyncClient) -> str:
    return (await client.get("/who")).text


async def test_a_session_that_the_client_holds_is_not_logged_in_behind_the_seal(built: Built) -> None:
    """R1: a right password does not log in a session that the attacker began."""
    await built.site.enrol()
    async with built.browser() as thief:
        ticket = await ask(thief, await visit(thief))
        await until_it_ran(thief, ticket)
        assert await who(thief) == NOBODY


async def test_after_the_proof_the_session_that_is_released_works(built: Built) -> None:
    """After the proof the owner's new session works; the earlier one, which others may hold, stays logged out."""
    await built.site.enrol()
    async with built.browser() as owner:
        token = await visit(owner)
        async with built.browser(httpx.Cookies(owner.cookies)) as planter:
            released = await show(owner, await ask(owner, token), built.site.code())
            assert released.status_code in {302, 303}
            assert released.headers["location"] == "/who"
            assert await who(owner) == "hana"
            assert await who(planter) == NOBODY


async def test_behind_a_wrong_password_no_code_helps(built: Built) -> None:
    """Each framework's refusal of a wrong password, exception or answer, is recognised, and no code helps."""
    await built.site.enrol()
    async with built.browser() as thief:
        ticket = await ask(thief, await visit(thief), "a guess")
        refused = await show(thief, ticket, built.site.code())
        assert (refused.status_code, refused.json()["code"]) == (401, "proof_failed")
        assert await who(thief) == NOBODY


async def test_the_next_log_in_of_a_proved_device_is_the_applications_alone(built: Built) -> None:
    """The next log-in of a proved device goes to the application directly, with the client's session."""
    await built.site.enrol()
    async with built.browser() as owner:
        token = await visit(owner)
        await show(owner, await ask(owner, token), built.site.code())
        token = await visit(owner)
        fields = {"username": "hana", "password": "right", "csrfmiddlewaretoken": token}
        assert (await owner.post("/login", data=fields)).status_code in {302, 303}
        assert await who(owner) == "hana"


async def test_django_takes_a_form_whose_cookie_the_door_does_not_name() -> None:
    """Django's `csrftoken`, recognised by exact name and syntax, reaches the run behind the seal."""
    with django("POST /login form:username,password") as built:
        await built.site.enrol()
        async with built.browser() as owner:
            ticket = await ask(owner, await visit(owner))
            released = await show(owner, ticket, built.site.code())
            assert released.status_code in {302, 303}
