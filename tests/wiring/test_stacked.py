"""Two guards in front of one application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from quart import Quart

from tests.asgi.driving import OPEN, Shop, address, guarded, log_in
from tests.stepup.flow.driving import Site, challenge

if TYPE_CHECKING:
    import pytest

    from sekisho.asgi.types import App, Receive, Scope, Send


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.endswith("[SEK092]")]


async def guesses(app: App, times: int) -> list[int]:
    return [(await log_in(app, "hana", f"wrong {n}", client=address(n))).status for n in range(times)]


async def test_the_inner_of_two_alike_guards_stands_aside(caplog: pytest.LogCaptureFixture) -> None:
    """A middleware that was added twice asks for one proof, makes one device known, and says it once."""
    site = Site()
    await site.enrol("1")
    site.guard = site.guarded(site.guard)
    client = site.client()
    shown = await client.show(challenge(await client.log_in()), site.code())

    assert shown.status == 303
    assert len([line for line in shown.all(b"set-cookie") if line.startswith(b"__Host-sekisho=")]) == 1
    assert site.shop.reached == [("hana", "right")]
    assert (await client.send("/pay", b"")).status == 200
    assert len(said(caplog)) == 1


async def test_an_inner_guard_with_other_settings_counts_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """An outer guard with a wider limit does not switch the inner one's off, and `sekisho doctor` is told."""
    inner = guarded(Shop(), limit_account="2/hour", **OPEN)
    outer = guarded(inner, limit_account="9/hour", **OPEN)

    assert await guesses(outer, 4) == [401, 401, 429, 429]
    assert len(said(caplog)) == 1
    assert inner._loops is not None
    assert "SEK092" in [each.hazard.number for each in inner._loops.process._diagnoses()]


async def test_a_guard_in_front_of_itself_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """`LoginGuard(app)` set as Quart's own way in calls itself: without a word every log-in would just be refused."""
    quart = Quart("shop")
    quart.asgi_app = cast("Any", guarded(cast("Any", quart), **OPEN))  # type: ignore[method-assign]
    answer = await log_in(cast("Any", quart), "hana")

    assert answer.status in {401, 429}
    (line,) = said(caplog)
    assert "With Quart it is app.asgi_app = LoginGuard(app.asgi_app), and not LoginGuard(app)" in line


async def test_a_request_that_the_application_makes_of_an_attempt_is_counted_again() -> None:
    """A mark of the guard's own opens nothing: the application may send one attempt's scope to another door."""

    class Forwarding(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/old":
                return await app({**scope, "path": "/login", "raw_path": b"/login"}, receive, send)
            return await super().__call__(scope, receive, send)

    service = Forwarding()
    doors: dict[str, Any] = {"login": "POST /login success=303:/home; POST /old success=303:/home"}
    app = guarded(service, limit_account="4/hour", **{**OPEN, **doors})
    found = [(await log_in(app, "hana", f"wrong {n}", client=address(n), path="/old")).status for n in range(4)]

    assert found == [401, 401, 429, 429]
    assert len(service.reached) == 2
