"""Caps at protected routes: amounts are counted, refused, given back, or need a proof."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.model import StoreUnavailable
from sekisho.stepup.flow.capped_routes import CappedRoutes
from tests.asgi.driving import FORM, JSON, read
from tests.stepup.flow.driving import Client, Shop, Site, challenge, stop

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.ledger.caps import CapVerdict
    from sekisho.owners import Contact
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later


class Bank(Shop):
    """Pays out what it is asked for, or answers with a status that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.breaks = ""
        self.trails = False
        self.sums: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != "/pay":
            return await super().__call__(scope, receive, send)
        body = await read(receive)
        if self.breaks == "before":
            raise ConnectionError
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        if self.breaks == "within":
            raise ConnectionError
        await send({"type": "http.response.body", "body": b"words: refused"})
        if self.trails:
            await send({"type": "http.response.trailers", "headers": []})
        if self.status == 200:
            said = json.loads(body) if body.startswith(b"{") else {}
            self.sums.append(int(said.get("amount", 0)))
        return None


async def banked(caps: str = "POST /pay json:amount form:amount 1000/1day", **settings: Any) -> tuple[Bank, Client]:
    """A bank, and a browser with a session that its owner has just proved."""
    bank = Bank()
    site = Site(bank, settings={"caps": caps, **settings})
    await site.enrol("1")
    client = site.client()
    assert (await client.show(challenge(await client.log_in()), site.code(-1))).status == 303
    client.site = site  # type: ignore[attr-defined]
    return bank, client


async def pay(client: Client, amount: object, **more: Any) -> Answer:
    return await client.send("/pay", json.dumps({"amount": amount}).encode(), headers=(JSON,), **more)


async def test_beyond_the_cap_a_transfer_is_refused_and_never_reaches_the_application() -> None:
    """A sum up to the cap passes; one unit more is answered 403 `cap_reached` (SBI, Docomo: the loss is bounded)."""
    bank, client = await banked()
    assert (await pay(client, 600)).status == 200
    refused = await pay(client, 401)
    assert (refused.status, refused.code) == (403, "cap_reached")
    assert (await pay(client, "400")).status == 200
    assert (await pay(client, 1)).status == 403
    assert bank.sums == [600, 400]


async def test_two_hundred_parallel_transfers_never_exceed_the_cap() -> None:
    """200 parallel transfers of 10: exactly those that fit are made."""
    bank, client = await banked()
    answers = await asyncio.gather(*(pay(client, 10) for _ in range(200)))
    assert sum(bank.sums) == 1000
    assert sum(found.status == 403 for found in answers) == 100


async def test_a_flood_of_amounts_beyond_the_cap_looks_its_owner_up_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threat E48: each look-up takes a connection of the owners' database, which log-ins need as well."""
    _, client = await banked()
    site: Site = client.site  # type: ignore[attr-defined]
    found, asked, goes_on = site.people.contact, [], asyncio.Event()

    async def slow(account: str) -> Contact | None:
        asked.append(account)
        await goes_on.wait()
        return await found(account)

    monkeypatch.setattr(site.people, "contact", slow)
    answers = await asyncio.gather(*(pay(client, 2_000) for _ in range(50)))
    assert ({found.code for found in answers}, asked) == ({"cap_reached"}, ["hana"])
    goes_on.set()
    await asyncio.sleep(0)
    assert (await pay(client, 2_000)).code == "cap_reached"
    await stop(site.guard)
    assert asked == ["hana"] * 2


async def test_another_session_of_the_account_has_no_cap_of_its_own() -> None:
    """The cap is the account's: a second session shares it."""
    bank, client = await banked()
    await pay(client, 1000)
    site: Site = client.site  # type: ignore[attr-defined]
    other = site.client("203.0.113.5")
    assert (await other.show(challenge(await other.log_in()), site.code())).status == 303
    assert (await pay(other, 1)).status == 403
    assert bank.sums == [1000]


async def test_a_socket_is_closed_where_amounts_have_a_cap() -> None:
    """Amounts over a WebSocket would not be counted, so none opens there."""
    bank, client = await banked()
    assert [message["type"] for message in await client.connect("/pay")] == ["websocket.close"]
    assert bank.sums == []


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_an_explicit_refusal_by_the_application_gives_the_amount_back(status: int) -> None:
    """After a 4xx no money has moved, so the sum is free again."""
    bank, client = await banked()
    bank.status = status
    for _ in range(3):
        assert (await pay(client, 1000)).status == status
    bank.status = 200
    assert (await pay(client, 1000)).status == 200


async def test_a_refusal_with_trailers_gives_back_its_own_amount_alone(later: Later) -> None:
    """What follows the end of a refusal (trailers) takes no other amount out of the sum.

    Of more than 64 entries those nearest in time are joined: a second return would find another amount in its entry.
    """
    bank, client = await banked("POST /pay json:amount 1000/1day")
    for _ in range(64):
        later.seconds += 1
        assert (await pay(client, 10)).status == 200
    bank.status, bank.trails = 400, True
    assert (await pay(client, 10)).status == 400
    bank.status = 200
    assert (await pay(client, 361)).status == 403


@pytest.mark.parametrize(
    ("status", "breaks"), [(500, ""), (503, ""), (408, ""), (200, ""), (303, ""), (400, "within"), (200, "before")]
)
async def test_what_may_have_moved_money_stays_counted(status: int, breaks: str) -> None:
    """A 5xx, a timeout, a cut answer or words in a page prove nothing: the charge stands."""
    bank, client = await banked()
    bank.status, bank.breaks = status, breaks
    if breaks:
        with pytest.raises(ConnectionError):
            await pay(client, 1000)
    else:
        await pay(client, 1000)
    bank.status, bank.breaks = 200, ""
    assert (await pay(client, 1)).status == 403


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount": 1, "amount": 2}',
        b'{"amount": 1e3}',
        b'{"amount": 1.0}',
        b'{"amount": -1}',
        b'{"amount": "1,000"}',
        b'{"amount": "01"}',
        b'{"amount": " 1"}',
        '{"amount": "１"}'.encode(),
        b'{"amount": true}',
        b'{"amount": [1]}',
        b'{"amount": 1000000000000000}',
        b'{"amount": null}',
        b'{"other": 1}',
        b'[{"amount": 1}]',
        b"",
    ],
)
async def test_an_amount_that_could_be_read_in_two_ways_is_refused(body: bytes) -> None:
    """Otherwise the sum here would differ from the sum that the application moves."""
    bank, client = await banked()
    refused = await client.send("/pay", body, headers=(JSON,))
    assert (refused.status, refused.code) == (400, "unreadable_attempt")
    assert not bank.sums


async def test_an_amount_in_a_form_is_read_and_two_are_refused() -> None:
    """A form names its amount once, and not in the query as well."""
    _, client = await banked()
    assert (await client.send("/pay", urlencode({"amount": 600}).encode(), headers=(FORM,))).status == 200
    assert (await client.send("/pay", b"amount=1&amount=900", headers=(FORM,))).status == 400
    assert (await client.send("/pay", b"amount=1", headers=(FORM,), query="amount=900")).status == 400
    assert (await client.send("/pay", b"amount=401", headers=(FORM,))).status == 403
    assert (await client.send("/pay", b"amount=1", headers=((b"content-type", b"text/plain"),))).status == 415


async def test_another_method_or_spelling_is_no_way_around() -> None:
    """Each spelling that a lenient router may take for the route is counted."""
    bank, client = await banked()
    await pay(client, 1000)
    assert (await pay(client, 1, method="PUT")).status == 403
    for path in ("/Pay", "//pay", "/x/../pay", "/pay/"):
        body = b'{"amount": 1}'
        assert (await client.send(path, body, headers=(JSON,))).status == 403
    assert bank.sums == [1000]


async def test_without_the_store_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be counted is answered 503, and does not reach the application."""
    bank, client = await banked(on_store_failure="open")
    site: Site = client.site  # type: ignore[attr-defined]
    loops = site.guard._loops
    assert loops is not None
    step_up = loops._here()._step_up
    assert step_up is not None
    caps = step_up.caps
    assert isinstance(caps, CappedRoutes)

    async def away(*_: object) -> CapVerdict:
        raise StoreUnavailable

    monkeypatch.setattr(caps._ledger, "take", away)
    refused = await pay(client, 1)
    assert (refused.status, refused.code) == (503, "unavailable")
    assert not bank.sums


async def test_over_the_cap_a_proof_lets_one_request_pass(later: Later) -> None:
    """`over=step_up`: beyond the cap each request needs a proof that was shown for it, for this amount or more."""
    bank, client = await banked("POST /pay json:amount 1000/1day over=step_up")
    site: Site = client.site  # type: ignore[attr-defined]
    later.seconds = 60  # the log-in's own proof is fresh, and is not enough
    asked = await pay(client, 5000)
    assert (asked.status, asked.code) == (401, "step_up_required")
    assert (await pay(client, 5000)).status == 401
    asked = await pay(client, 5000)
    assert (await client.show(challenge(asked), site.code())).status == 200
    assert (await pay(client, 5000)).status == 200
    assert (await pay(client, 5000)).status == 401
    assert bank.sums == [5000]
    # Beyond the cap nothing was counted: up to it, no further proof is needed.
    assert (await pay(client, 1000)).status == 200


async def test_a_proof_for_a_small_amount_does_not_move_a_greater_one(later: Later) -> None:
    """An attacker who has the session cannot use the owner's proof for another sum."""
    bank, client = await banked("POST /pay json:amount 1000/1day over=step_up")
    site: Site = client.site  # type: ignore[attr-defined]
    later.seconds = 60
    asked = await pay(client, 1001)
    assert (await client.show(challenge(asked), site.code())).status == 200
    assert (await pay(client, 900_000)).status == 401
    assert not bank.sums


@pytest.fixture
def frozen(later: Later, monkeypatch: pytest.MonkeyPatch) -> Later:
    """The wall clock stands still, but for `seconds`: all that a quick program does happens in one second."""
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time", lambda: now_ns / 1e9 + later.seconds)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns + int(later.seconds * 1e9))
    return later


OVER = "POST /pay json:amount 1000/1day over=step_up"


@pytest.mark.usefixtures("frozen")
async def test_the_proof_of_a_log_in_moves_nothing_beyond_the_cap() -> None:
    """A quick thief with one relayed code: the proof that let them in opens no sum that is asked for after it."""
    bank, client = await banked(OVER)
    for amount in (5_000, 5_000, 9_000, 9_000):
        assert (await pay(client, amount)).status == 401
    assert not bank.sums


async def test_a_proof_that_has_served_does_not_serve_again_within_its_second(frozen: Later) -> None:
    """The owner's proof for one sum moves it once, not another in the same second, nor by another session."""
    bank, client = await banked(OVER)
    site: Site = client.site  # type: ignore[attr-defined]
    frozen.seconds = 30
    other = await site.logged_in()
    frozen.seconds = 60
    asked = await pay(client, 5_000)
    assert (await client.show(challenge(asked), site.code())).status == 200
    assert (await pay(client, 5_000)).status == 200
    for thief in (client, client, other, client, other):
        assert (await pay(thief, 9_000)).status == 401
    assert bank.sums == [5_000]


async def test_a_session_without_a_fresh_proof_is_not_counted(later: Later) -> None:
    """A request that is asked for a proof charges nothing: it has not been passed on."""
    bank, client = await banked()
    site: Site = client.site  # type: ignore[attr-defined]
    later.seconds = 400
    asked = await pay(client, 1000)
    assert asked.status == 401
    assert (await client.show(challenge(asked), site.code())).status == 200
    assert (await pay(client, 1000)).status == 200
    assert bank.sums == [1000]


async def test_a_look_at_the_route_needs_no_amount() -> None:
    """A GET without a body shows the form."""
    _, client = await banked()
    assert (await client.send("/pay", method="GET")).status == 200
