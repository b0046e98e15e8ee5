"""A log-out ends what its browser has begun and proved. The device stays known, unless the door says otherwise."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.asgi.driving import OPEN, answer, read
from tests.stepup.flow.driving import Shop, Site
from tests.stepup.flow.over_http import PROXY, Visitor, visited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.stepup.flow.conftest import Later

TIE, KEY, DEVICE = "__Host-sekisho-tie", "__Host-sekisho-step", "__Host-sekisho"


class Leaving(Shop):
    """The shop with a log-out, which refuses a request that brings `wrong`."""

    def __init__(self) -> None:
        super().__init__()
        self.outs = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in {"/logout", "/session"}:
            return await super().__call__(scope, receive, send)
        if b"wrong" in await read(receive):
            return await answer(send, 403, body=b"no")
        self.outs += 1
        gone = (b"set-cookie", b"session=; Max-Age=0; Path=/")
        return await answer(send, 303, [(b"location", b"/"), gone])


@pytest.fixture
def serve(later: Later) -> Iterator[Any]:
    """Serve a shop with a log-out over HTTP."""
    with ExitStack() as stack:

        def served(**settings: Any) -> tuple[Site, Leaving, Callable[..., Visitor]]:
            shop = Leaving()
            usual = {**OPEN, "trusted_proxies": PROXY, "logout": "POST /logout", "login": "POST /login success=303"}
            site = Site(shop, {**usual, **settings})
            return site, shop, stack.enter_context(visited(site.guard))

        yield served


async def logged_in(site: Site, browser: Visitor, steps: int = -1) -> dict[str, str]:
    """Log in with a proof; returns what was shown as the proof."""
    await site.enrol("1")
    asked = browser.post("/login", username="hana", password="right")
    shown = {"challenge": asked.json()["challenge"], "factor": "totp", "code": site.code(steps)}
    assert browser.post("/sekisho/step-up", **shown).status_code == 303
    return shown


async def test_a_log_out_ends_the_proof_and_keeps_the_device(serve: Any, later: Later) -> None:
    """The note of the session's account goes with the session; the next log-in asks for no proof."""
    site, shop, visitor = serve()
    browser = visitor()
    await logged_in(site, browser)
    assert browser.post("/pay").text == "paid"
    session = browser.jar["session"]
    done = browser.post("/logout")
    assert (done.status_code, done.headers["location"], shop.outs) == (303, "/", 1)
    assert browser.jar.keys() == {DEVICE}
    browser.jar["session"] = session
    asked = browser.post("/pay")
    assert (asked.status_code, "challenge" in asked.json()) == (401, False)
    assert browser.post("/login", username="hana", password="right").status_code == 303


async def test_step_ups_that_the_browser_has_begun_end(serve: Any, later: Later) -> None:
    """A proof that was asked for before a log-out opens nothing after it, even with all cookies restored."""
    site, shop, visitor = serve()
    browser = visitor()
    await logged_in(site, browser)
    later.seconds = 400
    asked = browser.post("/pay")
    before = dict(browser.jar)
    assert KEY in before
    assert browser.post("/logout").status_code == 303
    browser.jar = before
    shown = browser.prove(asked, site.code())
    assert (shown.status_code, shown.json()["code"]) == (410, "start_again")
    assert not shop.paid


async def test_the_answer_that_is_kept_for_ten_seconds_ends(serve: Any) -> None:
    """An app that shows a proof twice gets the answer twice; after its log-out it gets none."""
    site, _, visitor = serve()
    for leaves in (False, True):
        app = visitor()
        app.headers = {"Sekisho-Challenge": "new", "Sekisho-Tie": ""}
        shown = await logged_in(site, app, steps=leaves - 1)
        if leaves:
            assert app.post("/logout").headers["sekisho-challenge"] == ""
        again = app.post("/sekisho/step-up", **shown)
        assert again.status_code == (410 if leaves else 303)
        assert ("session=" in again.headers.get("set-cookie", "")) is not leaves


async def test_a_log_out_that_the_application_refuses_ends_nothing(serve: Any) -> None:
    """A CSRF protection that refuses the log-out leaves session and proof as they were."""
    site, _, visitor = serve()
    browser = visitor()
    await logged_in(site, browser)
    refused = browser.post("/logout", wrong="1")
    assert (refused.status_code, refused.text, "set-cookie" in refused.headers) == (403, "no", False)
    assert browser.post("/pay").text == "paid"


async def test_a_shared_machine_can_forget_the_device(serve: Any) -> None:
    """With `forget=device` the next log-in there is a stranger's."""
    site, _, visitor = serve(logout="POST /logout forget=device")
    browser = visitor()
    await logged_in(site, browser)
    browser.post("/logout")
    assert not browser.jar
    assert browser.post("/login", username="hana", password="right").status_code == 401


async def test_another_sites_form_makes_no_owner_a_stranger(serve: Any) -> None:
    """A post without cookies, as another site can cause it, is answered without a deletion."""
    _, shop, visitor = serve(logout="POST /logout forget=device")
    assert "set-cookie" not in {*visitor().post("/login-page").headers}
    done = visitor().post("/logout")
    assert (done.status_code, shop.outs) == (303, 1)
    assert done.headers.get_list("set-cookie") == ["session=; Max-Age=0; Path=/"]


async def test_a_log_out_is_never_refused_for_a_limit(serve: Any) -> None:
    """Log-outs are counted nowhere, and pass where the address is over its limit."""
    _, shop, visitor = serve(limit_ip="2/hour")
    browser = visitor()
    for _ in range(4):
        browser.post("/login", username="hana", password="guess")
    assert browser.post("/login", username="hana", password="guess").status_code == 429
    assert [browser.post("/logout").status_code for _ in range(30)] == [303] * 30
    assert shop.outs == 30


async def test_a_log_out_beside_a_log_in_is_no_way_around_it(serve: Any) -> None:
    """`DELETE` of a session beside its `POST`: a request that could become the other door's is refused."""
    _, shop, visitor = serve(login="POST /session success=303", logout="DELETE /session")
    browser = visitor()
    assert browser.ask("DELETE", "/session").status_code == 303
    tried = browser.ask("DELETE", "/session", {"_method": "POST", "username": "hana", "password": "right"})
    assert (tried.status_code, shop.outs) == (400, 1)
