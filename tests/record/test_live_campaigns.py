"""Campaigns that the workers recognise while they run: their numbers, their end, and their form in the store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from sekisho.model import Device, Mode, Outcome
from sekisho.record import Event, Kind
from sekisho.record.campaigns import campaigns_in
from sekisho.record.campaigns.exchange import CampaignExchange, CampaignWatch, singly
from sekisho.record.campaigns.live import CampaignChange, LiveState, advance, changes
from sekisho.record.campaigns.places import MemoryCampaigns, StoredCampaigns
from sekisho.record.campaigns.traits import Observed, observed
from sekisho.record.campaigns.written import (
    CampaignsMac,
    decode_state,
    encode_state,
    pack_attempt,
    unpack_attempts,
)
from sekisho.store.opening import open_to
from sekisho.store.options import LineOptions
from sekisho.store.script import Script
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN, Shop, guarded, log_in
from tests.cli.operating import stop
from tests.record.made import ALLOWED, THROTTLED
from tests.record.test_campaigns import T0, a_list, decided, digest, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from sekisho.model import Decision
    from tests.servers import RedisServer

MAC = CampaignsMac([SECRET], "sekisho")
MINUTE_US = 60_000_000


def name(network: bytes) -> bytes:
    return blake2b(network, digest_size=16).digest()


def seen(events: Iterable[Event]) -> list[Observed]:
    return [attempt for event in events if (attempt := observed(event)) is not None]


def after(*batches: list[Event]) -> LiveState:
    """The state after these batches, a minute apart."""
    state, attempts = LiveState(), list[Observed]()
    for number, batch in enumerate(batches, start=1):
        attempts += seen(batch)
        state = advance(state, attempts, len(attempts), T0 + number * MINUTE_US)
    return state


def test_a_campaign_is_the_one_of_the_command() -> None:
    """One grouping: the name, the numbers and the account that was entered are those that the command finds."""
    events = [*a_list(40), settled("hana", "succeeded", 41)]
    (live,) = after(events).campaigns
    (campaign,) = campaigns_in(lambda: events).campaigns
    assert (live.name, live.attempts, live.accounts, live.addresses) == (campaign.name, 40, 40, 1)
    assert live.entered == (digest("hana"),)
    assert live.text.startswith(f"{campaign.name}: 40 attempts at 40 accounts from 1 addresses; accounts entered: 1,")


def test_a_campaign_grows_and_keeps_its_name() -> None:
    """Forty attempts, then thirty more of another address of the same network: each is counted once."""
    first = a_list(40)
    more = [settled(f"other {n}", "failed", 61 + n, address="203.0.113.77") for n in range(60)]
    one, both = after(first), after(first, more)
    assert [campaign.attempts for campaign in both.campaigns] == [100]
    assert both.campaigns[0].name == one.campaigns[0].name
    assert both.campaigns[0].addresses == 2
    assert changes(one, both) == []


def test_what_is_no_longer_kept_stays_counted() -> None:
    """The store keeps the newest attempts only: the campaign's number goes on growing."""
    attempts = seen(a_list(90))
    state = advance(LiveState(), attempts[:50], 50, T0 + MINUTE_US)
    state = advance(state, attempts[40:], 90, T0 + 2 * MINUTE_US)
    assert [campaign.attempts for campaign in state.campaigns] == [90]


def test_a_silent_campaign_ends() -> None:
    """Thirty minutes after its last attempt it is over, and its last numbers are told."""
    attempts = seen(a_list(40))
    begun = advance(LiveState(), attempts, 40, T0 + MINUTE_US)
    last_us = T0 + 39_000_000
    assert advance(begun, attempts, 40, last_us + 30 * MINUTE_US).campaigns == begun.campaigns
    ended = advance(begun, attempts, 40, last_us + 30 * MINUTE_US + 1)
    assert changes(begun, ended) == [CampaignChange("ended", begun.campaigns[0])]


@pytest.mark.parametrize(("more", "lives"), [(5, True), (4, False)])
def test_bots_that_slow_down_are_the_same_campaign(more: int, lives: bool) -> None:
    """The list is no longer kept; five attempts in half an hour show that it goes on, and four do not."""
    attempts = seen(a_list(40))
    state = advance(LiveState(), attempts, 40, T0 + MINUTE_US)
    later = seen([settled(f"slow {n}", "failed", 1_700 + 10 * n) for n in range(more)])
    state = advance(state, later, 40 + more, T0 + 30 * MINUTE_US)
    late = advance(state, later, 40 + more, T0 + 50 * MINUTE_US)
    assert [campaign.attempts for campaign in late.campaigns] == ([45] if lives else [])


def test_changes_are_told_once() -> None:
    """Recognised; then the first account that was entered, and no second one; in this order if both are new."""
    none, found = LiveState(), after(a_list(40))
    entered = after([*a_list(40), settled("hana", "succeeded", 41)])
    again = after([*a_list(40), settled("hana", "succeeded", 41), settled("yuki", "succeeded", 42)])
    assert [change.what for change in changes(none, found)] == ["recognised"]
    assert [change.what for change in changes(found, entered)] == ["entered"]
    assert [change.what for change in changes(entered, again)] == []
    assert [change.what for change in changes(none, entered)] == ["recognised", "entered"]


def test_owners_are_no_campaign() -> None:
    """A company's proxy in the morning: of sixty log-ins a third fails at first."""
    assert after([settled(f"owner {n}", "failed" if n % 3 == 0 else "succeeded") for n in range(60)]).campaigns == ()


def test_attempts_survive_the_store() -> None:
    """All that the grouping needs; the network of a hostile attempt as a text, an owner's as a digest."""
    hostile, entered, owner = seen(
        [
            settled("victim", "failed"),
            settled("hana", "succeeded"),
            settled("yuki", "succeeded", address="198.51.100.7"),
        ]
    )
    packed = [pack_attempt(each, name) for each in (hostile, entered, owner)]
    assert max(map(len, packed)) <= 100
    assert unpack_attempts(packed) == [hostile, entered, owner._replace(network=name(b"198.51.100.0/24")[:8].hex())]
    assert b"198.51.100" not in b"".join(packed)


def test_other_bytes_are_no_attempts() -> None:
    """Another party that writes to the store makes the workers neither stop nor hold more."""
    packed = pack_attempt(seen(a_list(1))[0], name)
    damaged = [b"", packed[:-20], b"\x02" + packed[1:], packed[:1] + b"\x63" + packed[2:], packed + b"x" * 99]
    assert unpack_attempts([*damaged, packed]) == seen(a_list(1))


def test_a_state_survives_the_store_and_is_signed() -> None:
    """Read back as it was; a state by another party, or of another version, is none."""
    state = after([*a_list(40), settled("hana", "succeeded", 41)])
    signed = MAC.sign(encode_state(state))
    assert MAC.opened(signed) == state
    assert MAC.opened(signed.replace(b"c-", b"d-")) is None
    assert CampaignsMac([SECRET], "other").opened(signed) is None
    others = (b"", b"[]", b'{"v":2}', b'{"v":1,"seen":1,"campaigns":[[1]]}')
    assert [decode_state(text) for text in others] == [None] * 4


class Worker:
    """A worker without its attempts."""

    def __init__(self, place: StoredCampaigns | MemoryCampaigns, clock_s: Callable[[], float] = monotonic) -> None:
        self.told: list[CampaignChange] = []
        self.watch = CampaignWatch(self.told.append, name)
        self.exchange = CampaignExchange(self.watch, place, clock_s)

    def note(self, events: list[Event]) -> None:
        for _ in self.watch.write(events):
            pass


@asynccontextmanager
async def stored(url: str) -> AsyncIterator[StoredCampaigns]:
    line = open_to(url, LineOptions(Script("return ''", (), 1), 5_000_000))
    try:
        yield StoredCampaigns(line, "sekisho", MAC)
    finally:
        await line.aclose()


def now(events: list[Event], now_us: int) -> list[Event]:
    """The same events a few seconds ago, since Redis has its own clock."""
    return [event._replace(at_us=event.at_us - T0 + now_us - MINUTE_US) for event in events]


async def test_two_workers_find_together_what_neither_finds_alone(redis_url: str, redis_server: RedisServer) -> None:
    """Each notes half of a list; both hear of the campaign, and of the account that a third attempt entered."""
    async with stored(redis_url) as place:
        first, second = Worker(place), Worker(place)
        now_us = (await place.exchange([], 0)).now_us
        events = now(a_list(38), now_us)
        first.note(events[::2])
        second.note([*events[1::2], *now([settled("hana", "succeeded", 40)], now_us)])
        for _ in range(3):
            redis_server.cli("DEL", "sekisho:{campaigns}turn")
            await first.exchange.once()
            await second.exchange.once()
        assert [change.what for change in first.told] == ["recognised", "entered"]
        assert first.told == second.told
        assert (await place.kept()).campaigns[0].entered == (digest("hana"),)
        assert int(redis_server.cli("PTTL", "sekisho:{campaigns}attempts")) <= 3_600_000


async def test_a_worker_that_starts_meanwhile_tells_no_campaign_again(
    redis_url: str, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Each worker of a rolling deploy counted the campaign as entered again, and the alert paged at each deploy."""
    async with stored(redis_url) as place:
        before = Worker(place)
        before.note(now([*a_list(40), settled("hana", "succeeded", 41)], (await place.exchange([], 0)).now_us))
        await before.exchange.once()
        deployed = Worker(place)
        await deployed.exchange.once()
        assert [change.what for change in before.told] == ["recognised", "entered"]
        assert deployed.told == []
        line = (
            f"campaign goes on: {before.told[0].campaign.name}: 40 attempts at 40 accounts from 1 addresses; accounts "
        )
        assert [record.getMessage()[: len(line)] for record in caplog.records] == [line]

        other = [
            settled(f"other {n}", "failed", n * n // 40, address="198.51.100.7", device="other") for n in range(40)
        ]
        deployed.note(now([*other, settled("yuki", "succeeded", 41, address="198.51.100.7", device="other")],
                          (await place.exchange([], 0)).now_us))  # fmt: skip
        redis_server.cli("DEL", "sekisho:{campaigns}turn")
        await deployed.exchange.once()
        await before.exchange.once()
        assert [change.what for change in deployed.told] == ["recognised", "entered"]
        assert before.told[2:] == deployed.told


async def test_a_worker_that_ends_leaves_what_it_noted(redis_url: str, redis_server: RedisServer) -> None:
    """A deploy lost fifteen seconds of attempts, and with them the accounts that were entered."""
    async with stored(redis_url) as place:
        ends, stays = Worker(place), Worker(place)
        now_us = (await place.exchange([], 0)).now_us
        ends.note(now([*a_list(40), settled("hana", "succeeded", 41)], now_us))
        await ends.exchange.aclose()
        redis_server.cli("DEL", "sekisho:{campaigns}turn")
        await stays.exchange.once()
        assert [change.what for change in stays.told] == ["recognised", "entered"]


async def test_a_guard_that_stops_shares_them(redis_url: str, redis_server: RedisServer) -> None:
    """Its log-ins came since the exchange at the start, and the next one would come fifteen seconds later."""
    app = guarded(Shop(), store=redis_url, campaigns="on", **OPEN)
    await log_in(app, "hana", "wrong")
    shared = int(redis_server.cli("LLEN", "sekisho:{campaigns}attempts"))
    await log_in(app, "hana", "wrong again")
    await log_in(app, "hana", "right")
    await asyncio.sleep(0.5)  # a thread makes their digests
    await stop(app)
    assert int(redis_server.cli("LLEN", "sekisho:{campaigns}attempts")) > shared


async def flooded(place: StoredCampaigns | MemoryCampaigns, next_turn: Callable[[], object]) -> list[CampaignChange]:
    """A list enters an account; after each few of its attempts come 3,000 that were refused, from another network."""
    worker, now_us = Worker(place), (await place.exchange([], 0)).now_us
    listed = now([*a_list(40), settled("hana", "succeeded", 41)], now_us)
    subject = settled("x", "failed", address="198.51.100.7", device="flood").subject
    flood = [
        Event(Kind.DECIDED, now_us - 1, "POST /login", mode="enforce", action="throttle",
              subject=subject._replace(account=digest(f"other {n}")))
        for n in range(3_000)
    ]  # fmt: skip
    for number in range(0, 41, 10):
        worker.note([*listed[number : number + 10], *flood])
        next_turn()
        await worker.exchange.once()
    worker.note([listed[40]])
    next_turn()
    await worker.exchange.once()
    return worker.told


async def test_a_flood_of_refused_attempts_hides_no_list(redis_url: str, redis_server: RedisServer) -> None:
    """E44: refused attempts cost a bot nothing. Those that were checked are kept beside them, and counted once."""
    async with stored(redis_url) as place:
        in_redis = await flooded(place, lambda: redis_server.cli("DEL", "sekisho:{campaigns}turn"))
    for told in (in_redis, await flooded(MemoryCampaigns(lambda: T0 + MINUTE_US), lambda: None)):
        attempts = {change.campaign.attempts for change in told if change.what == "entered"}
        assert attempts == {40}
        assert len([change for change in told if change.what == "recognised"]) == 2


async def test_a_forged_state_is_ignored(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A campaign that another party wrote is told to nobody."""
    async with stored(redis_url) as place:
        forged = CampaignsMac([b"another secret of thirty-two bytes, at least"], "sekisho")
        await StoredCampaigns(place._line, "sekisho", forged).put(0, after(a_list(40)))
        worker = Worker(place)
        await worker.exchange.once()
        assert worker.told == []
        assert "[SEK041]" in caplog.text


async def test_one_process_needs_no_store() -> None:
    """With `memory://` the process alone finds it."""
    worker = Worker(MemoryCampaigns(lambda: T0 + MINUTE_US))
    worker.note(a_list(40))
    await worker.exchange.once()
    assert [change.what for change in worker.told] == ["recognised"]
    assert worker.watch.take() == []


async def minutes_until_it_ends(step_s: int, *, back_s: int = 0, attempts_later: int = 0) -> list[int | str]:
    """How many minutes a campaign lasts whose clock is set a minute after it was recognised, and what was told."""
    passed_s, set_s = 0, 0
    worker = Worker(MemoryCampaigns(lambda: T0 + (60 + passed_s + set_s) * 1_000_000), lambda: passed_s)
    worker.note(a_list(40))
    for minute in range(200):
        await worker.exchange.once()
        if len(worker.told) > 1:
            return [*(change.what for change in worker.told), minute]
        passed_s += 60
        set_s += step_s if minute == 0 else back_s if minute == 1 else 0
        if minute == 20 and attempts_later:
            shift = passed_s + set_s
            worker.note([settled(f"later {n}", "failed", shift + n) for n in range(attempts_later)])
    return [200]


@pytest.mark.parametrize(
    ("step_s", "back_s"), [(0, 0), (-86_400, 0), (-7_200, 0), (86_400, 0), (86_400, -86_400), (-86_400, 86_400)]
)
async def test_a_campaign_ends_when_it_was_silent_even_if_the_clock_is_set(step_s: int, back_s: int) -> None:
    """Set back by a day it lasted a day longer; set forward it ended at once."""
    assert await minutes_until_it_ends(step_s, back_s=back_s) == ["recognised", "ended", 30]


@pytest.mark.parametrize("step_s", [0, -86_400, 86_400])
async def test_a_campaign_goes_on_by_attempts_after_its_clock_was_set(step_s: int) -> None:
    assert await minutes_until_it_ends(step_s, attempts_later=8) == ["recognised", "ended", 51]


def test_attempts_of_a_clock_that_is_half_an_hour_ahead_are_grouped() -> None:
    """Those beyond are from before it was set back: they are left out, not the newest ones until it has caught up."""
    found = [advance(LiveState(), seen(a_list(40)), 40, T0 - ahead * MINUTE_US) for ahead in (29, 40)]
    assert [len(state.campaigns) for state in found] == [1, 0]


async def test_a_turn_that_was_taken_before_the_stores_clock_was_set_back_is_over(
    redis_url: str, redis_server: RedisServer
) -> None:
    """Its key expires by that clock: no worker looked for campaigns until it had caught up."""
    async with stored(redis_url) as place:
        taken_ms = 1_000 * (int(redis_server.cli("TIME")[0]) + 86_400)
        redis_server.cli("SET", "sekisho:{campaigns}turn", str(taken_ms), "PX", "86400900")
        attempts = [(await place.exchange([b"attempt"], 0)).attempts for _ in "ab"]
        assert [found is None for found in attempts] == [False, True]


def test_a_state_of_an_earlier_version_is_read() -> None:
    """It does not say when it was made."""
    state = decode_state(b'{"v":1,"seen":3,"campaigns":[]}')
    assert state == LiveState(seen=3)
    assert state.at_us == 0


def noted(judged: Decision | str, of: Outcome | Mode) -> int:
    """How many such attempts a worker notes in a second of a flood."""
    kind = Kind.SETTLED if isinstance(judged, str) else Kind.DECIDED
    note = (kind, T0, "POST /login", judged, of, None, None, "hana", "hana", Device.STRANGER, None)
    return singly(note, was_flood=True)


def test_successes_are_never_left_out_of_a_flood() -> None:
    """Of a flood a worker notes a hundred hostile attempts a second, of each sort; of what passes, its outcome only."""
    assert noted("", Outcome.SUCCEEDED) > 10**6
    assert singly(Event(Kind.STEP_UP_PROVED, T0), was_flood=True) > 10**6
    assert (noted("", Outcome.FAILED), noted(THROTTLED, Mode.ENFORCE)) == (100, 100)
    assert noted(ALLOWED, Mode.ENFORCE) == 0
    assert singly(Event(Kind.CODE_SENT, T0), was_flood=False) == 0


def test_memory_and_time_are_bounded() -> None:
    """Of one worker 2,000 attempts wait for the store, and as many that were refused."""
    worker = Worker(MemoryCampaigns(lambda: T0))
    worker.note(a_list(2_500))
    worker.note([decided(f"other {n}", "throttle") for n in range(2_500)])
    assert len(worker.watch.take()) == 4_000
