"""The contract of counting for every store: memory, Redis by TCP and unix socket, Sentinels, a Cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Attempt, Charge, Charged, Effect, Limit, Limits, LimitSet
from sekisho.read import Addresses, Digests
from tests.ledger.charges import DAY, HOUR, LIMITS, MINUTE, ROOMY, SECOND, T0, charge
from tests.ledger.stores import WIDE, ask, let_in, only
from tests.read.making import door

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.model import Ledger, Verdict
    from tests.ledger.stores import Store

THREE = (Limit(3, MINUTE),)  # an interval of 20 s
ACCOUNT_OF_THREE = only(account=THREE)

# One flood per dimension: limits, and attempts that share this dimension alone.
FLOODS = {
    "ip": (only(ip=(Limit(7, HOUR),)), [charge(n, n, device=n) for n in range(200)]),
    "device": (only(device=(Limit(7, HOUR),)), [charge(n, n, ip=n) for n in range(200)]),
    "network": (only(networks=((Limit(7, HOUR),),)), [charge(n, n, ip=n, device=n) for n in range(200)]),
    "account": (only(account=(Limit(7, HOUR),)), [charge(0, n % 30, network=n) for n in range(200)]),
    "two periods": (only(account=(Limit(9, MINUTE), Limit(7, HOUR))), [charge(0, network=n) for n in range(200)]),
    "known_device": (
        only(known_device=(Limit(7, HOUR),), account=(Limit(1, HOUR),)),
        [charge(0, network=n, known_device=1) for n in range(200)],
    ),
}  # fmt: skip


def flood(name: str) -> tuple[LimitSet, list[Charge]]:
    return FLOODS[name]


# How many attempts pass.


@pytest.mark.parametrize("name", [name for name in FLOODS if name != "known_device"])
async def test_at_one_instant_the_limit_is_let_in_and_no_more(store: Store, name: str) -> None:
    """Row 58, R9: of 200 parallel attempts in one batch the limit passes, as each sees those before it."""
    limits, attempts = flood(name)

    assert let_in(await ask(store.ledger(limits), attempts)) == 7


@pytest.mark.parametrize("name", [name for name in FLOODS if name != "known_device"])
async def test_two_workers_share_one_limit(store: Store, name: str) -> None:
    """Row 58: two workers let in no more of the same 200."""
    limits, attempts = flood(name)
    one, other = store.ledger(limits), store.ledger(limits)

    found = await asyncio.gather(ask(one, attempts[::2]), ask(other, attempts[1::2]))

    assert let_in(found[0] + found[1]) == 7


async def test_a_device_has_the_buckets_limit_and_then_the_strangers(store: Store) -> None:
    """A device has seven attempts in its bucket; the eighth is charged as a stranger's, and one of those passes."""
    limits, attempts = flood("known_device")
    verdicts = await ask(store.ledger(limits), attempts)

    assert sum(verdict.charged & Charged.KNOWN_DEVICE > 0 for verdict in verdicts) == 7
    assert let_in(verdicts) == 8


@pytest.mark.parametrize("before_us", [1, SECOND, 9 * SECOND])
async def test_no_second_helping_at_the_edge_of_a_window(store: Store, before_us: int) -> None:
    """Row 70: a limit spent just before a minute's end is still spent just after it."""
    turn = T0 - T0 % MINUTE
    await store.move_to(turn - before_us)
    ledger = store.ledger(ACCOUNT_OF_THREE)
    assert let_in(await ask(ledger, [charge()] * 9)) == 3

    await store.move_to(turn + before_us)

    assert let_in(await ask(ledger, [charge()] * 9)) == 0


# GCRA by hand for three a minute: times in seconds and the expected waits.
VECTORS: dict[str, tuple[Limits, list[tuple[float, float]]]] = {
    "burst, then one every T": (THREE, [(0, 0), (0, 0), (0, 0), (0, 20), (19, 1), (20, 0), (20, 20), (40, 0)]),
    "refusals cost nothing": (THREE, [(0, 0), (0, 0), (0, 0), (0, 20), *[(n, 20 - n) for n in range(20)], (20, 0)]),
    "rest brings it all back": (THREE, [(0, 0), (0, 0), (0, 0), (60, 0), (60, 0), (60, 0), (60, 20)]),
    "and no more than all": (THREE, [(0, 0), (3600, 0), (3600, 0), (3600, 0), (3600, 20)]),
    "partly paid": (THREE, [(0, 0), (0, 0), (50, 0), (50, 0), (50, 0), (50, 20)]),
    "half paid": (THREE, [(0, 0), (0, 0), (0, 0), (30, 0), (30, 10), (40, 0)]),
    "one at a time": ((Limit(1, MINUTE),), [(0, 0), (0, 60), (59, 1), (60, 0)]),
    "the longer wait counts": (
        (Limit(2, 10 * SECOND), Limit(3, MINUTE)),
        [(0, 0), (0, 0), (0, 5), (5, 0), (5, 15), (20, 0), (20, 20), (39, 1), (40, 0)],
    ),
    "T is rounded down": ((Limit(7, MINUTE),), [(0, 0)] * 7 + [(0, 8.571428), (8.571428, 0), (8.571428, 8.571428)]),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
async def test_waits_are_those_of_gcra(store: Store, name: str) -> None:
    """Waits equal those of GCRA (ITU-T I.371), calculated by hand."""
    limits, attempts = VECTORS[name]
    ledger = store.ledger(only(account=limits))

    for number, (second, wait) in enumerate(attempts):
        await store.move_to(T0 + round(second * SECOND))
        (verdict,) = await ask(ledger, [charge(secret=number % 30)])
        assert (number, verdict.account_wait_us) == (number, round(wait * SECOND))


@pytest.mark.parametrize("burst", [3, 4, 6, 7, 9])
async def test_rounding_never_adds_to_the_burst(store: Store, burst: int) -> None:
    """Intervals are rounded up: rounded down, more attempts than the burst would fit into the period."""
    ledger = store.ledger(only(account=(Limit(burst, 10),)))

    assert let_in(await ask(ledger, [charge()] * 20)) == burst


# Refunds.


@pytest.mark.parametrize(("taken_s", "left"), [(0, 3), (5, 3), (19, 3), (20, 3), (40, 3)])
async def test_a_success_leaves_the_budget_as_it_was(store: Store, taken_s: int, left: int) -> None:
    """A success leaves the budget as it was, however long its check took: three free before and after."""
    ledger = store.ledger(ACCOUNT_OF_THREE)
    own = charge(secret=9)
    (verdict,) = await ask(ledger, [own])
    await store.move_to(T0 + taken_s * SECOND)

    ledger.settle(own, verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge()] * 9)) == left


async def test_a_late_refund_erases_nobodys_guess(store: Store) -> None:
    """R8: a log-in refunded after 50 s, when its charge has drained, does not refund three later guesses."""
    ledger = store.ledger(ACCOUNT_OF_THREE)
    own = charge(secret=9)
    (verdict,) = await ask(ledger, [own])
    await store.move_to(T0 + 50 * SECOND)
    assert let_in(await ask(ledger, [charge()] * 9)) == 3

    ledger.settle(own, verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge(secret=1)] * 9)) == 0


async def test_a_refusal_has_nothing_to_give_back(store: Store) -> None:
    """A refused attempt (of an application behind work) is refunded nothing."""
    ledger = store.ledger(LIMITS)
    verdicts = await ask(ledger, [charge(n, n) for n in range(30)])
    for number, verdict in enumerate(verdicts[6:], 6):
        ledger.settle(charge(number, number), verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge(40)])) == 0


async def test_ones_own_login_does_not_clear_the_address(store: Store) -> None:
    """Row 67: L - 1 failures and an own log-in leave room for one more, not for L."""
    ledger = store.ledger(only(ip=THREE))
    await ask(ledger, [charge(1), charge(2)])
    own = charge(9)
    (verdict,) = await ask(ledger, [own])

    ledger.settle(own, verdict)
    await store.move_to(store.now_us)

    assert let_in(await ask(ledger, [charge(3), charge(4), charge(5)])) == 1


async def test_the_victims_login_does_not_clear_the_attacker(store: Store) -> None:
    """Row 68: the owner's log-in from elsewhere does not clear the attacker's guesses, cumulative ones included."""
    ledger = store.ledger(only(account=THREE))
    await ask(ledger, [charge(0, 1, network=1), charge(0, 2, network=1)])
    owners = charge(0, 9, network=2)
    (verdict,) = await ask(ledger, [owners])

    ledger.settle(owners, verdict)
    await store.move_to(store.now_us)
    found = await ask(ledger, [charge(0, 3, network=1), charge(0, 4, network=1)])

    assert [verdict.account_wait_us > 0 for verdict in found] == [False, True]
    assert found[0].failures == 3


# The account's limit.


async def test_the_account_limit_is_advice(store: Store) -> None:
    """Beyond the account's limit addresses are charged on and refused nothing: the account switches no other
    counter.
    """
    ledger = store.ledger(only(account=THREE))
    found = await ask(ledger, [charge(0, n, network=n) for n in range(9)])

    assert [verdict.throttle_wait_us for verdict in found] == [0] * 9
    assert [verdict.charged for verdict in found[3:]] == [Charged.NETWORK] * 6


async def test_what_an_address_is_refused_is_not_counted_at_the_account(store: Store) -> None:
    """An attempt refused at its address is not charged at the account, or one address could keep every account
    empty.
    """
    ledger = store.ledger(only(ip=THREE, account=(Limit(5, HOUR),)))
    await ask(ledger, [charge(0, n) for n in range(20)])

    assert let_in(await ask(ledger, [charge(0, n, network=1) for n in range(9)])) == 2


async def test_a_thousand_addresses_with_one_try_each(store: Store) -> None:
    """Row 77: a thousand addresses with one try each trip the account's limit, where no address limit would."""
    found = await ask(store.ledger(LIMITS), [charge(0, n % 30, network=n) for n in range(1_000)])

    assert let_in(found) == 5
    assert all(not verdict.throttle_wait_us for verdict in found)


async def test_the_same_wrong_pair_again_is_free_on_the_account_alone(store: Store) -> None:
    """Repeating a wrong pair is free at the account, so an old mail program locks no owner out; its address pays."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge()])
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [charge()])

    assert (again.charged, again.failures) == (Charged.NETWORK, 1)


async def test_without_a_secret_no_attempt_is_a_repeat(store: Store) -> None:
    """Without a secret, as when a code is requested, no attempt is a repeat, and each one counts."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(secret=None)])
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [charge(secret=None)])

    assert again.failures == 2


async def test_parallel_repeats_are_not_free(store: Store) -> None:
    """A repeat is charged while the first attempt may be under way, or parallel repeats would bypass the count."""
    found = await ask(store.ledger(LIMITS), [charge()] * 5)

    assert [verdict.failures for verdict in found] == [1, 2, 3, 4, 5]


async def test_a_right_password_is_not_among_the_tried(store: Store) -> None:
    """A success removes its pair from the tried ones: the next time it is charged and refunded again."""
    ledger = store.ledger(LIMITS)
    (verdict,) = await ask(ledger, [charge()])
    ledger.settle(charge(), verdict)
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [charge()])

    assert again.charged == Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES


async def test_a_success_takes_out_no_pair_that_a_guess_wrote(store: Store) -> None:
    """Row 3.4: a right guess stays a repeat after its owner's log-in, as a wrong one does."""
    ledger = store.ledger(LIMITS)
    repeats = []
    for account, owners in ((0, 7), (1, 8)):  # at account 0 the guess, 7, is right
        await ask(ledger, [charge(account, 7, ip=1)])
        await store.move_to(store.now_us + 2 * SECOND)
        own = charge(account, owners, network=1)
        (verdict,) = await ask(ledger, [own])
        ledger.settle(own, verdict, Effect.PROVED | Effect.RIGHT)
        await store.move_to(store.now_us + 2 * SECOND)
        repeats += await ask(ledger, [charge(account, 7, ip=1)])

    assert [verdict.charged & Charged.ACCOUNT for verdict in repeats] == [0, 0]


async def test_a_success_takes_its_account_out_of_no_set_that_a_guess_put_it_in(store: Store) -> None:
    """Row 3.4: after an owner's log-in, an attacker's secret still counts as many accounts as before."""
    ledger = store.ledger(WIDE)
    guesses = [charge(n, network=n)._replace(secret=b"same") for n in range(3)]
    await ask(ledger, guesses)
    owners = guesses[1]._replace(network=b"h" * 16, networks=(b"h" * 16,), ip=b"h" * 16, device=b"h" * 16)
    (verdict,) = await ask(ledger, [owners])
    ledger.settle(owners, verdict, Effect.RIGHT)
    await store.move_to(store.now_us)

    assert spreads(await ask(ledger, guesses[:1]), "accounts_per_secret") == [3]


async def test_what_is_given_back_untried_leaves_its_tags(store: Store) -> None:
    """Row 3.5: a refund of an untried attempt keeps its pair and its account's place in the secret's set."""
    ledger = store.ledger(ACCOUNT_OF_THREE)
    own = charge()
    (verdict,) = await ask(ledger, [own])
    assert verdict.tagged == 64 | 128
    ledger.settle(own, verdict._replace(tagged=0))
    await store.move_to(T0 + 2 * SECOND)

    (again,) = await ask(ledger, [own])

    assert (again.charged & Charged.ACCOUNT, again.tagged) == (0, 0)
    assert let_in(await ask(ledger, [charge(secret=n) for n in range(1, 9)])) == 3


async def test_low_and_slow_adds_up(store: Store) -> None:
    """Row 76: a guess an hour is below every limit, and after 101 the count says 101."""
    ledger = store.ledger(ROOMY)
    for hour in range(101):
        await store.move_to(T0 + hour * HOUR)
        (verdict,) = await ask(ledger, [charge(0, hour % 30, network=hour)])
        assert verdict.account_wait_us == 0

    assert verdict.failures == 101


@pytest.mark.parametrize(("failures", "days"), [(1, 1), (2, 2), (5, 5), (90, 90), (120, 90)])
@pytest.mark.parametrize("late_us", [-1, 0])
async def test_failures_are_kept_for_a_day_each_after_the_last(
    store: Store, failures: int, days: int, late_us: int
) -> None:
    """Row 13.4: each failure extends the count by a day, up to 90, to the microsecond, whether the record was kept or
    not.
    """
    ledger = store.ledger(WIDE)
    await ask(ledger, [charge(0, n, ip=n, network=n) for n in range(failures)])
    await store.move_to(T0 + days * DAY + late_us)

    (last,) = await ask(ledger, [charge(0, 500)])

    assert last.failures == (failures + 1 if late_us else 1)


async def test_a_guess_a_day_is_all_that_patience_gains(store: Store) -> None:
    """Row 13.4: an attacker who waits until a failure is forgotten has 91 guesses in 91 days; any faster adds up."""
    ledger = store.ledger(ROOMY)
    counts = []
    for day in range(91):
        await store.move_to(T0 + day * DAY)
        counts += [verdict.failures for verdict in await ask(ledger, [charge(1, day, network=day)])]
    assert (len(counts), max(counts)) == (91, 1)

    for number in range(101):
        await store.move_to(store.now_us + 23 * HOUR)
        (verdict,) = await ask(ledger, [charge(2, number, network=number)])
    assert verdict.failures == 101


# Addresses.


async def test_who_is_on_the_allow_list_pays_nothing_at_its_address(store: Store) -> None:
    """An address on the allow list is charged nothing; the account still counts, or the list would be a bypass."""
    ledger = store.ledger(LIMITS)
    found = await ask(ledger, [charge(0, n % 30, exempt=True) for n in range(50)])

    assert let_in(found) == 5
    assert {verdict.charged & Charged.NETWORK for verdict in found} == {0}
    assert (await ask(ledger, [charge(1)]))[0].throttle_wait_us == 0


async def test_one_flood_is_nobody_elses(store: Store) -> None:
    """Row 74: after a thousand attempts of one address its neighbour and others have room."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(n) for n in range(1_000)])

    neighbour, stranger = await ask(ledger, [charge(2_000, ip=1, device=1), charge(2_001, network=1)])

    assert (neighbour.throttle_wait_us, stranger.throttle_wait_us) == (0, 0)


async def test_a_network_over_its_limit_refuses_all_of_it_and_no_other(store: Store) -> None:
    """A full /24 refuses its thirteenth address; the next /24 passes."""
    ledger = store.ledger(LIMITS)
    assert let_in(await ask(ledger, [charge(n, ip=n, device=n) for n in range(20)])) == 12

    inside, outside = await ask(ledger, [charge(50, ip=30, device=30), charge(51, network=1)])

    assert (inside.network_wait_us > 0, outside.network_wait_us) == (True, 0)
    assert (inside.ip_wait_us, inside.device_wait_us) == (0, 0)


DIGESTS = Digests([b"k" * 32])


PROVIDERS = Digests([b"k" * 32], limits_provider=True)


def from_address(address: str, account: int, digests: Digests = DIGESTS) -> Charge:
    origin = Addresses([]).read({"client": (address, 1), "headers": []})
    return digests.charge(Attempt(door(), origin, f"{account}", f"{account}", "x"))


IPV6 = {
    "/64": (only(ip=(Limit(9, HOUR),)), [f"2001:db8:0:0:{n:x}::1" for n in range(1, 1_001)]),
    "/56": (only(networks=((Limit(9, HOUR),), WIDE.ip)), [f"2001:db8:0:{n:x}::1" for n in range(256)]),
    "/48": (only(networks=(WIDE.ip, (Limit(9, HOUR),))), [f"2001:db8:0:{n << 8:x}::1" for n in range(256)]),
}  # fmt: skip


@pytest.mark.parametrize("level", IPV6)
async def test_who_owns_a_prefix_owns_one_budget(store: Store, level: str) -> None:
    """Row 16: an owner of a /64, /56 or /48 has one budget at each level, over a thousand addresses."""
    limits, addresses = IPV6[level]
    attempts = [from_address(address, number) for number, address in enumerate(addresses)]

    assert let_in(await ask(store.ledger(limits), attempts)) == 9


async def test_who_has_a_site_for_each_guess_has_the_budget_of_a_provider(store: Store) -> None:
    """Row 16: over a thousand /48 of one /32; a neighbour's /32 is another budget, and IPv4 has none."""
    limits = only(networks=(WIDE.ip, WIDE.ip, (Limit(9, HOUR),)))
    ledger = store.ledger(limits)
    guesses = [from_address(f"2001:db8:{n:x}::1", n, PROVIDERS) for n in range(1_000)]
    others = [from_address(f"2001:db9:{n:x}::1", 2_000 + n, PROVIDERS) for n in range(3)]
    ipv4 = [from_address(f"100.64.{n}.1", 3_000 + n, PROVIDERS) for n in range(30)]

    found = await ask(ledger, guesses)
    assert let_in(found) == 9
    assert {verdict.network_at for verdict in found if verdict.network_wait_us} == {2}
    assert let_in(await ask(ledger, others)) == 3
    assert let_in(await ask(ledger, ipv4)) == 30


async def test_an_owner_costs_a_provider_nothing_and_many_accounts_there_are_no_sign(store: Store) -> None:
    """A success gives the charge back; accounts are counted in a /56 and a /48 alone."""
    ledger = store.ledger(only(networks=(WIDE.ip, WIDE.ip, (Limit(9, HOUR),))))
    for number in range(30):
        (verdict,) = await ask(ledger, [from_address(f"2001:db8:{number:x}::1", number, PROVIDERS)])
        assert verdict.network_wait_us == 0
        assert verdict.spread.accounts_per_network == 1
        ledger.settle(from_address(f"2001:db8:{number:x}::1", number, PROVIDERS), verdict)
        await store.move_to(store.now_us + SECOND)


# A known device.


async def test_a_known_device_is_hindered_by_nobody(store: Store) -> None:
    """Row 73: with its address and its account over their limits a known device is told no wait."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(n) for n in range(50)])
    await ask(ledger, [charge(0, n % 30, network=n) for n in range(1, 50)])

    (verdict,) = await ask(ledger, [charge(known_device=1)])

    assert (verdict.throttle_wait_us, verdict.account_wait_us, verdict.known_device_wait_us) == (0, 0, 0)
    assert verdict.charged == Charged.KNOWN_DEVICE


async def test_a_device_over_its_budget_is_a_stranger(store: Store) -> None:
    """A device with three attempts an hour is a stranger at its fourth: charged as one, with a bucket wait of 20
    minutes.
    """
    ledger = store.ledger(LIMITS)
    found = await ask(ledger, [charge(0, n, known_device=1) for n in range(4)])

    assert [verdict.known_device_wait_us for verdict in found] == [0, 0, 0, 20 * MINUTE]
    assert found[3].charged == Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES


async def test_one_devices_budget_is_not_anothers(store: Store) -> None:
    """Two devices of one account, and one device at two accounts, have four budgets."""
    ledger = store.ledger(LIMITS)
    attempts = [
        charge(account, n, known_device=known_device) for account in (0, 1) for known_device in (1, 2) for n in range(3)
    ]

    assert {verdict.known_device_wait_us for verdict in await ask(ledger, attempts)} == {0}


async def test_a_success_gives_the_bucket_its_place_back(store: Store) -> None:
    """A success refunds the bucket's place, so the owner may log in all day."""
    ledger = store.ledger(LIMITS)
    for _ in range(10):
        (verdict,) = await ask(ledger, [charge(known_device=1)])
        assert (verdict.charged, verdict.failures) == (Charged.KNOWN_DEVICE, 1)
        ledger.settle(charge(known_device=1), verdict)


@pytest.mark.parametrize(
    "own", [charge(0, 9), charge(0, 9, known_device=1), charge(0, None)], ids=["stranger", "known_device", "bare"]
)
@pytest.mark.parametrize("known", [True, False], ids=["charged", "not charged"])
async def test_a_factor_ends_the_count_of_failures(store: Store, own: Charge, known: bool) -> None:
    """A factor clears the failures, regardless of this attempt's charge."""
    ledger = store.ledger(ROOMY)
    await ask(ledger, [charge(0, n, ip=n) for n in range(3)])
    (verdict,) = await ask(ledger, [own])
    assert verdict.failures == (1 if own.known_device else 4)

    ledger.settle(own, verdict if known else verdict._replace(charged=0), Effect.PROVED)

    assert [each.failures for each in await ask(ledger, [charge(0, 10), charge(1, 10)])] == [1, 1]


async def test_without_a_factor_the_failures_of_others_stay(store: Store) -> None:
    """The right password alone, which a thief may have, does not clear others' failures."""
    ledger = store.ledger(ROOMY)
    *_, verdict = await ask(ledger, [charge(0, n) for n in range(4)])
    ledger.settle(charge(0, 3), verdict, Effect.RENEWED | Effect.RIGHT)

    assert [each.failures for each in await ask(ledger, [charge(0, 10)])] == [4]


async def in_bucket(ledger: Ledger, secret: int, *, right: bool = False, known_device: int = 1) -> int:
    """Log in from a known device. Returns the failures that it is told."""
    own = charge(0, secret, known_device=known_device)
    (verdict,) = await ask(ledger, [own])
    assert verdict.charged == Charged.KNOWN_DEVICE
    if right:
        ledger.settle(own, verdict, Effect.RIGHT)
    else:
        ledger.fail(own, verdict)
    return verdict.failures


async def test_a_stranger_adds_nothing_to_a_devices_failures(store: Store) -> None:
    """Row 4.16, invariant 6: after a hundred guesses of strangers a known device is told one failure at most, its
    own.
    """
    ledger = store.ledger(only(account=(Limit(1_000, HOUR),)))
    strangers = [charge(0, n % 30, network=n) for n in range(100)]
    for each, verdict in zip(strangers, await ask(ledger, strangers), strict=True):
        ledger.fail(each, verdict)

    assert await in_bucket(ledger, 1) == 1
    assert [verdict.failures for verdict in await ask(ledger, [charge(0, 31, network=200)])] == [101]


async def test_a_device_adds_nothing_to_the_strangers_failures(store: Store) -> None:
    """Row 4.16: the owner's typing errors on a device do not count against a new browser."""
    ledger = store.ledger(WIDE)
    assert [await in_bucket(ledger, n) for n in range(3)] == [1, 2, 3]

    assert [verdict.failures for verdict in await ask(ledger, [charge(0, 9)])] == [1]


async def test_each_device_has_failures_of_its_own_until_it_succeeds(store: Store) -> None:
    """Row 4.16: a success in a bucket clears the failures of its own device and no other's."""
    ledger = store.ledger(WIDE)
    told = [await in_bucket(ledger, n, known_device=known_device) for n in range(2) for known_device in (1, 2)]
    told += [
        await in_bucket(ledger, 9, right=True),
        await in_bucket(ledger, 3),
        await in_bucket(ledger, 3, known_device=2),
    ]

    assert told == [1, 1, 2, 2, 3, 1, 3]


async def test_what_opens_no_password_clears_no_failures(store: Store) -> None:
    """A success that checks no password (a requested reset) clears none of a stolen device's failures."""
    ledger = store.ledger(WIDE)
    await in_bucket(ledger, 1)
    own = charge(0, None, known_device=1)
    (verdict,) = await ask(ledger, [own])
    ledger.settle(own, verdict, Effect.RENEWED)

    assert [each.failures for each in await ask(ledger, [charge(0, 2, known_device=1, generation=1)])] == [2]


async def test_failures_are_forgiven_without_giving_anything_back(store: Store) -> None:
    """Row 4.20: a right code clears failures without a refund: the log-in's charge and time are unknown by then."""
    ledger = store.ledger(only(known_device=(Limit(3, HOUR),)))
    told = [await in_bucket(ledger, n) for n in range(2)]
    own = charge(0, 2, known_device=1)
    (verdict,) = await ask(ledger, [own])
    ledger.settle(own, verdict._replace(charged=Charged.KNOWN_DEVICE, tagged=0, at_us=0, account_at_us=0), Effect.RIGHT)
    (full,) = await ask(ledger, [own])
    await store.move_to(T0 + HOUR)

    assert (told, full.known_device_wait_us) == ([1, 2], 20 * MINUTE)
    assert await in_bucket(ledger, 3) == 1


@pytest.mark.parametrize(("after_us", "failures"), [(90 * DAY - 1, 3), (90 * DAY, 1)])
async def test_a_devices_failures_are_kept_for_ninety_days_after_the_last(
    store: Store, after_us: int, failures: int
) -> None:
    """A device's failures are kept for ninety days after the last; the bucket itself ends within a day."""
    ledger = store.ledger(WIDE)
    await in_bucket(ledger, 1)
    await in_bucket(ledger, 2)
    await store.move_to(T0 + after_us)

    assert await in_bucket(ledger, 3) == failures


async def test_a_log_in_of_a_known_device_keeps_no_strangers_failures_alive(store: Store) -> None:
    """Row 4.16: a known device's log-ins do not extend strangers' failures: three end three days after the last."""
    ledger = store.ledger(WIDE)
    await ask(ledger, [charge(0, n) for n in range(3)])
    for days in (1, 2):
        await store.move_to(T0 + days * DAY)
        await in_bucket(ledger, 9, right=True)

    await store.move_to(T0 + 3 * DAY)

    assert [verdict.failures for verdict in await ask(ledger, [charge(0, 10)])] == [1]


async def test_sixteen_devices_in_trouble_keep_their_failures(store: Store) -> None:
    """Devices' failures take no other's place; of seventeen the oldest makes room."""
    ledger = store.ledger(WIDE)
    for known_device in range(17):
        await in_bucket(ledger, 1, known_device=known_device)
        await store.move_to(store.now_us + SECOND)  # at rest: its bucket could make room

    assert [await in_bucket(ledger, 2, known_device=known_device) for known_device in (1, 16, 0)] == [2, 2, 1]


async def test_a_factor_at_an_account_long_forgotten(store: Store) -> None:
    """A factor at an account without a record fails nothing and charges nothing."""
    ledger = store.ledger(ROOMY)
    (verdict,) = await ask(ledger, [charge()])
    await store.move_to(T0 + 91 * DAY)
    ledger.settle(charge(), verdict, Effect.PROVED)
    ledger.settle(charge(7), verdict, Effect.PROVED)

    assert [each.failures for each in await ask(ledger, [charge(), charge(7)])] == [1, 1]


async def renew(store: Store, generation: int = 0) -> None:
    ledger = store.ledger(LIMITS)
    own = charge(known_device=1, generation=generation)
    (verdict,) = await ask(ledger, [own])
    assert verdict.charged & Charged.KNOWN_DEVICE
    ledger.settle(own, verdict, Effect.RENEWED)
    await store.move_to(store.now_us)


async def test_two_tabs_may_use_one_token_for_a_minute(store: Store) -> None:
    """A renewed token stays valid for a minute, as a second tab's request may be under way."""
    await renew(store)
    await store.move_to(T0 + MINUTE)

    (verdict,) = await ask(store.ledger(LIMITS), [charge(known_device=1)])

    assert (verdict.token_spent, verdict.charged & Charged.KNOWN_DEVICE) == (False, Charged.KNOWN_DEVICE)


async def test_a_token_that_was_renewed_is_spent(store: Store) -> None:
    """A renewed token shown after that is a copy: a stranger, and reported. The new one is valid."""
    await renew(store)
    await store.move_to(T0 + MINUTE + 1)
    ledger = store.ledger(LIMITS)

    old, new = await ask(ledger, [charge(known_device=1), charge(known_device=1, generation=1)])

    assert (old.token_spent, old.charged & Charged.KNOWN_DEVICE, old.known_device_wait_us) == (True, 0, 0)
    assert (new.token_spent, new.charged & Charged.KNOWN_DEVICE) == (False, Charged.KNOWN_DEVICE)


@pytest.mark.parametrize("step_us", [HOUR, DAY])
async def test_a_known_device_has_one_new_period_after_a_clock_was_set_back(store: Store, step_us: int) -> None:
    """Its bucket was full or nearly empty: seven more attempts, and no more than these. It is not kept out."""
    limits, attempts = flood("known_device")
    ledger, other = store.ledger(limits), charge(1, known_device=2)
    await ask(ledger, [*attempts, other])
    await store.move_to(T0 - step_us)

    found = await ask(ledger, [*attempts, other])

    assert [verdict.charged & Charged.KNOWN_DEVICE > 0 for verdict in found[:-1]].count(True) == 7
    assert found[-1].charged & Charged.KNOWN_DEVICE


@pytest.mark.parametrize(("step_us", "is_let_in"), [(-DAY, True), (-59 * SECOND, False), (0, False)])
async def test_a_seventeenth_device_has_a_place_after_a_clock_was_set_back(
    store: Store, step_us: int, *, is_let_in: bool
) -> None:
    """The buckets of the other sixteen were never at rest until the clock had caught up."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(known_device=number) for number in range(16)])
    await store.move_to(T0 + step_us)

    (last,) = await ask(ledger, [charge(known_device=16)])
    ledger.settle(charge(known_device=16), last, Effect.RIGHT)
    (again,) = await ask(ledger, [charge(known_device=16)])

    assert [bool(each.charged & Charged.KNOWN_DEVICE) for each in (last, again)] == [is_let_in, is_let_in]


async def test_a_clock_that_is_corrected_by_less_than_a_minute_fills_no_bucket_anew(store: Store) -> None:
    """Nor does another server's clock, after one has taken over from another."""
    limits, attempts = flood("known_device")
    ledger = store.ledger(limits)
    await ask(ledger, attempts)
    await store.move_to(T0 - 59 * SECOND)

    found = await ask(ledger, attempts)

    assert not any(verdict.charged & Charged.KNOWN_DEVICE for verdict in found)


@pytest.mark.parametrize("generation", [0, 2**31 - 3])
async def test_a_spent_token_stays_spent_after_a_clock_was_set_back(store: Store, generation: int) -> None:
    """A thief's older copy, and a device whose trust its owner has ended; the newest token is good."""
    ledger = store.ledger(LIMITS)
    ledger.settle(charge(known_device=1, generation=generation), UNHINDERED, Effect.RENEWED)
    await store.move_to(T0 - DAY)

    old, new = await ask(ledger, [charge(known_device=1, generation=number) for number in (generation, generation + 1)])

    assert (old.token_spent, new.token_spent) == (True, False)


async def test_a_late_settlement_does_not_bring_an_old_token_back(store: Store) -> None:
    """A late settlement of the first token, after two renewals, does not make it the newest again."""
    ledger = store.ledger(LIMITS)
    (slow,) = await ask(ledger, [charge(known_device=1)])
    await renew(store)
    await renew(store, generation=1)
    ledger.settle(charge(known_device=1), slow, Effect.RENEWED)
    await store.move_to(T0 + MINUTE + 1)

    old, new = await ask(ledger, [charge(known_device=1, generation=1), charge(known_device=1, generation=2)])

    assert (old.token_spent, new.token_spent) == (True, False)


async def test_a_device_whose_trust_ended_stays_spent(store: Store) -> None:
    """A device whose trust its owner ended is spent for 400 days: as long as any token lives."""
    ended = 2**31 - 2
    own = charge(known_device=1, generation=ended)
    ledger = store.ledger(LIMITS)
    ledger.settle(own, UNHINDERED, Effect.RENEWED)
    await store.move_to(store.now_us)
    for days in (1, 90, 399):
        await store.move_to(T0 + days * DAY)
        (verdict,) = await ask(ledger, [charge(known_device=1, generation=7)])
        assert (verdict.token_spent, verdict.charged & Charged.KNOWN_DEVICE) == (True, 0)
    await store.move_to(T0 + 401 * DAY)
    (verdict,) = await ask(ledger, [charge(known_device=1, generation=7)])
    assert not verdict.token_spent


async def changed(store: Store, known_device: int | None) -> None:
    """The account's password is changed at a second's half, by this device."""
    await store.move_to(T0 + SECOND // 2)
    own = charge(known_device=known_device, generation=3)
    verdict = UNHINDERED._replace(charged=0, at_us=store.now_us)
    store.ledger(LIMITS).settle(own, verdict, Effect.ENDS)
    await store.move_to(store.now_us)


async def is_known(store: Store, known_device: int, issued_us: int) -> bool:
    (verdict,) = await ask(store.ledger(LIMITS), [charge(known_device=known_device, issued_us=issued_us)])
    assert verdict.token_spent != bool(verdict.charged & Charged.KNOWN_DEVICE)
    return not verdict.token_spent


@pytest.mark.parametrize("days", [0, 90, 399])
async def test_a_change_of_the_password_voids_the_tokens_of_all_other_devices(store: Store, days: int) -> None:
    """Also of devices that the store knows nothing of; for 400 days, as long as any token lives."""
    await changed(store, known_device=1)
    await store.move_to(T0 + days * DAY + SECOND)
    assert not await is_known(store, 2, T0 - 1_000 * SECOND)
    assert not await is_known(store, 3, T0 - SECOND)
    assert await is_known(store, 1, T0 - 1_000 * SECOND)
    assert not await is_known(store, 3, T0)  # in the second of the change, of which tokens tell no more
    assert await is_known(store, 2, T0 + SECOND)
    await store.move_to(T0 + 401 * DAY)
    assert await is_known(store, 2, T0 - 1_000 * SECOND)


async def test_the_last_change_counts(store: Store) -> None:
    """A second change, by a stranger's browser, ends the device that made the first one. Other accounts are spared."""
    await changed(store, known_device=1)
    await changed(store, known_device=None)
    assert not await is_known(store, 1, T0 - SECOND)
    (other,) = await ask(store.ledger(LIMITS), [charge(7, known_device=1, issued_us=T0 - SECOND)])
    assert not other.token_spent


async def test_no_flood_of_failures_brings_a_void_token_back(store: Store) -> None:
    """The change keeps its place beside the failures of more devices than there is room for."""
    await changed(store, known_device=1)
    ledger = store.ledger(WIDE)
    for known_device in range(10, 30):
        await in_bucket(ledger, 1, known_device=known_device)
        await store.move_to(store.now_us + SECOND)
    assert not await is_known(store, 2, T0 - SECOND)


async def test_a_change_that_no_clock_tells_is_of_now(store: Store) -> None:
    """Times of another clock, or none, would void no token, or every one to come."""
    for at_us in (0, 7, T0 + DAY):
        store.ledger(LIMITS).settle(charge(known_device=1), UNHINDERED._replace(charged=0, at_us=at_us), Effect.ENDS)
        await store.move_to(store.now_us + SECOND)
        assert not await is_known(store, 2, store.now_us - 5 * SECOND)
        assert await is_known(store, 3, store.now_us)  # a second later


async def test_a_renewal_is_remembered_for_a_day(store: Store) -> None:
    """A renewal is remembered for a day: longer would cost a record per log-in."""
    await renew(store)
    ledger = store.ledger(LIMITS)

    await store.move_to(T0 + DAY - 1)
    assert (await ask(ledger, [charge(known_device=1)]))[0].token_spent
    await store.move_to(T0 + DAY)
    assert not (await ask(ledger, [charge(known_device=1)]))[0].token_spent


async def test_the_seventeenth_device_in_trouble_is_a_stranger(store: Store) -> None:
    """A seventeenth device with failures is a stranger, which bounds the record; none of the sixteen is removed."""
    ledger = store.ledger(LIMITS)
    found = await ask(ledger, [charge(known_device=n) for n in range(17)])
    assert [verdict.charged & Charged.KNOWN_DEVICE > 0 for verdict in found] == [True] * 16 + [False]

    again = await ask(ledger, [charge(known_device=n) for n in range(16)] * 2)

    assert {verdict.charged & Charged.KNOWN_DEVICE for verdict in again} == {Charged.KNOWN_DEVICE}


async def test_a_device_at_rest_makes_room(store: Store) -> None:
    """A device at rest, without recent failures, gives its place to the seventeenth."""
    ledger = store.ledger(LIMITS)
    await ask(ledger, [charge(known_device=0)])
    await store.move_to(T0 + 10 * MINUTE)
    await ask(ledger, [charge(known_device=n) for n in range(1, 16)])
    await store.move_to(T0 + 20 * MINUTE)  # device 0's failure has drained, the others' have not

    (verdict,) = await ask(ledger, [charge(known_device=16)])

    assert verdict.charged & Charged.KNOWN_DEVICE


# Sets of seen values.


def spreads(verdicts: Sequence[Verdict], name: str) -> list[int]:
    return [getattr(verdict.spread, name) for verdict in verdicts]


SIXTEEN = [min(n, 16) for n in range(1, 25)]
EIGHT = [min(n, 8) for n in range(1, 25)]
SPREADS = {
    "accounts_per_ip": (SIXTEEN, [charge(n, device=n) for n in range(24)]),
    "accounts_per_device": (SIXTEEN, [charge(n, ip=n) for n in range(24)]),
    "accounts_per_network": (SIXTEEN, [charge(n, ip=n % 10, device=n) for n in range(24)]),
    "ips_per_account": (EIGHT, [charge(network=n) for n in range(24)]),
    "accounts_per_secret": (SIXTEEN, [charge(n, network=n)._replace(secret=b"same") for n in range(24)]),
}


@pytest.mark.parametrize("name", SPREADS)
async def test_different_ones_are_counted_up_to_a_cap(store: Store, name: str) -> None:
    """Row 75: different values are counted exactly up to a cap, with no memory beyond it."""
    expected, attempts = SPREADS[name]
    ledger = store.ledger(WIDE)

    assert expected == spreads(await ask(ledger, attempts), name)


@pytest.mark.parametrize("name", SPREADS)
async def test_the_same_one_again_is_no_other(store: Store, name: str) -> None:
    """A repeated value counts once: an owner who types a password nine times is one owner."""
    _, attempts = SPREADS[name]

    assert spreads(await ask(store.ledger(WIDE), attempts[:1] * 9), name) == [1] * 9


@pytest.mark.parametrize("name", SPREADS)
async def test_what_was_seen_is_forgotten_within_the_hour(store: Store, name: str) -> None:
    """A seen value is forgotten after half an hour at least and an hour at most: two half-windows."""
    _, attempts = SPREADS[name]
    await store.move_to(T0 - T0 % HOUR + 29 * MINUTE)
    ledger = store.ledger(WIDE)
    await ask(ledger, attempts[:5])

    await store.move_to(T0 - T0 % HOUR + 59 * MINUTE)
    assert spreads(await ask(ledger, attempts[5:6]), name) == [6]
    await store.move_to(T0 - T0 % HOUR + 60 * MINUTE)
    assert spreads(await ask(ledger, attempts[5:6]), name) == [1]


async def test_the_refused_are_seen_too(store: Store) -> None:
    """Refused attempts are seen too, so a sprayer over every limit still shows the spray's width."""
    found = await ask(store.ledger(LIMITS), [charge(n)._replace(secret=b"same") for n in range(12)])

    assert found[-1].ip_wait_us > 0
    assert (found[-1].spread.accounts_per_ip, found[-1].spread.accounts_per_secret) == (12, 12)


NETWORK_OF_NINE = {
    "/48": (only(networks=(WIDE.ip, (Limit(9, HOUR),))), True),
    "/24": (only(networks=((Limit(9, HOUR),),)), False),
}


@pytest.mark.parametrize("level", NETWORK_OF_NINE)
async def test_what_is_refused_for_its_network_leaves_no_new_record(store: Store, level: str) -> None:
    """Row 5.2: of a thousand attempts refused at the network no new value gets a record."""
    limits, v6 = NETWORK_OF_NINE[level]
    ledger = store.ledger(limits)
    attempts = [charge(n, n, ip=n, device=n, v6=v6) for n in range(1_000)]
    assert let_in(await ask(ledger, attempts[:9])) == 9
    before = await store.records()

    found = await ask(ledger, attempts[9:])
    await store.move_to(store.now_us)

    assert let_in(found) == 0
    assert {verdict.network_at for verdict in found} == {int(v6)}
    assert await store.records() == before


async def test_the_refused_change_nothing_at_an_account_that_nobody_knew(store: Store) -> None:
    """A refused attempt changes nothing at an unknown account: it stays fresh, for other strangers too."""
    ledger = store.ledger(only(ip=(Limit(1, HOUR),)))
    refused = (await ask(ledger, [charge(1, 1), charge(0)]))[1]
    await store.move_to(store.now_us)

    (fresh,) = await ask(ledger, [charge(0, network=1)])

    assert (refused.failures, refused.spread.ips_per_account, refused.spread.accounts_per_secret) == (0, 0, 0)
    assert (fresh.failures, fresh.spread.ips_per_account) == (1, 1)


async def test_a_right_secret_leaves_the_set(store: Store) -> None:
    """R12: after the owner's log-in the secret's set no longer holds the account."""
    ledger = store.ledger(WIDE)
    owner, dummy = (charge(n, network=n)._replace(secret=b"same") for n in range(2))
    (verdict,) = await ask(ledger, [owner])
    ledger.settle(owner, verdict)
    await store.move_to(store.now_us)

    assert spreads(await ask(ledger, [dummy]), "accounts_per_secret") == [1]


# Clocks and restarts.


@pytest.mark.parametrize("step_us", [-HOUR, HOUR])
@pytest.mark.parametrize("name", ["ip", "network", "device", "account"])
async def test_a_clock_that_steps_refuses_for_no_longer_than_a_period(store: Store, name: str, step_us: int) -> None:
    """Row 72: a clock step of an hour means no wait beyond a period, and a step back empties no counter."""
    _, attempts = flood(name)
    seven = (Limit(7, 10 * MINUTE),)
    ledger = store.ledger(only(**{f"{name}s": (seven,)} if name == "network" else {name: seven}))
    await ask(ledger, attempts)

    await store.move_to(T0 + step_us)
    found = await ask(ledger, attempts)

    assert 0 < max(max(verdict.throttle_wait_us, verdict.account_wait_us) for verdict in found) <= 10 * MINUTE
    assert let_in(found) == (7 if step_us > 0 else 0)


@pytest.mark.parametrize("step_us", [-HOUR, -DAY, -30 * DAY])
@pytest.mark.parametrize("name", ["ip", "network", "device", "account"])
async def test_a_clock_that_was_set_back_leaves_counters_as_full_as_they_were(
    store: Store, name: str, step_us: int
) -> None:
    """Row 72: of seven in ten minutes, five were used a minute ago. Two have room, and soon another, not in a day.

    Before, one attempt made a counter full until the clock had caught up: strangers at that address were refused.
    """
    _, attempts = flood(name)
    seven = (Limit(7, 10 * MINUTE),)
    ledger = store.ledger(only(**{f"{name}s": (seven,)} if name == "network" else {name: seven}))
    await ask(ledger, attempts[:5])
    await store.move_to(T0 + step_us)

    at_once = let_in(await ask(ledger, attempts[5:20]))
    await store.move_to(T0 + step_us + 2 * MINUTE)
    later = let_in(await ask(ledger, attempts[20:40]))

    assert (at_once, later) == (2, 1)


@pytest.mark.parametrize("step_us", [-HOUR, -DAY])
async def test_a_full_counter_of_another_clock_drains_while_it_refuses(store: Store, step_us: int) -> None:
    """It refuses again and again, and is no fuller for that."""
    limits, attempts = flood("ip")
    ledger = store.ledger(limits)
    await ask(ledger, attempts)

    found = []
    for minute in range(0, 20, 2):
        await store.move_to(T0 + step_us + minute * MINUTE)
        found += await ask(ledger, [attempts[minute]])

    assert [each.throttle_wait_us == 0 for each in found] == [False] * 5 + [True] + [False] * 3 + [True]


@pytest.mark.parametrize("step_us", [-HOUR, -DAY])
async def test_a_clock_that_was_set_back_keeps_no_tag_until_it_has_caught_up(store: Store, step_us: int) -> None:
    """Accounts seen at an address, and with a secret, are forgotten after an hour at most, as ever."""
    ledger = store.ledger(WIDE)
    await ask(ledger, [charge(number, 1) for number in range(12)])
    found = []
    for minutes in (0, 61):
        await store.move_to(T0 + step_us + minutes * MINUTE)
        (verdict,) = await ask(ledger, [charge(20, 1)])
        found.append((verdict.spread.accounts_per_ip, verdict.spread.accounts_per_secret))

    assert found == [(13, 13), (1, 1)]


@pytest.mark.parametrize(
    ("after", "waits"),
    [
        ((Limit(5, 5 * MINUTE), Limit(10, HOUR)), [0, 0, 60]),  # the same
        ((Limit(5, 5 * MINUTE),), [0, 0, 60]),  # one fewer
        ((Limit(5, 5 * MINUTE), Limit(10, HOUR), Limit(12, DAY)), [0, 0, 60]),  # one more starts from the last
        ((Limit(3, MINUTE),), [20, 20, 20]),  # shorter: full, and no fuller
        ((Limit(100, HOUR),), [0, 0, 0]),  # far more
    ],
)
async def test_counts_outlive_a_restart_with_other_limits(store: Store, after: Limits, waits: list[int]) -> None:
    """Row 78: after a restart, counts weigh under the new limits, and never beyond their period."""
    await ask(store.ledger(only(account=(Limit(5, 5 * MINUTE), Limit(10, HOUR)))), [charge(0, n) for n in range(3)])

    found = await ask(store.ledger(only(account=after)), [charge(0, 3 + n) for n in range(3)])

    assert [verdict.account_wait_us // SECOND for verdict in found] == waits


@pytest.mark.parametrize("known_device", [None, 1])
async def test_a_limit_that_was_added_starts_from_the_one_before_it(store: Store, known_device: int | None) -> None:
    """A new daily limit starts from the hourly one's charge: three in 18 minutes' worth leave three, not four."""
    hourly = (Limit(20, 30 * MINUTE), Limit(10, HOUR))
    daily = (*hourly, Limit(4, DAY))
    attempts = [charge(0, n, known_device=known_device) for n in range(7)]
    await ask(store.ledger(only(account=hourly, known_device=hourly)), attempts[:3])

    found = await ask(store.ledger(only(account=daily, known_device=daily)), attempts[3:])

    assert [max(verdict.account_wait_us, verdict.known_device_wait_us) // MINUTE for verdict in found] == [0, 0, 0, 18]
