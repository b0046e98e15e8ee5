"""Strangers are asked for a factor in an attack; in calm, only at accounts that have enrolled one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.control.asked import AskedAccounts
from sekisho.model import Mode, Posture
from sekisho.model.posture import ToldOutcome
from sekisho.owners import Contact, MemoryOwners, OwnersError
from sekisho.testing import FakeClock
from tests.asgi.driving import answer
from tests.stepup.flow.driving import STRANGE, Shop, Site, challenge, seen, stop
from tests.stepup.flow.letters import writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Receive, Scope, Send

LOGIN = "POST /login form:username,password success=cookie:session"
BY_POSTURE: dict[str, Any] = {"step_up": "attack", "login": LOGIN}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """`hana` has enrolled an app; `Alice` and `alice` have enrolled nothing."""
    made = Site(settings=BY_POSTURE)
    await made.enrol("1")
    yield made
    await stop(made.guard)


def told(site: Site) -> list[ToldOutcome]:
    return [outcome.told for outcome in site.watch.take()]


# Calm.


async def test_in_calm_a_stranger_without_a_factor_gets_the_applications_answer(site: Site) -> None:
    client = site.client()
    found = await client.log_in("alice", "hatter")
    assert (found.status, found.header(b"location")) == (303, b"account")
    assert found.device
    assert await client.who() == "alice"
    assert site.shop.reached == [("alice", "hatter")]


async def test_in_calm_a_wrong_secret_gets_the_applications_answer_at_every_account(site: Site) -> None:
    """Enrolled, not enrolled, unknown: the same status, headers and body."""
    found = [seen(await site.client().log_in(name, "guess")) for name in ("hana", "alice", "nobody")]
    assert found[0][0] == 401
    assert found[0][2] == b"wrong"
    assert found[0] == found[1] == found[2]


async def test_in_calm_an_account_that_has_enrolled_a_factor_is_asked_for_it(site: Site) -> None:
    client = site.client()
    asked = await client.log_in("hana", "right")
    assert asked.status == 401
    assert not asked.device
    assert await client.who() == "None"
    shown = await client.show(challenge(asked), site.code())
    assert shown.status == 303
    assert await client.who() == "hana"
    assert site.shop.reached == [("hana", "right")]


@pytest.mark.parametrize("spelling", ["HANA", "hana ", "h\u00e1na", "x <hana@shop.example>"])
@pytest.mark.parametrize("settings", [BY_POSTURE, {**BY_POSTURE, "step_up": "always", "step_up_familiar": "elevated"}])
async def test_another_spelling_is_no_way_round_a_factor(
    spelling: str, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """E46: the application takes a spelling that the owners' query does not find: its right secret opens nothing."""
    site = Site(settings=settings)
    await site.enrol("1")
    site.shop.owners[spelling] = "right"
    client = site.client()
    found = await client.log_in(spelling)
    assert found.status in {400, 401}
    assert not found.device
    assert await client.who() == "None"
    if settings is BY_POSTURE and found.status == 401:
        assert challenge(found)
        assert [text for text in caplog.messages if "SEKISHO_OWNERS does not know" in text]
    await stop(site.guard)


async def test_a_query_that_finds_spellings_without_an_id_asks_everybody(site: Site) -> None:
    """E46: `HANA` is found, and its factors are those of another id: nobody passes there by the password alone."""
    site.contacts["alice"] = replace(site.contacts["alice"], ambiguous=True)
    client = site.client()
    assert (await client.log_in("alice", "hatter")).status == 401
    assert await client.who() == "None"


async def test_in_calm_an_account_under_proof_is_asked_behind_a_right_secret_only(site: Site) -> None:
    """E31: guesses do not show which accounts a campaign has entered; a thief's device that was seen is asked."""
    thief, loops = site.client(), site.guard._loops
    before = await thief.log_in("alice", "hatter")
    assert loops is not None
    guard = loops._latest._guard  # type: ignore[union-attr]
    guard.devices.asked = AskedAccounts(frozenset({b"alice"}), str.encode)
    found = [seen(await site.client().log_in(name, "guess")) for name in ("alice", "nobody")]
    del thief.jar["session"]
    asked = await thief.log_in("alice", "hatter")
    guard.devices.asked = None
    after = await thief.log_in("alice", "hatter")
    assert before.status == 303
    assert found[0] == found[1]
    assert found[0][2] == b"wrong"
    assert asked.status == 401
    assert challenge(asked)
    assert after.status == 303


async def test_an_unknown_factor_asks_instead_of_letting_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the owners' database fails, a right secret alone opens nothing."""

    async def fails(*_: object) -> None:
        raise OwnersError("gone")

    monkeypatch.setattr(type(site.people), "contact", fails)
    found = await site.client().log_in("alice", "hatter")
    assert found.status == 401
    assert not found.device


async def test_the_run_before_the_question_gets_no_session_of_the_client(site: Site) -> None:
    """A client's own session must not be logged in while the answer is withheld."""
    client = site.client()
    client.jar["session"] = "planted"
    await client.log_in("hana", "right")
    assert "planted" not in site.shop.sessions


async def test_a_device_that_succeeded_is_known_and_not_asked_in_an_attack(site: Site) -> None:
    client = site.client()
    await client.log_in("alice", "hatter")
    site.watch.force(Posture.ATTACK)
    del client.jar["session"]
    assert (await client.log_in("alice", "hatter")).status == 303


async def test_a_long_page_that_names_the_mistake_arrives_whole() -> None:
    class Wordy(Shop):
        async def _log_in(self, scope: Scope, receive: Receive, send: Send, jar: dict[str, str]) -> None:
            await receive()
            await answer(send, 200, [(b"content-type", b"text/html")], b"x" * 300_000)

    site = Site(Wordy(), settings=BY_POSTURE)
    found = await site.client().log_in("alice", "guess")
    await stop(site.guard)
    assert (found.status, len(found.body)) == (200, 300_000)


async def test_in_monitor_mode_the_application_answers_directly(site: Site) -> None:
    site.guard = site.guarded(mode=Mode.MONITOR)
    found = await site.client().log_in("hana", "right")
    assert found.status == 303
    assert told(site) == [ToldOutcome.NEW_SUCCEEDED]


# Attack.


async def test_in_an_attack_every_stranger_is_asked_alike(site: Site) -> None:
    """A right and a wrong secret, at enrolled, other and unknown accounts: one answer."""
    site.watch.force(Posture.ATTACK)
    tries = [("hana", "right"), ("hana", "guess"), ("alice", "hatter"), ("alice", "guess"), ("nobody", "guess")]
    found = [seen(await site.client().log_in(*each)) for each in tries]
    assert found[0][0] == 401
    assert all(each == found[0] for each in found)


async def test_an_elevated_posture_asks_only_where_the_setting_says_so(site: Site) -> None:
    site.watch.force(Posture.ELEVATED)
    held = await site.client().log_in("alice", "hatter")
    site.guard = site.guarded(step_up="elevated")
    site.watch.force(Posture.ELEVATED)
    asked = await site.client().log_in("alice", "hatter")
    assert (held.status, asked.status) == (303, 401)


async def test_an_owner_who_has_enrolled_nothing_shows_a_mailed_code() -> None:
    async with writing(**BY_POSTURE) as post:
        post.site.people = MemoryOwners({"kenji": Contact("4", "kenji@example.test", "en")})
        post.site.shop.owners["kenji"] = "right"
        post.site.guard = post.site.guarded()
        post.site.watch.force(Posture.ATTACK)
        client = post.site.client()
        asked = await client.log_in("kenji", "right")
        ticket = challenge(asked)
        await client.send("/sekisho/step-up/send", f"challenge={ticket}&factor=email".encode())
        code = (await post.letters(1))[0].code
        shown = await client.show(ticket, code, factor="email")
        assert shown.status == 303
        assert await client.who() == "kenji"


# What the estimate hears of it.


async def test_strangers_outcomes_are_told_and_known_devices_are_not(site: Site) -> None:
    client = site.client()
    await client.log_in("alice", "guess")
    await client.log_in("alice", "hatter")
    del client.jar["session"]
    await client.log_in("alice", "hatter")  # on its device
    assert told(site) == [ToldOutcome.FAILED, ToldOutcome.NEW_SUCCEEDED]


@pytest.mark.parametrize(("history", "first"), [("on", ToldOutcome.NEW_SUCCEEDED), ("off", ToldOutcome.SUCCEEDED)])
async def test_an_account_is_new_for_a_week_after_its_first_success(
    history: str, first: ToldOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3. A failure tells nothing of it; without histories no account is taken for new."""
    clock = FakeClock()
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", clock.clocks)
    site, found = Site(settings={**BY_POSTURE, "history": history}), []
    for days in (0, 6, 1):
        clock.advance(days=days)
        await site.client().log_in("alice", "guess")
        await site.client().log_in("alice", "hatter")
        found.append(told(site))
    assert found == [[ToldOutcome.FAILED, one] for one in (first, first, ToldOutcome.SUCCEEDED)]
    await stop(site.guard)


async def test_a_sealed_guess_leaves_the_same_trace_whether_it_was_right_or_wrong(site: Site) -> None:
    """One guess placed at the threshold tells its sender nothing by the posture."""
    traces = []
    for password in ("hatter", "guess"):
        site.watch.force(Posture.ATTACK)
        await site.client().log_in("alice", password)
        traces.append([outcome for _, outcome in site.watch._sealed])
        site.watch._sealed.clear()
        assert told(site) == []
    assert traces[0] == traces[1]
    assert [outcome.told for outcome in traces[0]] == [ToldOutcome.FAILED]


async def test_a_proof_is_told(site: Site) -> None:
    site.watch.force(Posture.ATTACK)
    client = site.client()
    asked = await client.log_in("hana", "right")
    await client.show(challenge(asked), site.code())
    assert told(site) == []  # it waits for its attempt's failure
    sealed, proved = site.watch._sealed, site.watch._proved
    assert [outcome.told for _, outcome in proved] == [ToldOutcome.PROVED]
    assert [outcome._replace(told=ToldOutcome.FAILED) for _, outcome in proved] == [outcome for _, outcome in sealed]


async def test_an_application_that_fails_is_no_attack() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await answer(send, 500, body=b"down")

    site = Site(settings=BY_POSTURE)
    site.guard = site.guarded(broken)
    found = await site.client().log_in("alice", "hatter")
    heard = told(site)
    await stop(site.guard)
    assert (found.status, heard) == (500, [])


async def test_an_attack_by_many_addresses_is_recognised_and_then_asked(site: Site) -> None:
    """Through the whole guard: 150 guesses, each from its own network at its own account."""
    for at in range(150):
        client = site.client(f"100.{at}.7.1")
        assert (await client.log_in(f"user{at}", f"guess{at}")).status in {401, 429}
    assert site.guard._loops is not None
    exchange = site.guard._loops._latest.exchanges.postures  # type: ignore[union-attr]
    assert exchange is not None
    for _ in range(2):
        await exchange.once()
    right = await site.client().log_in("alice", "hatter")
    assert right.status == 401
    assert await site.client(STRANGE).who() == "None"


async def test_a_site_for_each_guess_has_its_provider_asked_and_no_other(site: Site) -> None:
    """Row P8: 60 guesses, each from a /48 of its own in one /32."""
    for at in range(60):
        client = site.client(f"2001:db8:{at:x}::1")
        assert (await client.log_in(f"user{at}", f"guess{at}")).status == 401
    assert site.guard._loops is not None
    exchange = site.guard._loops._latest.exchanges.postures  # type: ignore[union-attr]
    assert exchange is not None
    for _ in range(2):
        await exchange.once()
    assert (await site.client("2001:db8:ffff::1").log_in("alice", "hatter")).status == 401
    assert (await site.client("2001:db9:ffff::1").log_in("alice", "hatter")).status == 303


# Off.


async def test_by_default_no_posture_is_estimated() -> None:
    site = Site(settings={"login": LOGIN})
    await site.client().log_in("alice", "guess")
    assert site.guard._loops is not None
    assert site.guard._loops.process.watch is None
    await stop(site.guard)
