"""A service asserts its own policy: no Redis, no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sekisho import SettingsError
from sekisho.testing import FakeClock, browser, guarded, work_headers

if TYPE_CHECKING:
    from starlette.requests import Request

# Starlette's test client prefers another HTTP client than the one that most suites have.
pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with")

RIGHT = {"username": "hana", "password": "an old pond, a frog"}


async def log_in(request: Request) -> Response:
    async with request.form() as form:
        if form["password"] != RIGHT["password"]:
            return PlainTextResponse("wrong", 401)
    answer = RedirectResponse("/home", 303)
    answer.set_cookie("session", "s1", httponly=True)
    return answer


SHOP = Starlette(routes=[Route("/login", log_in, methods=["POST"])])


def guess(number: int) -> dict[str, str]:
    return {"username": "hana", "password": f"guess {number}"}


def test_five_wrong_passwords_then_a_wait_and_the_owners_browser_still_gets_in() -> None:
    """The policy that a service promises its owners, in the words of its own suite."""
    clock = FakeClock()
    shop = guarded(
        SHOP, clock=clock, challenges="none", limit_account="5/10minute", login="POST /login success=303:/home"
    )
    with browser(shop) as owner, browser(shop, address="198.51.100.7") as thief:
        assert owner.post("/login", data=RIGHT, follow_redirects=False).status_code == 303
        codes = [thief.post("/login", data=guess(number)).status_code for number in range(6)]
        assert codes == [401] * 5 + [429]
        assert owner.post("/login", data=RIGHT, follow_redirects=False).status_code == 303

        clock.advance(minutes=10)
        assert thief.post("/login", data=guess(7)).status_code == 401


def test_each_guard_counts_from_zero() -> None:
    """A test is not limited by what an earlier one tried."""
    for _ in range(2):
        with browser(guarded(SHOP, challenges="none", limit_account="1/10minute")) as thief:
            assert [thief.post("/login", data=guess(number)).status_code for number in range(2)] == [401, 429]


def test_the_work_that_an_answer_asks_for_is_done_by_one_call() -> None:
    """Beyond the limit a stranger works; with the headers the same request is checked."""
    with browser(guarded(SHOP, limit_account="1/10minute", limit_ip="100/minute")) as stranger:
        stranger.post("/login", data=guess(0))
        asked = stranger.post("/login", data=guess(1), headers={"Accept": "application/json"})
        assert (asked.status_code, asked.json()["code"]) == (401, "challenge_required")
        again = stranger.post("/login", data=guess(1), headers=work_headers(asked.json()))
        assert (again.status_code, again.text) == (401, "wrong")


def test_an_answer_without_work_is_refused() -> None:
    """A test that takes another refusal for a challenge hears it."""
    with pytest.raises(ValueError, match="asks for no work"):
        work_headers({"code": "rate_limited"})


def test_a_mistake_in_settings_fails_the_test_at_once() -> None:
    """A guard that answers 503 to every request would hide the mistake, also one that shows when a file is opened."""
    with pytest.raises(SettingsError, match=r"^SEKISHO_CORPUS: names a file that cannot be used"):
        guarded(SHOP, corpus="/nowhere/passwords")


def test_time_moves_forward_only() -> None:
    """Limits assume it, and would answer nonsense."""
    clock = FakeClock(1_000.0)
    clock.advance(days=1, hours=1, minutes=1, seconds=0.5)
    assert clock.now_s == 91_060.5
    with pytest.raises(ValueError, match="forward"):
        clock.advance(seconds=-1)
