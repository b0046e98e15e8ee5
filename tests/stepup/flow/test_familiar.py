"""Familiar strangers are not asked where the site says so; only a right secret ever shows who is familiar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.control.asked import AskedAccounts
from sekisho.judge.posture import DoorPosture, PostureState, Segment
from sekisho.model import Posture
from sekisho.model.posture import ToldOutcome
from sekisho.owners import Contact, MemoryOwners
from sekisho.simulate.virtual_loop import VirtualLoop
from sekisho.stepup.flow import held_log_ins
from tests.asgi.driving import answer
from tests.stepup.flow.driving import Shop, Site, challenge, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.stepup.factors.senders import CodeMessage
    from tests.asgi.driving import Answer
    from tests.stepup.flow.driving import Client

HOME, AWAY = "198.51.100.77", "203.0.113.5"
LOGIN = "POST /login form:username,password success=cookie:session"
QUESTION_S = 2.0


class Town(Site):
    """`kenji` gets codes by message; `hana` has enrolled an app. Both have proved themselves from `HOME`."""

    def __init__(self, shop: Shop | None = None, **settings: str) -> None:
        self.codes: asyncio.Queue[str] = asyncio.Queue()

        async def send(message: CodeMessage) -> None:
            self.codes.put_nowait(message.code)

        given: dict[str, Any] = {"step_up_familiar": "elevated", "factors": "totp,webhook", "on_code": send}
        super().__init__(shop or Shop(), settings={"login": LOGIN, **given, **settings})
        self.contacts["kenji"] = Contact("4", None, "en")
        self.people = MemoryOwners(self.contacts)
        self.guard = self.guarded()
        self.shop.owners["kenji"] = "right"

    async def settle_in(self) -> Town:
        await self.enrol("1")
        client = self.client(HOME)
        ticket = challenge(await client.log_in("kenji"))
        await client.send("/sekisho/step-up/send", f"challenge={ticket}&factor=webhook".encode())
        assert (await client.show(ticket, await self.codes.get(), factor="webhook")).status == 303
        hana = self.client(HOME)
        assert (await hana.show(challenge(await hana.log_in("hana")), self.code())).status == 303
        return self

    async def raise_alarm(self, *, home_score: float = 0.0) -> None:
        """The worker hears that the site is attacked. `home_score`: of the network of `HOME`."""
        await self.client(HOME).log_in("nobody", "guess")
        _, told = self.watch._sealed[-1]
        door = DoorPosture(Segment(30.0, posture=Posture.ATTACK), networks={told.network: Segment(home_score)})
        self.watch.hear(PostureState({told.door: door}))


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On virtual time: waiting takes none, and its length is exact."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work())


async def timed(client: Client, account: str, password: str) -> tuple[float, Answer]:
    began_s = asyncio.get_running_loop().time()
    found = await client.log_in(account, password)
    return round(asyncio.get_running_loop().time() - began_s, 6), found


def test_a_familiar_stranger_in_calm_is_not_asked_and_becomes_no_more_than_seen() -> None:
    async def story() -> None:
        town = await Town().settle_in()
        client = town.client(HOME)
        took_s, found = await timed(client, "kenji", "right")
        assert (found.status, found.header(b"location"), took_s) == (303, b"account", 0.0)
        assert await client.who() == "kenji"
        assert (await client.send("/pay")).status == 401  # a protected route asks as ever
        # The token that it got spares nothing elsewhere, and nothing in an alarm.
        client.jar.pop("session")
        client.address = AWAY
        assert (await client.log_in("kenji")).status == 401
        client.address = HOME
        took_s, wrong = await timed(client, "kenji", "typo")
        assert (wrong.body, took_s) == (b"wrong", 0.0)  # and of its typing errors it is told
        assert (await client.log_in("kenji")).status == 303
        client.jar.pop("session")
        town.watch.force(Posture.ELEVATED)
        assert (await client.log_in("kenji")).status == 401

    run(story)


def test_a_familiar_stranger_is_given_back_what_the_same_browser_mistyped() -> None:
    """The right password is released without a proof. A neighbour's guess at the account stands."""

    async def story() -> None:
        town = await Town(limit_ip="9/hour").settle_in()
        client = town.client(HOME)
        for browser, password in ((client, "typo 1"), (client, "typo 2"), (town.client(HOME), "guess")):
            assert (await browser.log_in("kenji", password)).code == "step_up_required"
        assert (await client.log_in("kenji")).status == 303

        codes = [(await town.client(HOME).log_in(f"neighbour {n}", "typo")).code for n in range(12)]
        assert codes.count("step_up_required") == 8

    run(story)


@pytest.mark.parametrize("posture", [Posture.ELEVATED, Posture.ATTACK])
def test_an_alarm_asks_familiar_strangers_too(posture: Posture) -> None:
    async def story() -> None:
        town = await Town().settle_in()
        town.watch.force(posture)
        took_s, found = await timed(town.client(HOME), "kenji", "right")
        assert (found.status, took_s) == (401, 0.0)

    run(story)


def test_an_account_with_an_enrolled_factor_is_asked_also_where_it_is_familiar() -> None:
    async def story() -> None:
        town = await Town().settle_in()
        took_s, found = await timed(town.client(HOME), "hana", "right")
        assert (found.status, took_s) == (401, QUESTION_S)
        assert not found.device

    run(story)


def test_a_secret_that_opens_nothing_shows_nothing() -> None:
    """Row P7: wrong at familiar, unfamiliar and unknown accounts, right at one that is unfamiliar: one answer."""

    async def story() -> None:
        town = await Town().settle_in()
        tries = [
            (HOME, "kenji", "guess"),
            (AWAY, "kenji", "guess"),
            (HOME, "alice", "guess"),
            (HOME, "nobody", "guess"),
            (HOME, "hana", "guess"),
            (AWAY, "kenji", "right"),
            (HOME, "alice", "hatter"),
        ]
        reached = len(town.shop.reached)
        found = [await timed(town.client(address), *each) for address, *each in tries]
        assert {took_s for took_s, _ in found} == {QUESTION_S}
        assert found[0][1].status == 401
        answers = [seen(one) for _, one in found]
        assert [one[:3] for one in answers] == [answers[0][:3]] * len(tries)
        # A ticket names its account, so its length goes by the name that the client sent.
        assert {size for (_, account, _), (*_, size) in zip(tries, answers, strict=True) if len(account) == 5} == {
            answers[0][3]
        }
        assert town.shop.reached[reached:] == [(account, password) for _, account, password in tries]

    run(story)


def test_an_account_under_proof_is_asked_at_the_same_time_as_others() -> None:
    """After a campaign: neither is its familiar thief spared, nor does the time tell which accounts these are."""

    async def story() -> None:
        town = await Town().settle_in()
        assert town.guard._loops is not None
        guard = town.guard._loops._latest._guard  # type: ignore[union-attr]
        guard.devices.asked = AskedAccounts(frozenset({b"kenji"}), str.encode)
        for password in ("right", "guess"):
            took_s, found = await timed(town.client(HOME), "kenji", password)
            assert (found.status, took_s) == (401, QUESTION_S)

    run(story)


def test_a_sealed_guess_is_told_as_a_failure_and_a_released_log_in_as_a_success() -> None:
    async def story() -> None:
        town = await Town().settle_in()
        town.watch.take()
        town.watch._sealed.clear()
        await town.client(HOME).log_in("kenji", "guess")
        await town.client(AWAY).log_in("kenji", "right")
        assert town.watch.take() == []
        assert [outcome.told for _, outcome in town.watch._sealed] == [ToldOutcome.FAILED, ToldOutcome.FAILED]
        await town.client(HOME).log_in("kenji", "right")
        assert [outcome.told for outcome in town.watch.take()] == [ToldOutcome.NEW_SUCCEEDED]

    run(story)


def test_an_answer_after_the_question_stays_behind_it() -> None:
    """A slow application spares nobody: the question does not wait for it, and the proof opens what it answered."""

    class Slow(Shop):
        pause_s = 0.0

        async def _log_in(self, scope: Scope, receive: Receive, send: Send, jar: dict[str, str]) -> None:
            await asyncio.sleep(self.pause_s)
            await super()._log_in(scope, receive, send, jar)

    async def story() -> None:
        shop = Slow()
        town = await Town(shop).settle_in()
        shop.pause_s = 3.0
        client = town.client(HOME)
        took_s, asked = await timed(client, "kenji", "right")
        assert (took_s, asked.status) == (QUESTION_S, 401)
        await asyncio.sleep(2.0)
        ticket = challenge(asked)
        await client.send("/sekisho/step-up/send", f"challenge={ticket}&factor=webhook".encode())
        assert (await client.show(ticket, await town.codes.get(), factor="webhook")).status == 303

    run(story)


def test_beyond_the_places_all_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood holds no more questions back than there are places, and then nobody is spared."""
    monkeypatch.setattr(held_log_ins, "HELD_MAX", 1)

    async def story() -> None:
        town = await Town().settle_in()
        held = asyncio.create_task(timed(town.client(AWAY), "alice", "guess"))
        await asyncio.sleep(1.0)
        took_s, found = await timed(town.client(HOME), "kenji", "right")
        assert (took_s, found.status) == (0.0, 401)
        assert (await held)[0] == QUESTION_S
        assert (await town.client(HOME).log_in("kenji", "right")).status == 303

    run(story)


async def hussein_at_home(town: Town) -> Client:
    """The browser of an owner who has proved it; `hussein` is counted together with `husein`."""
    town.shop.owners["hussein"] = "right"
    town.contacts["hussein"] = Contact("7", None, "en")
    town.people = MemoryOwners(town.contacts)
    town.guard = town.guarded()
    client = town.client(HOME)
    ticket = challenge(await client.log_in("hussein"))
    await client.send("/sekisho/step-up/send", f"challenge={ticket}&factor=webhook".encode())
    assert (await client.show(ticket, await town.codes.get(), factor="webhook")).status == 303
    client.jar.pop("session")
    return client


def test_a_device_of_a_name_that_is_counted_with_similar_ones_is_familiar_too() -> None:
    """Strangers are counted under that name and devices under the account's own: both know where it succeeded."""

    async def story() -> None:
        town = Town()
        await hussein_at_home(town)
        client = town.client(HOME)
        assert (await client.log_in("hussein")).status == 303  # a familiar stranger, whose device is seen from now on
        assert (await client.log_in("hussein")).status == 303
        client.address = AWAY
        assert (await client.log_in("hussein")).status == 401

    run(story)


def test_a_network_where_a_device_of_such_a_name_succeeded_is_familiar_to_strangers() -> None:
    """A device that is proved is not asked, wherever it comes from."""

    async def story() -> None:
        town = Town()
        client = await hussein_at_home(town)
        assert (await town.client(AWAY).log_in("hussein")).status == 401
        client.address = AWAY
        assert (await client.log_in("hussein")).status == 303
        assert (await town.client(AWAY).log_in("hussein")).status == 303

    run(story)


def test_in_an_alarm_unfamiliar_strangers_are_asked_before_familiar_ones() -> None:
    async def story() -> None:
        town = Town(step_up="elevated", step_up_familiar="attack")
        await town.client(HOME).log_in("alice", "hatter")  # in calm nobody is asked
        town.watch.force(Posture.ELEVATED)
        assert (await town.client(HOME).log_in("alice", "hatter")).status == 303
        assert (await town.client(AWAY).log_in("alice", "hatter")).status == 401
        town.watch.force(Posture.ATTACK)
        assert (await town.client(HOME).log_in("alice", "hatter")).status == 401

    run(story)


def test_with_never_an_attack_asks_unfamiliar_strangers_alone() -> None:
    """A wrong secret from a familiar network is asked, after as long as one from elsewhere."""

    async def story() -> None:
        town = await Town(step_up_familiar="never").settle_in()
        town.watch.force(Posture.ATTACK)
        assert (await town.client(HOME).log_in("kenji", "right")).status == 303
        found = [await timed(town.client(at), "kenji", word) for at, word in ((AWAY, "right"), (HOME, "wrong"))]
        assert [(took_s, answer.status) for took_s, answer in found] == [(QUESTION_S, 401)] * 2

    run(story)


def test_in_an_alarm_familiar_strangers_are_spared_while_little_fails_in_their_network() -> None:
    """With `own-network`. There as in calm: one answer to all that opens nothing, after the same time."""

    async def story() -> None:
        town = await Town(step_up_familiar="own-network").settle_in()
        await town.raise_alarm(home_score=3.9)
        assert (await timed(town.client(HOME), "kenji", "right"))[1].status == 303
        tries = [
            (AWAY, "kenji", "right"),
            (HOME, "kenji", "wrong"),
            (AWAY, "kenji", "wrong"),
            (HOME, "nobod", "wrong"),
        ]
        found = [await timed(town.client(at), *each) for at, *each in tries]
        assert {took_s for took_s, _ in found} == {QUESTION_S}
        assert [seen(one)[:3] for _, one in found] == [seen(found[0][1])[:3]] * 4

    run(story)


def test_a_bot_in_the_owners_network_has_them_asked_in_an_alarm() -> None:
    """Five accounts tried in vain within the hour, or more failures there than in calm."""

    async def story() -> None:
        town = await Town(step_up_familiar="own-network").settle_in()
        await town.raise_alarm()
        for n in range(4):
            await town.client(HOME).log_in(f"nobody{n}", "guess")
        took_s, found = await timed(town.client(HOME), "kenji", "right")
        assert (took_s, found.status) == (QUESTION_S, 401)
        town = await Town(step_up_familiar="own-network").settle_in()
        await town.raise_alarm(home_score=4.0)
        took_s, found = await timed(town.client(HOME), "kenji", "right")
        assert (took_s, found.status) == (0.0, 401)

    run(story)


def test_a_bot_in_the_owners_network_does_not_have_devices_asked_that_were_seen_there() -> None:
    """Its guesses have no token. Elsewhere such a device is asked, and so it is at home in a posture that is forced."""

    async def story() -> None:
        town = await Town(step_up_familiar="own-network").settle_in()
        client = town.client(HOME)
        assert (await client.log_in("kenji")).status == 303  # spared in calm: the device is merely seen
        await town.raise_alarm(home_score=40.0)
        assert (await client.log_in("kenji")).status == 303
        assert (await town.client(HOME).log_in("kenji")).status == 401
        client.address = AWAY
        assert (await client.log_in("kenji")).status == 401
        client.address = HOME
        town.watch.force(Posture.ATTACK)
        assert (await client.log_in("kenji")).status == 401

    run(story)


def test_a_failing_application_is_no_success() -> None:
    class Broken(Shop):
        broken = False

        async def _log_in(self, scope: Scope, receive: Receive, send: Send, jar: dict[str, str]) -> None:
            if self.broken:
                await receive()
                return await answer(send, 500, body=b"down")
            return await super()._log_in(scope, receive, send, jar)

    async def story() -> None:
        shop = Broken()
        town = await Town(shop).settle_in()
        shop.broken = True
        took_s, found = await timed(town.client(HOME), "kenji", "right")
        assert (took_s, found.status) == (QUESTION_S, 401)

    run(story)
