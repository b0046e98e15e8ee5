"""Links: the account that is logged in shows the proof; the account that it links is counted, and asked for nothing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from tests.asgi.driving import OPEN, address, answer, read
from tests.stepup.flow.driving import Shop, Site
from tests.stepup.flow.over_http import PROXY, Visitor, visited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.stepup.flow.conftest import Later

LINK = "POST /link form:number,pin success=303:/home"
TIE = "__Host-sekisho-tie"


class Bank(Shop):
    """The shop, where a bank account may be linked; number n has the PIN n % 10,000."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/link":
            return await super().__call__(scope, receive, send)
        sent = dict(parse_qsl((await read(receive)).decode()))
        if not sent:
            return await answer(send, 200, body=b"the form")
        self.tried.append((sent["number"], sent["pin"]))
        is_right = sent["number"].isdecimal() and int(sent["number"]) % 10_000 == int(sent["pin"])
        return await answer(send, 303 if is_right else 401, [(b"location", b"/home")])


@pytest.fixture
def serve(later: Later) -> Iterator[Any]:
    """Serve a bank with these settings over HTTP."""
    with ExitStack() as stack:

        def served(**settings: Any) -> tuple[Site, Bank, Callable[..., Visitor]]:
            bank = Bank()
            wide = {**OPEN, "limit_account": "9999/minute", "trusted_proxies": PROXY}
            site = Site(bank, {"link": LINK, "login": "POST /login success=cookie:session", **wide, **settings})
            return site, bank, stack.enter_context(visited(site.guard))

        yield served


async def logged_in(site: Site, visitor: Callable[..., Visitor], where: str = "198.51.100.77") -> Visitor:
    """A browser with a session that `hana` has proved."""
    await site.enrol("1")
    browser = visitor(where)
    shown = browser.prove(browser.post("/login", username="hana", password="right"), site.code(-1))
    assert shown.status_code == 303
    return browser


def again(browser: Visitor) -> None:
    """Log in again on the device, which is known by now: without a proof."""
    browser.jar = {name: value for name, value in browser.jar.items() if name not in {TIE, "session"}}
    assert browser.post("/login", username="hana", password="right").status_code == 303


async def test_the_client_proves_its_own_account_and_links_another(serve: Any, later: Later) -> None:
    """The proof is of the session's account. The target, `Alice` or a number that nobody has, is asked for nothing."""
    site, bank, visitor = serve()
    browser = await logged_in(site, visitor)
    assert browser.post("/link", number="5001234", pin="1234").headers["location"] == "/home"
    again(browser)
    for target in ("Alice", "5001234", "nobody"):
        asked = browser.post("/link", number=target, pin="1234")
        assert asked.status_code == 401
        assert 'max_age="600"' in asked.headers["www-authenticate"]
    assert len(bank.tried) == 1
    later.seconds = 60
    assert browser.prove(asked, site.code()).json() == {"proved": "POST /link"}
    assert browser.post("/link", number="5001234", pin="1234").status_code == 303
    later.seconds = 60 + 599
    assert browser.post("/link", number="7", pin="0007").status_code == 303
    later.seconds = 60 + 601
    assert browser.post("/link", number="8", pin="0008").status_code == 401
    assert [number for number, _ in bank.tried] == ["5001234", "5001234", "7"]


async def test_without_a_session_nothing_is_linked_and_nobody_is_asked(serve: Any) -> None:
    """A client without a session is told to log in, for any target: a proof of the target would not help."""
    site, bank, visitor = serve()
    await site.enrol("2")
    stranger = visitor()
    for target in ("Alice", "5001234"):
        asked = stranger.post("/link", number=target, pin="1234")
        assert (asked.status_code, asked.json()["code"]) == (401, "step_up_required")
        assert "challenge" not in asked.json()
    assert b"log in" in stranger.post("/link", "text/html", number="Alice", pin="1234").content.lower()
    assert not bank.tried


async def test_a_proof_lifts_no_limit_on_targets(serve: Any) -> None:
    """Docomo: a thief proves an account of their own. Its targets are counted all the same, from any address."""
    site, bank, visitor = serve(link_account_max=4)
    thief = await logged_in(site, visitor)
    found = []
    for number in range(8):
        thief.address = address(number)
        found.append(thief.post("/link", number=f"{70_000 + number}", pin=f"{number:04}").status_code)
    assert found == [303] * 4 + [429] * 4
    assert len(bank.tried) == 4


async def test_one_pin_at_many_targets_is_refused_to_proved_accounts_too(serve: Any) -> None:
    """One PIN sideways: after eight numbers at which it was wrong it is refused. More proofs buy no more guesses."""
    site, bank, visitor = serve(link_account_max=100)
    thief = await logged_in(site, visitor)
    found = []
    for number in range(20):
        thief.address = address(number)
        found.append(thief.post("/link", number=f"{70_000 + number}", pin="1234").status_code)
    assert found == [401] * 7 + [429] * 13
    assert len(bank.tried) == 7


async def test_the_page_of_a_link_asks_beforehand(serve: Any, later: Later) -> None:
    """Written as a protected route as well, a LINK door has that age, class and page."""
    site, bank, visitor = serve(protect="POST /link max_age=300 page=/link")
    browser = await logged_in(site, visitor)
    assert browser.ask("GET", "/link").text == "the form"
    later.seconds = 160
    assert browser.ask("GET", "/link").status_code == 401
    assert browser.post("/link", number="7", pin="0007").status_code == 303
    later.seconds = 301
    asked = browser.post("/link", number="7", pin="0007")
    assert (asked.status_code, 'max_age="300"' in asked.headers["www-authenticate"]) == (401, True)
    assert len(bank.tried) == 1


async def test_a_class_that_a_route_requires_is_required_of_the_link(serve: Any) -> None:
    """`acr=phr` at the route: a code of an app opens no link."""
    site, bank, visitor = serve(
        protect="POST /link max_age=300 acr=phr", factors="webauthn,totp", passkey_domain="shop.test"
    )
    browser = await logged_in(site, visitor)
    asked = browser.post("/link", number="7", pin="0007")
    assert (asked.status_code, 'acr_values="phr"' in asked.headers["www-authenticate"]) == (401, True)
    assert not bank.tried


async def test_in_monitor_mode_links_pass(serve: Any) -> None:
    """In monitor mode nothing is asked, and a link without a session passes."""
    _, bank, visitor = serve(mode="monitor")
    assert visitor().post("/link", number="7", pin="0007").status_code == 303
    assert bank.tried
