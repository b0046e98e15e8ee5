"""Copies of device tokens: what an attacker opens with them, told by what owner and attacker have done alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sekisho.simulate.laboratory import BuiltGuard
from sekisho.simulate.laboratory.browser import Browser
from sekisho.simulate.laboratory.copies import Copy, kind_of
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.scenario import Attack
from tests.simulate.laboratory.playing import played, scenario
from tests.simulate.laboratory.test_aged_devices import OWNERS

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.simulate.laboratory import Results, Scenario

DAY_S, HOUR_S = 86_400.0, 3_600.0
COPIES = Attack(attempts=30, from_h=24, hours=48, right=10, right_share=0.0, copies=True)


def copied(*attacks: Attack) -> Scenario:
    return replace(scenario(*(attacks or (COPIES,)), owners=OWNERS, hours=72), monitored=True)


def opened(results: Results, **wanted: str) -> tuple[int, int]:
    counts = results.copies_where(**wanted)
    return counts.entered, counts.used


async def entering(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"location", b"/account"), (b"set-cookie", b"device=d; Max-Age=60")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def test_a_device_is_what_its_owner_has_done_with_it() -> None:
    """Two weeks and four log-ins make it aged, a proof makes it proved; without cookies there is nothing to copy."""
    device = Browser(entering, "browser")
    assert kind_of(device, 20 * DAY_S) == "no token"
    await device.log_in("192.0.2.1", "hana", "secret")
    device.entered_s = [0.0, DAY_S, 2 * DAY_S]
    assert kind_of(device, 20 * DAY_S) == "seen"
    device.entered_s.append(3 * DAY_S)
    assert (kind_of(device, 13.9 * DAY_S), kind_of(device, 14 * DAY_S)) == ("seen", "aged")
    device.has_proved = True
    assert kind_of(device, 20 * DAY_S) == "proved"


def test_devices_are_aged_when_the_policy_says_so() -> None:
    assert policies()["factors-aged"].settings["aged_device_days"] == "14"


@pytest.mark.parametrize(
    ("owner_h", "copy_h", "first"),
    [
        ([-5], [1, 30], "copy alone"),
        ([-5, 3], [1, 2], "copy alone"),
        ([-5, 20], [1, 30], "copy first"),
        ([3], [5], "owner first"),
        ([3], [5, 28], "owner first, gone for a day"),
        ([3, 10], [5, 28], "owner first"),
    ],
)
def test_who_came_first_is_told_at_each_use(owner_h: list[float], copy_h: list[float], first: str) -> None:
    """Hours since the copy was made; log-ins of the owner that are still to come are not known yet."""
    device = Browser(entering, "browser")
    copy = Copy("seen", device.copy(1), device, at_s=10 * DAY_S)
    for at_h in copy_h:
        device.entered_s = [10 * DAY_S + each * HOUR_S for each in owner_h if each < at_h]
        found = copy.use(10 * DAY_S + at_h * HOUR_S)
    assert found == first


def test_without_a_guard_every_copy_opens_its_account() -> None:
    """What guards are compared with; no owner's cookies are copied twice, also by another campaign."""
    at_owner = replace(COPIES, attempts=10, at_owner=True)
    results = played(copied(COPIES, at_owner), build=lambda ports: BuiltGuard(ports.app))
    assert opened(results) == (40, 40)
    assert (results.right.total(), results.taken_over) == (20, 20)
    assert opened(results, place="owner's computer") == (10, 10)
    assert opened(results, phase="calm") == (40, 40)


def test_a_copy_opens_what_its_device_had_proved_until_both_were_used() -> None:
    """A copied proof is a proof. A device that was merely seen is asked, and its copy cannot answer."""
    results = played(copied(), "factors")
    alone, used = opened(results, kind="proved", first="copy alone")
    assert alone == used > 5
    assert opened(results, kind="proved", first="copy first")[0] == 0 < opened(results, first="copy first")[1]
    assert opened(results, kind="proved", first="owner first")[0] == 0 < opened(results, first="owner first")[1]
    seen, aged = opened(results, kind="seen"), opened(results, kind="aged")
    assert seen[0] == aged[0] == 0 < seen[1] + aged[1]


def test_an_aged_device_ends_when_both_use_it() -> None:
    """In calm its copy opens the account until its owner comes back, and the owner is not refused."""
    results = played(copied(), "factors-aged")
    alone, used_alone = opened(results, kind="aged", first="copy alone")
    both, used_by_both = opened(results, kind="aged", first="copy first")
    assert alone == used_alone > 4
    assert both <= 1 < used_by_both
    owners = results.by_kind["copied device"]
    assert owners.asked > 0 == owners.refused


def test_an_attack_under_way_is_told_from_the_use_of_copies() -> None:
    guesses = Attack(attempts=20, from_h=50, hours=10, right_share=0.0)
    results = played(copied(COPIES, guesses), build=lambda ports: BuiltGuard(ports.app))
    assert opened(results, phase="attack")[1] == pytest.approx(30 * 10 / 48, abs=2)
    assert opened(results)[1] == 30
