"""The statistics behind *cannot be told apart* find real differences and no others."""

from __future__ import annotations

import time
from collections import Counter
from ipaddress import ip_address
from itertools import islice
from random import Random
from typing import Any

import pytest

from benchmarks.known import SECRET, proved
from benchmarks.login_post import AGENT, address
from benchmarks.step_up import doors, enrolled, flooded, sealed
from benchmarks.step_up.figures import page
from benchmarks.step_up.separate import auc, kolmogorov_smirnov, mann_whitney, separation, shares
from benchmarks.step_up.site import KNOWN, PASSWORD, WRONG, members, nobodies
from benchmarks.step_up.timings import KINDS, attempts, compared
from sekisho.devices.token import DeviceTokens, browser_family
from sekisho.model import Device


def series(random: Random, count: int = 2_000, *, shift: float = 0.0, spread: float = 1.0) -> list[float]:
    return [random.gauss(shift, spread) for _ in range(count)]


def test_alike_series_are_not_separated() -> None:
    """Alike series are not separated: at one in a thousand a hundred pairs hardly give two false alarms."""
    alarms = sum(separation(series(Random(seed)), series(Random(-seed - 1_000))).separated for seed in range(100))

    assert alarms <= 1


@pytest.mark.parametrize("seed", range(10))
def test_a_quarter_of_the_spread_is_seen(seed: int) -> None:
    """A quarter of the spread is found by either test, with either series the slower one."""
    random = Random(seed)
    fast, slow = series(random), series(random, shift=0.25)

    assert separation(fast, slow).separated
    assert separation(slow, fast).separated


def test_another_shape_is_seen_though_neither_is_slower() -> None:
    """Another shape is found though neither is slower: a jittered wait beside a constant one."""
    random = Random(7)

    assert separation(series(random), series(random, spread=2.0)).separated


def test_ties_are_no_difference() -> None:
    """A coarse clock gives the same few values to both."""
    assert mann_whitney([1.0] * 100, [1.0] * 100) == kolmogorov_smirnov([1.0] * 100, [1.0] * 100) == 1.0


def test_every_class_is_tried_as_often_and_no_account_more_than_another() -> None:
    """Every class and every account is tried equally often, so classes are compared and not accounts."""
    tries = list(attempts(1_000))

    assert {tried.name: count for tried, count in Counter(kind for kind, _ in tries).items()} == dict.fromkeys(
        (kind.name for kind in KINDS), 1_000
    )
    assert set(Counter(account for _, account in tries).values()) == {2}
    assert {kind.known for kind, account in tries if account.startswith("member")} == {True}


def test_neighbours_in_time_are_no_neighbours_in_space() -> None:
    """Successive attempts differ in network, so no address limit answers for the step-up."""
    places = [address(number) for number in range(10_000)]

    assert len({place.rpartition(".")[0] for place in places}) == len(places)
    assert all(ip_address(place).version == 4 for place in places)


def test_all_names_are_of_one_length() -> None:
    """All names have one length, as a longer request would take longer."""
    assert len({len(name) for name in (*members(KNOWN), *nobodies(KNOWN))}) == 1
    assert len(PASSWORD) == len(WRONG)


def test_the_page_says_which_pairs_are_told_apart() -> None:
    """The page derives which pairs are told apart from the figures."""
    random = Random(3)
    same = {kind.name: series(random, 200, shift=50.0) for kind in KINDS}
    one = compared("alike", same)
    other = compared("apart", {**same, KINDS[0].name: series(random, 200, shift=60.0)})
    text = "\n".join(page({**RESULT, "series": [one, other]}, None))

    assert not any(pair["separated"] for pair in one["pairs"])
    assert text.count("**separated**") == 3
    assert "3 of 12 pairs are" in text


def test_auc_is_a_half_where_nothing_can_be_told() -> None:
    """The AUC is a half for equal series and one where right passwords are all slower; ties count by half."""
    assert auc([1.0, 2.0], [1.0, 2.0]) == 0.5
    assert auc([3.0, 4.0], [1.0, 2.0]) == 1.0
    assert auc([1.0], [2.0, 2.0]) == 0.0
    assert auc([2.0] * 3, [2.0] * 7) == 0.5
    random = Random(5)
    assert 0.47 < auc(series(random), series(random)) < 0.53
    assert auc(series(random, shift=0.25), series(random)) > 0.53


def test_all_settings_behind_the_seal_are_measured_with_as_many_right_as_wrong_ones() -> None:
    """0, 40 and 400 ms, with and without a renewed hash, queue empty and full."""
    assert len(set(sealed.SETTINGS)) == 12
    assert {setting.more_ms for setting in sealed.SETTINGS} == {0, 40, 400}
    tries = list(sealed.attempts(100, 1))
    assert sum(right for _, _, right in tries) == len(tries) / 2 == 100


def test_the_page_says_what_is_told_behind_the_seal() -> None:
    """The page has a line for each setting behind the seal, and the number of outliers."""
    random = Random(4)
    alike, apart = (
        sealed.Times({True: series(random), False: series(random)}, {True: slow, False: series(random)})
        for slow in (series(random), series(random, shift=9.0))
    )
    found = [sealed.compared(one, times) for one, times in zip(sealed.SETTINGS, (alike, apart), strict=False)]
    plan = {**RESULT["plan"], "sealed": {"count": 2_000, "clients": 20}}
    text = "\n".join(page({**RESULT, "plan": plan, "series": [], "sealed": found}, None))

    assert "Outside of it: 1 of 4." in text
    assert "| 0 | no | full | 0." in text


def test_the_page_says_which_doors_tell() -> None:
    """Members and nobody are tried as often; a door whose times differ is counted as one that tells."""
    tries = list(doors.attempts(100))
    assert sum(known for known, _ in tries) == len(tries) / 2 == 100
    random = Random(11)
    alike = {known: series(random, shift=900.0) for known in (True, False)}
    apart = {True: series(random, shift=901.0), False: series(random, shift=900.0)}
    found = [
        doors.compared(knock, times, factors=True) for knock, times in zip(doors.KNOCKS, (alike, apart), strict=False)
    ]
    text = "\n".join(page(None, None, {**RESULT, "doors": found}))

    assert [one["holds"] for one in found] == [True, False]
    assert "Outside of it: 1 of 2." in text
    assert "| a reset with a token | yes | 0." in text
    assert "TELLS" in doors.said(found[1])


def test_the_page_says_what_is_told_of_enrolled_factors() -> None:
    """Every class is tried as often, at accounts of its own; one whose times differ counts as one that tells."""
    tries = list(enrolled.attempts(9))
    assert Counter(one for _, one, _ in tries) == dict.fromkeys(enrolled.CLASSES, 9)
    accounts = {one: {account for _, its, account in tries if its == one} for one in enrolled.CLASSES}
    assert len(set[str]().union(*accounts.values())) == sum(map(len, accounts.values()))
    random = Random(13)
    times: enrolled.Times = {
        answer: {one: series(random, shift=900.0) for one in enrolled.CLASSES} for answer in enrolled.ANSWERS
    }
    times[enrolled.CODE]["a member with totp"] = series(random, shift=901.0)
    plan = {"count": 9, "accounts": KNOWN, "clients": 20}
    text = "\n".join(page(None, None, None, {**RESULT, "plan": plan, "classes": enrolled.compared(times)}))

    assert "Outside: 1 of 9." in text
    assert "| a wrong code | a member with an app | 0.7" in text


def test_shares_of_refusals_are_compared() -> None:
    """Half and half is alike, and so are no refusals at all; 60 of 100 beside 40 of 100 is one chance in 200."""
    assert shares(50, 100, 500, 1_000) == shares(7, 7, 9, 9) == 1.0
    assert shares(60, 100, 40, 100) == pytest.approx(0.00468, rel=0.01)


def test_every_class_is_tried_as_often_beside_a_flood() -> None:
    """Each three attempts have one of each class, and each class has names of its kind."""
    tries = list(islice(flooded.attempts(1), 300))

    assert Counter(one for _, one, _ in tries) == dict.fromkeys(flooded.CLASSES, 100)
    assert {account[:6] for _, one, account in tries if one == flooded.NOBODY} == {"nobody"}
    assert {account[:6] for _, one, account in tries if one != flooded.NOBODY} == {"member"}


def test_the_page_says_what_is_told_beside_a_flood() -> None:
    """One class is slower at the wrong code, and another is refused more often: both are counted as telling."""
    random = Random(19)
    times = {one: flooded.Times([4_000], series(random), series(random)) for one in flooded.CLASSES}
    times[flooded.RIGHT] = flooded.Times([4_000], series(random), series(random, shift=9.0))
    times[flooded.NOBODY] = flooded.Times([6_000], series(random), series(random))
    found = flooded.compared(flooded.SETTINGS[0], times)
    plan = {**RESULT["plan"], "seconds": 9.0, "clients": 2, "flood": "fresh addresses", "rate": 500.0}
    text = "\n".join(page(None, None, flooded={**RESULT, "plan": plan, "answers": found}))

    assert [one["holds"] for one in found] == [True, False, False, True]
    assert "Outside of either: 2 of 4." in text
    assert "| a wrong code | the password | 1.000 | 2,000 of 2,000 / 2,000 of 2,000 | 1 |" in text
    assert "TELLS" in flooded.said(found[1])


RESULT: dict[str, Any] = {
    "when": "2026-01-01",
    "plan": {
        "count": 200,
        "pause_ms": 25.0,
        "alpha": 0.001,
        "accounts": KNOWN,
        "profile": {"passes": 2, "memory_kib": 7_168, "lanes": 1},
    },
    "machine": {
        "processor": "p",
        "cores": 2,
        "kernel": "k",
        "python": "3",
        "commit": "c",
        "load_average_before": 0.1,
    },
}


def test_a_proved_device_is_known_as_one() -> None:
    """A proved device passes the guard, as the plain answer in the comparison must."""
    token = DeviceTokens((SECRET.encode(),), days=90).find(
        proved("hana"), "hana", browser_family(AGENT.encode()), int(time.time())
    )

    assert token is not None
    assert token.device_class is Device.PROVED
