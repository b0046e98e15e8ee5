"""Owners hear of what changed at their account, to the earlier address too; strangers cannot flood them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest

from sekisho.model import SettingsError
from sekisho.owners import Contact
from tests.asgi.driving import JSON, answer, read
from tests.breach.making import corpus_file, digest
from tests.stepup.flow.driving import Client, Shop, Site, challenge
from tests.stepup.flow.letters import Post, subject, writing

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.asgi.types import Receive, Scope, Send

LOGIN = "POST /login form:username,password success=303"
ROUTES = "POST /payee max_age=300 notice=payout success=303:/home; POST /address max_age=300 notice=address"


class Wallet(Shop):
    """Changes the payout account and the mail address, links accounts, and answers a mistake with the form again."""

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, Contact] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path not in {"/payee", "/address", "/link", "/email"}:
            return await super().__call__(scope, receive, send)
        sent = dict(parse_qsl((await read(receive)).decode()))
        if "mistake" in sent:
            return await answer(send, 200, [(b"content-type", b"text/html")], b"<form>")
        if "email" in sent:
            self.contacts["Alice"] = Contact("2", sent["email"], "en")
        return await answer(send, 303, [(b"location", b"/home")])


async def opened(post: Post) -> Client:
    """A browser in which Alice has just shown a proof; the letter about the new device has arrived."""
    assert isinstance(post.site.shop, Wallet)
    post.site.shop.contacts = post.site.contacts
    client = post.site.client()
    assert (await client.show(challenge(await client.log_in("Alice", "wonder")), post.site.code())).status == 303
    await post.letters(1)
    return client


async def send(client: Client, path: str, **fields: str) -> int:
    return (await client.send(path, urlencode(fields).encode())).status


async def test_a_changed_payout_account_is_told_once_it_is_changed() -> None:
    """SBI: the owner hears of a new payout account before the answer has left, and not of a mistyped form."""
    async with writing(shop=Wallet(), protect=ROUTES) as post:
        client = await opened(post)
        assert await send(client, "/payee", mistake="1") == 200
        assert await send(client, "/payee", iban="DE1") == 303
        letters = await post.letters(2)
        assert letters[1].subject == subject("payout_changed")


async def test_a_changed_address_is_told_to_both_addresses() -> None:
    """A thief who changes the address first cannot keep its owner from hearing of it."""
    async with writing(shop=Wallet(), protect=ROUTES) as post:
        client = await opened(post)
        assert await send(client, "/address", email="thief@mail.example") == 303
        letters = (await post.letters(3))[1:]
        assert {one.subject for one in letters} == {subject("address_changed")}
        assert {one.to for one in letters} == {("alice@example.test",), ("thief@mail.example",)}


async def test_a_door_that_changes_the_address_is_no_change_of_password() -> None:
    """A `CHANGE` door with `notice=address` tells of the address alone, to both addresses."""
    change = "POST /email form:username,password notice=address success=303:/home"
    async with writing(shop=Wallet(), change=change) as post:
        client = await opened(post)
        fields = {"username": "Alice", "password": "wonder", "email": "new@mail.example"}
        assert await send(client, "/email", **fields) == 303
        letters = (await post.letters(3))[1:]
        assert {one.subject for one in letters} == {subject("address_changed")}
        assert {one.to for one in letters} == {("alice@example.test",), ("new@mail.example",)}


async def test_a_linked_account_is_told() -> None:
    """The owner of the account that was linked hears of it (Docomo: the bank's customers heard of nothing)."""
    async with writing(shop=Wallet(), link="POST /link form:number,pin success=303:/home") as post:
        client = await opened(post)
        assert await send(client, "/link", number="Alice", pin="1234") == 303
        letters = await post.letters(2)
        assert letters[1].subject == subject("link_added")


async def test_links_that_were_tried_are_told_where_the_site_wants_it() -> None:
    """The owner of a bank account hears that somebody tries PINs for it, once a week (Docomo)."""
    link = "POST /link form:number,pin success=303:/home"
    async with writing(shop=Wallet(), link=link, stranger_notices="link") as post:
        client = await opened(post)
        for _ in range(3):
            assert await send(client, "/link", number="hana", pin="0000", mistake="1") == 200
        letters = await post.letters(2)
        assert (letters[1].to, letters[1].subject) == (("hana@example.test",), subject("link_attempted", "ja"))
    assert len(post.server.received) == 2


async def test_a_payment_above_a_cap_is_told() -> None:
    """The owner hears of a payment that a cap has held back."""
    pay = {"protect": "POST /pay max_age=300", "caps": "POST /pay json:amount 1000/1day"}
    async with writing(shop=Wallet(), **pay) as post:
        client = await opened(post)
        assert (await client.send("/pay", json.dumps({"amount": 1001}).encode(), headers=(JSON,))).status == 403
        letters = await post.letters(2)
        assert letters[1].subject == subject("cap_reached")


async def fail(client: Client, times: int) -> None:
    for _ in range(times):
        await client.log_in("Alice", "wrong")


async def test_wrong_passwords_are_told_once_where_the_site_wants_it() -> None:
    """A burst of wrong passwords is told once, and the next one of the week is not."""
    settings: dict[str, Any] = {"account_failures_max": 3, "limit_account": "100/minute", "limit_ip": "1000/minute"}
    async with writing(stranger_notices="failures", **settings) as post:
        thief = post.site.client("203.0.113.9")
        await fail(thief, 8)
        letters = await post.letters(1)
        assert letters[0].subject == subject("failed_attempts")
        await fail(thief, 8)
    assert len(post.server.received) == 1


async def test_strangers_cause_no_notice_unless_the_site_wants_it() -> None:
    """Without the setting a burst is told to nobody: strangers could have a site mail all its owners."""
    async with writing(account_failures_max=3, limit_account="100/minute", limit_ip="1000/minute") as post:
        await fail(post.site.client("203.0.113.9"), 8)
    assert post.server.received == []


async def test_all_strangers_share_the_budget_of_a_day() -> None:
    """With a budget of one notice a day, the second account's owner is not told: the mail server's name is at stake."""
    settings: dict[str, Any] = {"account_failures_max": 3, "limit_account": "100/minute", "limit_ip": "1000/minute"}
    async with writing(stranger_notices="failures", stranger_notices_max=1, **settings) as post:
        thief = post.site.client("203.0.113.9")
        await fail(thief, 8)
        await post.letters(1)
        for _ in range(8):
            await thief.log_in("hana", "wrong")
    assert [one.to for one in post.server.received] == [("alice@example.test",)]


@pytest.mark.parametrize(
    "protect",
    [
        "POST /payee max_age=300 notice=everything",
        "GET /payee max_age=300 notice=payout",
        "POST /payee max_age=300 success=303:/home",
        "POST /payee max_age=300 notice=payout success=cookie:session",
        "POST /payee max_age=300 notice=payout notice=address",
    ],
)
def test_a_route_that_tells_of_nothing_known_stops_the_start(protect: str) -> None:
    """An unknown change, one without effect, and a rule that a route cannot have, are refused at the start."""
    with pytest.raises(SettingsError, match=r"SEKISHO_PROTECT.*route 1"):
        Site(settings={"protect": protect})


async def test_a_log_in_with_a_leaked_password_is_told_once(tmp_path: Path) -> None:
    """An owner who logs in with a leaked password hears of it once, and not with each log-in."""
    path = tmp_path / "corpus"
    corpus_file(path, {digest("wonder"): 1_000})
    async with writing(shop=Wallet(), login=LOGIN, corpus=str(path), corpus_days_max=3_650) as post:
        client = await opened(post)
        for _ in range(3):
            assert (await client.log_in("Alice", "wonder")).status == 303
        assert (await post.letters(2))[1].subject == subject("password_breached")
    assert len(post.server.received) == 2
