"""A reset or a password change ends challenges; a stranger's request for one does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.asgi.driving import answer, read
from tests.stepup.flow.driving import STEP, Client, Shop, Site, challenge

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.stepup.factors.senders import CodeMessage

OLD, NEW = "right", "never+seen+in+a+leak+17"


class Vague(Shop):
    """Answers *thank you* to every reset request, token or password change."""

    def __init__(self, status: int = 200) -> None:
        super().__init__()
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in {"/reset", "/password"}:
            await read(receive)
            return await answer(send, self.status, body=b"thank you")
        return await super().__call__(scope, receive, send)


async def site_with(status: int = 200, **settings: Any) -> Site:
    site = Site(shop=Vague(status), settings={"change": None, "protect": None, **settings})
    await site.enrol()
    return site


async def begun(site: Site) -> tuple[Client, str]:
    client = site.client("192.0.2.9")
    return client, challenge(await client.log_in())


async def posted(site: Site, path: str, **fields: str) -> None:
    await site.client("198.51.100.200").send(path, urlencode(fields).encode())
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.mark.parametrize("rule", ["", " success=200"])
@pytest.mark.parametrize("fields", ["form:username,token,new_password", "form:username,,new_password"])
async def test_asking_for_a_reset_ends_nothing(rule: str, fields: str) -> None:
    """Requesting a reset ends nothing: knowing a name would be enough to end its owner's log-ins."""
    site = await site_with(reset=f"POST /reset {fields}{rule}")
    owner, ticket = await begun(site)
    for _ in range(3):
        await posted(site, "/reset", username="hana")
    assert (await owner.show(ticket, site.code())).status == 303


async def test_a_token_that_may_be_none_ends_nothing() -> None:
    """A reset whose answer may mean failure ends nothing."""
    site = await site_with(reset="POST /reset form:username,token,new_password")
    owner, ticket = await begun(site)
    await posted(site, "/reset", username="hana", token="made+up", new_password=NEW)
    assert (await owner.show(ticket, site.code())).status == 303


async def test_a_reset_that_succeeded_ends_everything() -> None:
    """Row 83: a successful reset ends all challenges of anyone who had the old password."""
    site = await site_with(reset="POST /reset form:username,token,new_password success=200")
    owner, ticket = await begun(site)
    await posted(site, "/reset", username="hana", token="mailed", new_password=NEW)
    assert (await owner.show(ticket, site.code())).code == "start_again"


class ByToken(Shop):
    """Takes every token for one of a mail that asked for a reset; reports whose it is, if it is told to."""

    def __init__(self, reported: str) -> None:
        super().__init__()
        self.reported = reported

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/reset":
            return await super().__call__(scope, receive, send)
        await read(receive)
        if self.reported:
            scope["state"]["sekisho"].report(success=True, account=self.reported)
        return await answer(send, 303, [(b"location", b"/login")])


@pytest.mark.parametrize(("reported", "status"), [("hana", 410), ("", 303)])
async def test_a_reset_whose_form_names_no_account_is_reported_or_said(
    reported: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A token names nobody to the guard. Where the application says whose it was, a thief's step-up ends; where it does
    not, the log says that it goes on.
    """
    reset = "POST /reset form:,token,password success=303:/login"
    site = Site(shop=ByToken(reported), settings={"change": None, "protect": None, "reset": reset})
    await site.enrol()
    thief, ticket = await begun(site)
    await posted(site, "/reset", token="mailed", password=NEW)
    assert (await thief.show(ticket, site.code())).status == status
    assert [line.endswith("[SEK093]") for line in caplog.messages if "POST /reset" in line] == [True] * (not reported)


class Flashing(Shop):
    """Answers every reset, with any token, by a redirect and a new session that holds a message."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/reset":
            return await super().__call__(scope, receive, send)
        await read(receive)
        return await answer(send, 303, [(b"location", b"/thanks"), (b"set-cookie", b"session=flash; HttpOnly")])


@pytest.mark.parametrize(("rule", "status"), [("", 303), (" success=303:/thanks", 401)])
async def test_a_guessed_reset_ends_nothing(rule: str, status: int) -> None:
    """Where no rule tells a reset from a made-up token, no stranger may make an owner's device unknown with one, or end
    the owner's step-up.
    """
    reset = f"POST /reset form:username,token,new_password{rule}"
    login = "POST /login form:username,password success=303:/account"
    site = Site(shop=Flashing(), settings={"change": None, "protect": None, "reset": reset, "login": login})
    await site.enrol()
    owner, ticket = await begun(site)
    assert (await owner.show(ticket, site.code())).status == 303
    assert (await owner.log_in()).status == 303
    elsewhere, pending = await begun(site)
    await posted(site, "/reset", username="hana", token="made+up", new_password=NEW)
    assert (await owner.log_in()).status == status
    assert (await elsewhere.show(pending, site.code(1))).status == (303 if status == 303 else 410)


CHANGE = "POST /password form:username,old_password,new_password"


async def test_a_change_in_the_owners_session_ends_everything_though_nobody_can_tell() -> None:
    """A change in the owner's session ends all challenges, the owner's too, although its success is unclear."""
    site = await site_with(change=CHANGE)
    at_home = site.client()
    await at_home.show(challenge(await at_home.log_in()), site.code(-1))
    thief, ticket = await begun(site)
    fields = {"username": "hana", "old_password": OLD, "new_password": NEW}
    assert (await at_home.send("/password", urlencode(fields).encode())).body == b"thank you"
    for _ in range(30):
        await asyncio.sleep(0)
    assert (await thief.show(ticket, site.code())).code == "start_again"


async def test_a_reset_without_a_rule_is_named_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """A reset door without a success rule is named at the start: challenges of the old password would go on."""
    site = await site_with(reset="POST /reset form:username,token,new_password")
    await site.client().log_in()
    assert "SEKISHO_RESET: no success= rule for POST /reset" in caplog.text
    caplog.clear()
    site = await site_with(reset="POST /reset form:username,token,new_password success=302")
    await site.client().log_in()
    assert "SEKISHO_RESET" not in caplog.text


async def test_a_log_in_under_way_is_sent_its_code_again() -> None:
    """An attacker with the password can use up the hourly mails; an owner in a step-up is still sent the code again."""
    sent: list[CodeMessage] = []

    async def on_code(message: CodeMessage) -> None:
        sent.append(message)

    site = Site(settings={"factors": "webhook", "on_code": on_code, "protect": None, "change": None})
    owner, ticket = await begun(site)
    ask = urlencode({"challenge": ticket, "factor": "webhook"}).encode()

    async def told(client: Client, body: bytes, codes: int) -> None:
        await client.send(f"{STEP}/send", body)
        async with asyncio.timeout(20):
            while len(sent) < codes:  # noqa: ASYNC110 - a task of its own sends it
                await asyncio.sleep(0.001)

    await told(owner, ask, 1)
    for n in range(5):
        thief = site.client(f"198.51.{n}.3")
        other = challenge(await thief.log_in())
        await told(thief, urlencode({"challenge": other, "factor": "webhook"}).encode(), min(n + 2, 5))
    await told(owner, ask, 6)
    assert [message.code for message in sent].count(sent[0].code) == 2
    assert sent[5].code == sent[0].code
    assert (await owner.show(ticket, sent[0].code, "webhook")).status == 303
