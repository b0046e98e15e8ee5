"""Which refusals are noted for the feed, and what a front is told. Nothing here needs a store."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import NoPermissionError

from sekisho.feed import FeedMac, RefusalNotes
from sekisho.feed.entries import network_of
from sekisho.feed.following import Following, change_between
from sekisho.feed.fronts.port import Change, FrontFault
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Charge, StoreUnavailable
from sekisho.read import Addresses
from sekisho.testing import FakeClock
from tests.asgi.driving import Shop, guarded, log_in

if TYPE_CHECKING:
    from sekisho.feed.entries import Network
    from sekisho.model import Origin, Verdict

ATTACKER = "9.9.9.9"
PROXY = "8.8.8.8"
SHARED, CREDIT, EARNS = 1, 2, 4


def origin(address: str, *, forwarding: bool = False) -> Origin:
    """`forwarding`: it sent a forwarding header, and is no trusted proxy."""
    return Addresses(()).origin(address, b"198.51.100.1" if forwarding else None, b"", forwarding)


def charge(*, place: bytes = b"p" * 8, exempt: bool = False) -> Charge:
    name = b"d" * 16
    return Charge(name, (name,), b"i" * 16, name, name, b"", 0, b"", b"", b"", b"", b"", exempt, place)


def refusal(seconds: float = 30, **more: int) -> Verdict:
    return UNHINDERED._replace(ip_wait_us=int(seconds * 1e6), charged=0, **more)


def noted(*refused: tuple[Origin, Charge, Verdict], seconds_max: int = 3_600) -> list[str]:
    """The networks that are noted after these refusals."""
    notes = RefusalNotes(lambda: 1_000.0, seconds_max, [ip_network(f"{PROXY}/32")])
    for one in refused:
        notes.refused(*one)
    taken = notes.take()
    return [] if taken is None else [str(network_of(prefix)) for prefix in taken.refused]


def test_a_refused_address_is_noted_until_its_refusal_ends() -> None:
    """The end is that of the refusal, and no later than the setting says; IPv6 is noted as its /64."""
    notes = RefusalNotes(lambda: 1_000.0, 60, [])
    notes.refused(origin(ATTACKER), charge(), refusal(30))
    notes.refused(origin("2606:4700::1"), charge(), refusal(7_200))
    taken = notes.take()

    assert taken is not None
    assert {str(network_of(prefix)): one.until_ms for prefix, one in taken.refused.items()} == {
        "9.9.9.9/32": 1_030_000, "2606:4700::/64": 1_060_000,
    }  # fmt: skip
    assert notes.take() is None


@pytest.mark.parametrize(
    ("who", "charged", "verdict"),
    [
        (origin(PROXY), charge(), refusal()),
        (origin("10.1.2.3"), charge(), refusal()),
        (origin("100.64.0.9"), charge(), refusal()),
        (origin("127.0.0.1"), charge(), refusal()),
        (origin("fd00::1"), charge(), refusal()),
        (origin("64:ff9b::909:909"), charge(), refusal()),
        (origin(""), charge(), refusal()),
        (origin(ATTACKER, forwarding=True), charge(), refusal()),
        (origin(ATTACKER), charge(), refusal(marks=SHARED)),
        (origin(ATTACKER), charge(), refusal(marks=CREDIT)),
        (origin(ATTACKER), charge(), refusal(counters_lost=True)),
        (origin(ATTACKER), charge(), refusal(0, network_wait_us=30_000_000)),
    ],
)
def test_what_may_be_somebody_elses_is_not_noted(who: Origin, charged: Charge, verdict: Verdict) -> None:
    """Proxies, private ranges, addresses with credit or of unknown credit, and neighbours are left to the limits."""
    assert noted((who, charged, verdict)) == []
    assert noted((origin(ATTACKER), charge(), refusal())) == ["9.9.9.9/32"]


def test_while_forwarding_peers_prevail_the_warning_stands() -> None:
    """More refused networks that forward than others: the proxies are not named, and no address can be trusted."""
    notes = RefusalNotes(lambda: 1_000.0, 60, [])
    notes.refused(origin("1.1.1.1", forwarding=True), charge(), refusal())
    notes.refused(origin(ATTACKER), charge(), refusal())
    even = notes.take()
    notes.refused(origin("4.4.4.4", forwarding=True), charge(), refusal())
    notes.refused(origin(ATTACKER), charge(), refusal())
    more = notes.take()

    assert even is not None
    assert more is not None
    assert (even.warned, more.warned) == (False, True)


def test_a_warning_from_before_the_clock_was_set_back_is_over() -> None:
    now_s = 100_000.0
    notes = RefusalNotes(lambda: now_s, 60, [])
    notes.refused(origin("1.1.1.1", forwarding=True), charge(), refusal())
    before = notes.take()
    now_s -= 86_400
    notes.refused(origin(ATTACKER), charge(), refusal())
    after = notes.take()

    assert before is not None
    assert after is not None
    assert (before.warned, after.warned) == (True, False)


def test_one_network_outvotes_nobody() -> None:
    """An attacker's many addresses of one IPv6 /48 that forge a forwarding header count as one."""
    notes = RefusalNotes(lambda: 1_000.0, 60, [])
    for n in range(99):
        notes.refused(origin(f"2606:4700:0:{n}::1", forwarding=True), charge(), refusal())
    notes.refused(origin(ATTACKER), charge(), refusal())
    taken = notes.take()

    assert taken is not None
    assert not taken.warned


async def test_an_account_a_day_old_vouches_for_one_address_a_day() -> None:
    """A known device counts if its account is a day old, and once a day: an attacker's new account spares nothing."""
    clock = FakeClock()
    guard = guarded(Shop(), clock=clock)
    token = (await log_in(guard, client=ATTACKER)).device
    notes = RefusalNotes(lambda: clock.now_s, 60, [])
    guard._loops._here()._settler._feed = notes  # type: ignore[union-attr]

    new = [(await log_in(guard, client=ATTACKER, token=token)).status, notes.take()]
    clock.advance(days=1, hours=1)
    stranger = [(await log_in(guard, client="4.4.4.4")).status, notes.take()]
    clock.advance(days=1, hours=1)
    old = [(await log_in(guard, client=ATTACKER, token=token)).status, notes.take()]
    elsewhere = [(await log_in(guard, client=PROXY, token=token)).status, notes.take()]

    assert new == [303, None]
    assert stranger == [303, None]
    assert old[0] == 303
    assert [network_of(prefix) for prefix in old[1].known.values()] == [ip_network("9.9.9.9/32")]  # type: ignore[union-attr]
    assert elsewhere == [303, None]


def test_notes_are_bounded() -> None:
    """A flood of more addresses than one publication takes is left to the limits."""
    notes = RefusalNotes(lambda: 1_000.0, 60, [])
    for n in range(5_000):
        notes.refused(origin(f"9.9.{n // 256}.{n % 256}"), charge(), refusal())
    taken = notes.take()

    assert taken is not None
    assert len(taken.refused) == 512


def test_an_entry_of_another_party_is_not_read() -> None:
    """Write access to the store alone blocks nobody, and moves no end into another hour."""
    mac = FeedMac([b"s" * 32], "sekisho")
    prefix = origin(ATTACKER).prefixes[0]
    member = mac.member(prefix, 3_600_000)

    assert mac.opened(member, 3_600_001) == ip_network("9.9.9.9/32")
    assert mac.opened(member, 2 * 3_600_000) is None
    assert mac.opened(FeedMac([b"o" * 32], "sekisho").member(prefix, 3_600_000), 3_600_001) is None
    assert mac.opened(FeedMac([b"s" * 32], "other").member(prefix, 3_600_000), 3_600_001) is None
    assert mac.opened(b"9.9.9.9", 3_600_001) is None


# Following.


ONE, TWO = ip_network("9.9.9.9"), ip_network("9.9.9.10")


class Recorded:
    """A front that records, and fails when it is told to."""

    every_s = 0.0

    def __init__(self, *, forgets: bool = False) -> None:
        self.forgets = forgets
        self.done: list[object] = []
        self.fails = False

    def steps(self, change: Change) -> list[str]:
        return [repr(change)]

    async def begin(self) -> None:
        self._do("begin")

    async def apply(self, change: Change) -> None:
        self._do((sorted(map(str, change.added)), sorted(map(str, change.prolonged)), sorted(map(str, change.removed))))

    def _do(self, what: object) -> None:
        if self.fails:
            raise FrontFault("it does not answer")
        self.done.append(what)


def test_a_change_is_what_is_new() -> None:
    """Ended refusals are removed, longer ones prolonged, and the front is told of nothing else."""
    change = change_between({ONE: 10.0, TWO: 10.0}, {ONE: 40.0, ip_network("9.9.9.11"): 11.0, TWO: 5.0}, 7.0)

    assert change == Change(
        {ip_network("9.9.9.11"): 4.0}, {ONE: 33.0}, (TWO,), {ONE: 33.0, ip_network("9.9.9.11"): 4.0}
    )


def test_a_block_by_a_clock_that_was_set_back_is_told_again() -> None:
    """The front's own timer ends it; it would not be told of another one until the clock had caught up."""
    change = change_between({ONE: 86_500.0, TWO: 130.0}, {ONE: 100.0, TWO: 100.0}, 0.0)

    assert change == Change({}, {ONE: 100.0}, (), {ONE: 100.0, TWO: 100.0})


async def test_a_front_is_kept_in_step_and_released() -> None:
    """One address comes, is prolonged and goes; another is released at the end."""
    feeds: list[dict[Network, float]] = [{ONE: 30.0}, {ONE: 30.0}, {ONE: 60.0, TWO: 60.0}, {TWO: 60.0}]
    front = Recorded()

    async def read() -> dict[Network, float]:
        return feeds.pop(0)

    following = Following(front, read, lambda: 0.0, print)
    for _ in range(4):
        await following.once()
    await following.end()

    assert front.done == [
        "begin", (["9.9.9.9/32"], [], []), (["9.9.9.10/32"], ["9.9.9.9/32"], []), ([], [], ["9.9.9.9/32"]),
        ([], [], ["9.9.9.10/32"]),
    ]  # fmt: skip


async def test_a_clock_that_is_set_back_keeps_no_front_waiting() -> None:
    """A front that takes a change a minute waited until the clock had caught up."""
    feeds: list[dict[Network, float]] = [{ONE: 100_030.0}, {ONE: 100_030.0, TWO: 100_030.0}, {TWO: 13_640.0}]
    front, times = Recorded(), [100_000.0, 100_010.0, 13_620.0]
    front.every_s = 60.0

    async def read() -> dict[Network, float]:
        return feeds.pop(0)

    following = Following(front, read, lambda: times[len(times) - len(feeds) - 1], print)
    for _ in range(3):
        await following.once()

    assert front.done == ["begin", (["9.9.9.9/32"], [], []), (["9.9.9.10/32"], [], ["9.9.9.9/32"])]


async def test_a_fault_of_the_front_is_said_once_and_all_is_told_again() -> None:
    """While the front is away its fault is said once; afterwards it is emptied and filled anew."""
    front, said, pauses = Recorded(forgets=True), list[str](), 0

    async def read() -> dict[Network, float]:
        return {ONE: 30.0}

    async def sleep(_: float) -> None:
        nonlocal pauses
        pauses += 1
        front.fails = 2 <= pauses < 7
        if pauses == 2:
            following._has = {}  # there is something to tell
        if pauses > 8:
            raise asyncio.CancelledError

    following = Following(front, read, lambda: 0.0, said.append)
    with pytest.raises(asyncio.CancelledError):
        await following.run(sleep)

    assert said == ["it does not answer"]
    assert front.done == ["begin", (["9.9.9.9/32"], [], []), "begin", (["9.9.9.9/32"], [], [])]


@pytest.mark.parametrize("error", [asyncio.CancelledError, FrontFault])
async def test_a_block_whose_answer_was_lost_is_released_at_the_end(error: type[BaseException]) -> None:
    """A signal, or a fault, comes while Cloudflare replaces its list: that holds the address until it is told."""
    front = Recorded()

    class AnswersLate(Recorded):
        """Takes a change; its answer does not arrive."""

        async def apply(self, change: Change) -> None:
            await front.apply(change)
            if change.added:
                raise error

    async def read() -> dict[Network, float]:
        return {ONE: 30.0}

    following = Following(AnswersLate(), read, lambda: 0.0, print)
    with pytest.raises(error):
        await following.once()
    await following.end()

    assert front.done == [(["9.9.9.9/32"], [], []), ([], [], ["9.9.9.9/32"])]


async def test_while_the_store_is_away_blocks_still_end() -> None:
    """Without the store nobody is blocked anew, and each block ends on time."""
    front, said, now = Recorded(), list[str](), [0.0]

    async def read() -> dict[Network, float]:
        if now[0]:
            raise StoreUnavailable
        return {ONE: 30.0, TWO: 60.0}

    following = Following(front, read, lambda: now[0], said.append)
    await following.once()
    now[0] = 31.0
    await following.once()

    assert front.done[1:] == [(["9.9.9.10/32", "9.9.9.9/32"], [], []), ([], [], ["9.9.9.9/32"])]
    assert said == ["SEKISHO_STORE does not answer; no address is added until it does"]


async def test_a_store_that_refuses_is_an_outage_with_a_reason() -> None:
    """A right that is taken away from the store's user does not end the command; the remedy is said once."""
    said, reads = list[str](), 0

    async def read() -> dict[Network, float]:
        nonlocal reads
        reads += 1
        if reads == 1:
            return {}
        raise NoPermissionError("this user has no permissions to run the 'zrange' command on sekisho:{feed}")

    following = Following(Recorded(), read, lambda: 0.0, said.append)
    for _ in range(3):
        await following.once()

    (text,) = said
    assert text.startswith("SEKISHO_STORE does not answer as it should (NOPERM: its ACL forbids its user")
    assert "zrange" not in text
