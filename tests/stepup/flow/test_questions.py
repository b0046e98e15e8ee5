"""The charge for a request that was asked for work is refunded with the solution, once, and to no guess."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.simulate.solve import encoded, solved
from sekisho.wiring import MACHINE
from tests.asgi.driving import FORM, OPEN, Clock
from tests.challenge.captcha_server import SECRET, siteverify_api
from tests.stepup.flow.driving import Site, challenge
from tests.stepup.flow.test_work import HTML, sent_on

if TYPE_CHECKING:
    from tests.asgi.driving import Answer
    from tests.stepup.flow.driving import Client

HOUSE = "203.0.113.40"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of counters and shed. Codes keep the machine's: the owner's app reads that."""
    found = Clock()
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", MACHINE._replace(wall_us=found, monotonic_us=found))
    return found


def plain(**settings: Any) -> Site:
    """A site that asks for work and has no factors."""
    site = Site(settings={"factors": "none", "protect": None, "challenges": "pow", **settings})
    site.shop.owners = {f"member{n}": "right" for n in range(40)}
    return site


@pytest.fixture(autouse=True)
def _easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puzzles of 256 hashes: these tests are about charges."""
    monkeypatch.setattr("sekisho.wiring.step_up.difficulty", lambda *_: 256)


async def repeated(client: Client, first: Answer, account: str, password: str = "right") -> Answer:
    """The same attempt with the solved work, from a browser that keeps no device token."""
    client.jar.pop("__Host-sekisho", None)
    work = (b"sekisho-work", solved(json.loads(first.body)["work"]).encode())
    return await client.log_in(account, password, headers=(FORM, work))


async def test_thirty_owners_behind_one_address_all_log_in(clock: Clock) -> None:
    """Row 4.5: thirty owners behind one address log in with the default limits; from the eighth on each solves work."""
    site, statuses = plain(), []
    for n in range(30):
        clock.advance(1)
        client = site.client(HOUSE)
        first = await client.log_in(f"member{n}")
        if first.status == 401:
            clock.advance(2)
            first = await repeated(client, first, f"member{n}")
        statuses.append(first.status)

    assert statuses == [303] * 30


async def test_a_wrong_answer_returns_nothing(clock: Clock) -> None:
    """Wrong guesses are refunded nothing: of five guesses with work, both charges stand, against ten at an address."""
    site = plain(**{**OPEN, "limit_account": "1/hour", "limit_ip": "10/hour"})
    await site.client("192.0.2.1").log_in("member0", "burn")
    client, statuses = site.client(HOUSE), []
    for n in range(5):
        clock.advance(3)
        first = await client.log_in("member0", f"guess {n}")
        clock.advance(3)
        statuses.append((await repeated(client, first, "member0", f"guess {n}")).status)
    clock.advance(3)

    assert statuses == [401] * 5
    assert (await client.log_in("member1", "one more")).status == 429


async def test_log_ins_of_ones_own_buy_no_guess(clock: Clock) -> None:
    """An attacker's own log-ins with solved work buy no guess beyond the ten of the address."""
    site = plain(**{**OPEN, "limit_account": "1/hour", "limit_ip": "10/hour", "limit_lane": "9999/hour"})
    await site.client("192.0.2.1").log_in("member0", "burn")
    guesses = 0
    for n in range(12):
        clock.advance(3)
        mine = site.client(HOUSE)
        first = await mine.log_in("member0")
        if first.status == 401:
            await repeated(mine, first, "member0")
        clock.advance(3)
        guesses += (await site.client(HOUSE).log_in(f"member{n + 1}", "guess")).status == 401

    reached = [account for account, password in site.shop.reached if password == "guess"]
    assert len(reached) <= 10
    assert guesses >= len(reached)


async def test_one_solution_returns_one_question(clock: Clock) -> None:
    """A solution shown again is void."""
    site = plain(**{**OPEN, "limit_account": "1/hour", "limit_ip": "6/hour"})
    await site.client("192.0.2.1").log_in("member0", "burn")
    client = site.client(HOUSE)
    first = await client.log_in("member0")
    statuses = [(await repeated(client, first, "member0")).status for _ in range(7)]

    # The first passes; each other is a question of its own, until the address has had its six.
    assert statuses == [303] + [401] * 6


async def test_before_a_step_up_the_question_comes_back_with_the_proof(clock: Clock) -> None:
    """Before a step-up the question's charge is refunded with the proof; until then two places are missing."""
    site = Site(
        settings={**OPEN, "challenges": "pow", "limit_account": "1/hour", "limit_ip": "4/hour", "protect": None}
    )
    await site.enrol()
    await site.client("192.0.2.1").log_in("hana", "burn")
    await _settled()
    client = site.client(HOUSE)
    answered = await repeated(client, await client.log_in(), "hana")
    assert answered.code == "step_up_required"
    await _settled()
    assert (await client.show(challenge(answered), site.code())).status == 303
    await _settled()

    codes = [(await site.client(HOUSE).log_in(f"x{n}", "guess")).code for n in range(5)]
    assert codes == ["step_up_required"] * 4 + ["too_many_attempts"]


async def _settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_all_who_were_asked_may_answer(clock: Clock) -> None:
    """Twenty questions fill the address, which is shed; each solution still comes in by its question's place."""
    site, asked, statuses = plain(), [], []
    for n in range(30):
        client = site.client(HOUSE)
        asked.append((client, await client.log_in(f"member{n}"), f"member{n}"))
        clock.advance(0.1)
    firsts = [first.status for _, first, _ in asked]
    clock.advance(3)
    for client, first, account in asked:
        if first.status == 401:
            statuses.append((await repeated(client, first, account)).status)

    assert firsts == [303] * 7 + [401] * 20 + [429] * 3
    assert statuses == [303] * 20


async def test_all_who_were_asked_by_a_page_may_answer(clock: Clock) -> None:
    """Row 4.5: a page's solution is in its form; a full address reads that form for the page's cookie alone."""
    site, asked, statuses = plain(), [], []
    for n in range(30):
        client = site.client(HOUSE)
        asked.append((client, await client.log_in(f"member{n}", accept=HTML)))
        clock.advance(0.1)
    clock.advance(3)
    pages = [(client, page) for client, page in asked if page.status == 401]
    statuses = [(await sent_on(client, page)).status for client, page in pages]

    assert statuses == [303] * 20


async def test_a_page_passes_the_shed_once_and_a_forged_cookie_never(clock: Clock) -> None:
    """Row 4.5: the page's cookie passes the shed once and a forged one never: a flood would pass otherwise."""
    site = plain(**{**OPEN, "limit_account": "1/hour", "limit_ip": "4/hour"})
    await site.client("192.0.2.1").log_in("member0", "burn")
    client = site.client(HOUSE)
    page = await client.log_in("member0", "guess", accept=HTML)
    genuine = client.jar["__Host-sekisho-look"]
    for n in range(5):
        clock.advance(3)
        await site.client(HOUSE).log_in(f"member{n + 1}", "guess")
    later, mac = str(int(genuine[:10]) + 60) + genuine[10:], genuine[:-1] + ("1" if genuine[-1] == "0" else "0")
    statuses = []
    for mark in ("", "x", "1.2.3", later, mac, "9" * 5_000, genuine, genuine):
        client.jar["__Host-sekisho-look"] = mark
        statuses.append((await sent_on(client, page)).status)

    assert statuses == [429] * 6 + [401, 429]


def with_captcha(url: str) -> Site:
    """A site that asks for a captcha, beside work; four attempts an hour from one address."""
    captcha = {"captcha_sitekey": "site-1", "captcha_secret": SECRET, "captcha_hosts": "shop.example"}
    limits = {**OPEN, "limit_account": "1/hour", "limit_ip": "4/hour", "limit_lane": "9999/hour"}
    return plain(**{**limits, **captcha, "captcha_url": url, "challenges": "pow,turnstile"})


async def test_with_a_captcha_the_question_comes_back_too(clock: Clock) -> None:
    """Row 4.5: with a captcha our pages solve work too, and the work carries the receipt."""
    async with siteverify_api() as api:
        site = with_captcha(api.url)
        statuses = []
        for n in range(6):
            await site.client(f"192.0.{n}.1").log_in(f"member{n}", f"burn {n}")
            clock.advance(3)
            client = site.client(HOUSE)
            first = await client.log_in(f"member{n}", accept=HTML)
            token = {"cf-turnstile-response": api.earned()}
            statuses.append((await sent_on(client, first, **token)).status)

    assert statuses == [303] * 6


async def test_a_program_gets_its_question_back_with_a_captcha_alone(clock: Clock) -> None:
    """A program that solves the captcha sends the puzzle beside it unsolved, and is charged once."""
    async with siteverify_api() as api:
        site = with_captcha(api.url)
        statuses = []
        for n in range(6):
            await site.client(f"192.0.{n}.1").log_in(f"member{n}", f"burn {n}")
            clock.advance(3)
            client = site.client(HOUSE)
            first = await client.log_in(f"member{n}")
            work = (b"sekisho-work", encoded({"challenge": json.loads(first.body)["work"]}).encode())
            token = (b"sekisho-captcha", api.earned().encode())
            statuses.append((await client.log_in(f"member{n}", headers=(FORM, work, token))).status)

    assert statuses == [303] * 6


async def test_a_solution_passes_the_shed_once_and_what_is_none_never(clock: Clock) -> None:
    """Row 4.5: a shed address reads no body for work that was used before or never asked for."""
    site = plain(**{**OPEN, "limit_account": "1/hour", "limit_ip": "4/hour"})
    await site.client("192.0.2.1").log_in("member0", "burn")
    client = site.client(HOUSE)
    first = await client.log_in("member0", "guess")
    for n in range(5):
        clock.advance(3)
        await site.client(HOUSE).log_in(f"member{n + 1}", "guess")
    members = json.loads(first.body)["work"]
    forged = json.loads(json.dumps(members))
    forged["parameters"]["data"]["ours"] = "0" * 32
    later = json.loads(json.dumps(members))
    later["parameters"]["expiresAt"] += 60
    codes = []
    for shown in (forged, later, members, members):
        work = (b"sekisho-work", solved(shown).encode())
        codes.append((await client.log_in("member0", "guess", headers=(FORM, work))).status)

    assert codes == [429, 429, 401, 429]
    reached = [account for account, password in site.shop.reached if password == "guess"]
    assert len(reached) == 4  # three of them came in before the address was full, and one by its question's place


async def test_questions_make_no_place_at_the_account(clock: Clock) -> None:
    """A question keeps its charge at the account: its solution repeats the attempt and is free there."""
    site = plain(**{**OPEN, "limit_account": "1/hour", "limit_ip": "12/hour"})
    for n in range(8):
        await site.client(HOUSE).log_in(f"member{n + 1}", "x")
    client = site.client(HOUSE)
    first = await client.log_in("member0", "guess")
    for n in range(3):
        await site.client(HOUSE).log_in(f"member{n + 20}", "x")
    clock.advance(3)
    assert (await repeated(client, first, "member0", "guess")).body == b"wrong"
    clock.advance(3)

    elsewhere = await site.client("192.0.2.9").log_in("member0", "another")

    assert (first.code, elsewhere.code) == ("challenge_required", "challenge_required")
