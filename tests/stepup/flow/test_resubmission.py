"""A second click on *Confirm*, or a retry after a lost answer, gets the same answer for the same proof."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.stepup.flow.driving import STRANGE, Client, Shop, Site, challenge

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Answer

KEY = "__Host-sekisho-step"


@pytest.fixture
async def site() -> Site:
    made = Site()
    await made.enrol()
    return made


def whole(found: Answer) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    return found.status, tuple(found.headers), found.body


async def shown(site: Site, client: Client | None = None) -> tuple[Client, str, str, Answer]:
    """A browser that has shown ticket and code, lost the answer, and still has its key."""
    client = client or site.client()
    ticket, code = challenge(await client.log_in()), site.code()
    key = client.jar[KEY]
    first = await client.show(ticket, code)
    client.jar[KEY] = key
    return client, ticket, code, first


async def test_a_second_click_has_the_same_answer(site: Site) -> None:
    """A second click gets the answer byte for byte, with the same session and device token; the application ran
    once.
    """
    client, ticket, code, first = await shown(site)
    assert (first.status, bool(first.device)) == (303, True)
    assert whole(await client.show(ticket, code)) == whole(first)
    assert site.shop.reached == [("hana", "right")]
    assert len(site.shop.sessions) == 1


async def test_two_clicks_at_once_have_one_answer(site: Site) -> None:
    """Of two clicks at once one is granted, and both get its answer."""
    client = site.client()
    ticket, code = challenge(await client.log_in()), site.code()
    one, other = await asyncio.gather(client.show(ticket, code), client.show(ticket, code))
    assert (one.status, whole(one)) == (303, whole(other))


async def test_a_click_whose_connection_is_closed_is_granted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click whose connection is closed is granted: a second click closes the first, and some servers end that
    request.
    """
    monkeypatch.setattr("sekisho.stepup.flow.proof_routes.RELEASE_S", (0.01,) * 500)
    client = site.client()
    ticket, code = challenge(await client.log_in()), site.code()
    claimed = asyncio.Event()
    loops = site.guard._loops
    assert loops is not None
    escrow = loops._running[asyncio.get_running_loop()]._step_up._runs._parts.escrow  # type: ignore[union-attr]
    take = escrow.take

    async def slowly(*given: Any) -> Any:
        claimed.set()
        await asyncio.sleep(0.01)
        return await take(*given)

    monkeypatch.setattr(escrow, "take", slowly)
    first = asyncio.ensure_future(client.show(ticket, code))
    await claimed.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await client.show(ticket, code)).status == 303


async def test_ten_seconds_later_it_is_start_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds later the client has to start again: ticket, key and code found in a log are then void."""
    client, ticket, code, _ = await shown(site)
    loops = site.guard._loops
    assert loops is not None
    clock_s = loops.process.vault._clock_s
    monkeypatch.setattr(loops.process.vault, "_clock_s", lambda: clock_s() + 10)
    again = await client.show(ticket, code)
    assert (again.status, again.code) == (410, "start_again")


@pytest.mark.parametrize("what", ["code", "holder"])
async def test_another_proof_or_another_browser_has_none(site: Site, what: str) -> None:
    """Another proof or another browser gets no second answer."""
    client, ticket, code, _ = await shown(site)
    if what == "holder":
        client = site.client()
        await client.log_in("Alice", "wonder")
    else:
        code = site.code(1)
    again = await client.show(ticket, code)
    assert (again.status, again.code) == (410, "start_again")


async def test_a_change_of_password_ends_it(site: Site) -> None:
    """A password change ends the repeat, as the session in it is void."""
    client, ticket, code, _ = await shown(site)
    changed = await client.send("/password", b"username=hana&old_password=right&new_password=never+seen+in+a+leak+17")
    assert changed.status == 303
    for _ in range(20):
        await asyncio.sleep(0)
    client.jar[KEY] = client.jar.get(KEY, "")
    again = await client.show(ticket, code)
    assert (again.status, again.code) == (410, "start_again")


async def test_the_deny_list_ends_it(site: Site) -> None:
    """The deny list ends the repeat, as it ends everything."""
    client, ticket, code, _ = await shown(site)
    client.guard = site.guarded(deny=f"{STRANGE}/32")
    assert (await client.show(ticket, code)).code == "denied"


async def test_where_the_proof_comes_first_no_effect_is_had_twice() -> None:
    """Where the application runs after the proof, a second click runs nothing."""

    class Counting(Shop):
        async def _change(self, receive: Receive, send: Send) -> None:
            self.paid.append("changed")
            await super()._change(receive, send)

    site = Site(shop=Counting())
    await site.enrol()
    client = site.client()
    body = b"username=hana&old_password=right&new_password=never+seen+in+a+leak+17"
    ticket, code = challenge(await client.send("/password", body)), site.code()
    proof = await client.show(ticket, code)
    assert "proof" in json.loads(proof.body)
    again = await client.show(ticket, code)
    assert (again.status, again.code) == (410, "start_again")
    assert site.shop.paid == []


async def test_a_large_answer_is_released_twice() -> None:
    """An answer of 16 KiB headers, as much body and the guard's own parts fits the store and is released twice."""

    class Large(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            lines = [(b"set-cookie", b"session=%b; HttpOnly" % (b"x" * 4_000)) for _ in range(4)]
            await send({"type": "http.response.start", "status": 200, "headers": lines})
            await send({"type": "http.response.body", "body": b"x" * 16_384})

    site = Site(shop=Large(), settings={"login": "POST /login form:username,password success=200"})
    await site.enrol()
    client, ticket, code, first = await shown(site)
    assert first.status == 200
    assert whole(await client.show(ticket, code)) == whole(first)


PAGES = ["/sekisho/step-up", "/sekisho/step-up/send", "/sekisho/continue"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_reload_of_a_page_that_answered_a_form_says_start_again(site: Site, path: str) -> None:
    """Reloading a page that answered a form says to start again, as text or code; nothing is shown or used up."""
    client = site.client()
    ticket = challenge(await client.log_in())
    page = await client.send(path, method="GET", headers=(), accept=b"text/html")
    assert page.status == 410
    assert page.header(b"content-type") == b"text/html; charset=utf-8"
    assert b"start again" in page.body.lower() or b"log in again" in page.body.lower()
    told = await client.send(path, method="GET", headers=())
    assert (told.status, told.code) == (410, "start_again")
    assert (await client.show(ticket, site.code())).status == 303


@pytest.mark.parametrize(
    "path", ["/sekisho/factors/totp", "/sekisho/factors/totp/confirm", "/sekisho/factors/recovery"]
)
async def test_a_reload_of_a_step_of_the_owners_page_leads_back_to_it(site: Site, path: str) -> None:
    """Reloading a step of the owner's page leads back to it; recovery codes are shown once."""
    found = await site.client().send(path, method="GET", headers=(), accept=b"text/html")
    assert (found.status, found.header(b"location")) == (303, b"/sekisho/factors")
