"""Campaigns: what belongs together is found, what owners do is not, and memory is bounded with a stated error."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.record import Event, Kind, Subject
from sekisho.record.campaigns import campaigns_in
from sekisho.record.campaigns.sample import Sample
from sekisho.record.campaigns.space_saving import SpaceSaving

if TYPE_CHECKING:
    from sekisho.record.campaigns import FoundCampaigns

T0 = 1_764_401_409_000_000
DOOR = "POST /login"


def digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def subject(account: str, address: str = "203.0.113.9", device: str = "bot", device_class: str = "stranger") -> Subject:
    network = address.rpartition(".")[0] + ".0/24"
    return Subject(
        network, digest(account), digest(address), digest(network + device), device_class, software=digest(device)[:16]
    )


def settled(account: str, result: str, at_s: int = 0, reasons: tuple[str, ...] = (), **more: Any) -> Event:
    at_us, who = T0 + at_s * 1_000_000, subject(account, **more)
    return Event(Kind.SETTLED, at_us, DOOR, result=result, basis="rule", reasons=reasons, subject=who)


def decided(account: str, action: str) -> Event:
    return Event(Kind.DECIDED, T0, DOOR, mode="enforce", action=action, subject=subject(account))


def found(*events: Event) -> FoundCampaigns:
    return campaigns_in(lambda: events)


def a_list(count: int = 40, **more: Any) -> list[Event]:
    return [settled(f"victim {n}", "failed", n, **more) for n in range(count)]


def test_accounts_that_were_entered_before_a_list_was_recognised_are_named() -> None:
    """The list's second attempt was right: the account is named, with the times, and so is the thief's return."""
    events = a_list(30)
    events.insert(1, settled("hana", "succeeded", 1))
    events.append(settled("hana", "succeeded", 90, device_class="seen"))
    (campaign,) = found(*events).campaigns
    assert [(one.account, one.times) for one in campaign.entered] == [(digest("hana"), 2)]
    assert (campaign.entered[0].first_us - T0, campaign.entered[0].last_us - T0) == (1_000_000, 90_000_000)
    assert (campaign.attempts, campaign.accounts, campaign.addresses, campaign.networks) == (30, 30, 1, 1)
    assert (campaign.first_us - T0, campaign.last_us - T0) == (0, 29_000_000)


def test_one_list_from_many_addresses_is_one_campaign() -> None:
    """Addresses with two attempts each share the headers within a network; the name does not change with the order."""
    events = [settled(f"victim {n}", "failed", n, address=f"203.0.113.{n // 2}") for n in range(60)]
    both = found(*events)
    assert [campaign.addresses for campaign in both.campaigns] == [30]
    assert both.campaigns[0].name == found(*reversed(events)).campaigns[0].name


def test_two_networks_with_the_same_targets_are_one_campaign_and_with_others_two() -> None:
    """Bots that take turns at one list belong together; two lists are two campaigns."""
    first, again = a_list(40), a_list(40, address="198.51.100.1", device="curl")
    other = [settled(f"other {n}", "failed", address="198.51.100.1", device="curl") for n in range(40)]
    assert [campaign.attempts for campaign in found(*first, *again).campaigns] == [80]
    assert [campaign.attempts for campaign in found(*first, *other).campaigns] == [40, 40]


def test_a_list_with_one_attempt_in_each_network_is_known_by_its_software() -> None:
    """Headers that only the bots send group their attempts wherever they come from."""
    events = [settled(f"victim {n}", "failed", n, address=f"10.{n // 250}.{n % 250}.9") for n in range(300)]
    events.insert(7, settled("hana", "succeeded", address="10.9.9.9"))
    (campaign,) = found(*events).campaigns
    assert [(one.account, one.by) for one in campaign.entered] == [(digest("hana"), "software " + digest("bot")[:16])]
    assert campaign.networks == 300
    assert 0.81 * 300 < campaign.addresses < 1.19 * 300


def test_owners_of_a_browser_that_bots_pretend_to_be_are_not_named() -> None:
    """Of 300 attempts with a browser's headers a tenth were owners': the headers say nothing."""
    events = [settled(f"victim {n}", "failed", address=f"10.{n}.0.9", device="Chrome") for n in range(250)]
    events += [settled(f"owner {n}", "succeeded", address=f"11.{n}.0.9", device="Chrome") for n in range(30)]
    assert found(*events).campaigns == ()


def test_without_networks_in_the_events_addresses_and_devices_group() -> None:
    """An audit writes digests alone by default."""
    events = [event._replace(subject=event.subject._replace(network="")) for event in a_list(40)]
    (campaign,) = found(*events).campaigns
    assert (campaign.networks, campaign.addresses) == (0, 1)


def test_owners_behind_one_address_are_no_campaign() -> None:
    """A company's proxy in the morning: of sixty log-ins a third fails at first."""
    events = [settled(f"owner {n}", "failed" if n % 3 == 0 else "succeeded") for n in range(60)]
    assert found(*events).campaigns == ()


def test_one_who_has_forgotten_a_password_is_no_campaign() -> None:
    """Forty failures at three accounts are a family's."""
    assert found(*[settled(f"child {n % 3}", "failed") for n in range(40)]).campaigns == ()


def a_spray(secret: str, count: int = 60, *, start: int = 0) -> list[Event]:
    """One secret at many accounts, each attempt from a network and with headers of its own."""
    events = [
        settled(f"of {secret} {n}", "failed", 7 * n * n, address=f"10.{start + n}.0.9", device=f"{secret} {n}")
        for n in range(count)
    ]
    return [event._replace(subject=event.subject._replace(secret=digest(secret)[:8])) for event in events]


def test_one_secret_at_many_accounts_is_a_campaign() -> None:
    """Nothing else groups these attempts: without the secret's digest there is no campaign."""
    (campaign,) = found(*a_spray("123456")).campaigns
    assert (campaign.attempts, campaign.accounts, campaign.networks) == (60, 60, 60)
    assert campaign.traits == ((f"secret {digest('123456')[:8]}", 60),)
    bare = [event._replace(subject=event.subject._replace(secret="")) for event in a_spray("123456")]
    assert found(*bare).campaigns == ()


def test_two_sprayed_secrets_are_two_campaigns() -> None:
    both = found(*a_spray("123456"), *a_spray("dragon", start=100))
    assert [each.attempts for each in both.campaigns] == [60, 60]


@pytest.mark.parametrize(("every", "attempts"), [(1, [80]), (10, [40, 40])])
def test_networks_that_spray_one_secret_are_one_campaign(every: int, attempts: list[int]) -> None:
    """Two lists with a frequent password at every tenth account are two."""
    secret = digest("123456")[:8]
    events = [
        settled(f"{at} {n}", "failed", n * n, address=f"{at}.0.0.9", device=at)
        for at in ("10", "11")
        for n in range(40)
    ]
    tagged = [
        event if n % every else event._replace(subject=event.subject._replace(secret=secret))
        for n, event in enumerate(events)
    ]
    assert [each.attempts for each in found(*tagged).campaigns] == attempts


@pytest.mark.parametrize(("other_s", "campaigns"), [(60, 1), (75, 2)])
def test_bots_that_keep_one_pace_are_one_campaign(other_s: int, campaigns: int) -> None:
    """Two networks with lists of their own: an attempt a minute each, to some seconds, are one program's."""
    events = [
        settled(f"{at} {n}", "failed", n * period_s + (n * 7) % 5, address=f"{at}.0.0.9", device=at)
        for at, period_s in (("10", 60), ("11", other_s))
        for n in range(30)
    ]
    assert len(found(*events).campaigns) == campaigns


@pytest.mark.parametrize(("step", "campaigns"), [(1, 1), (7, 2)])
def test_bots_that_go_through_one_list_in_its_order_are_one_campaign(step: int, campaigns: int) -> None:
    """A third of the targets is common: in the same order it is one list, in another two that share owners."""
    one = [settled(f"{n:03}", "failed", n * n, address="10.0.0.9", device="one") for n in range(60)]
    targets = [f"{n:03}" for n in (*range(40, 60), *range(100, 140))]
    other = [
        settled(targets[n * step % 60], "failed", 9_000 + n * n, address="11.0.0.9", device="other") for n in range(60)
    ]
    assert len(found(*one, *other).campaigns) == campaigns


def test_neighbours_of_a_bot_are_not_taken_for_its_victims() -> None:
    """An owner in the bot's network, at another address, is not named; nor is a proved device at the bot's own."""
    events = a_list(40)
    events.append(settled("neighbour", "succeeded", address="203.0.113.10", device="Firefox"))
    events.append(settled("owner", "succeeded", device_class="proved"))
    (campaign,) = found(*events).campaigns
    assert campaign.entered == ()


def test_a_right_password_without_a_proof_is_told_apart() -> None:
    """E31: accounts whose password the list has, and that were not entered, are listed for a new password."""
    events = [*a_list(40), settled("hana", "succeeded", reasons=("withheld",))]
    events += [settled("mio", "succeeded", reasons=("withheld",)), settled("mio", "succeeded")]
    (campaign,) = found(*events).campaigns
    assert [one.account for one in campaign.entered] == [digest("mio")]
    assert campaign.passwords_known == (digest("hana"),)


def test_owners_who_are_asked_for_a_proof_behind_one_address_are_no_campaign() -> None:
    """A right secret speaks for an address also where nothing was opened yet."""
    events = [settled(f"owner {n}", "succeeded", reasons=("withheld",)) for n in range(60)]
    assert found(*events, *a_list(30)).campaigns == ()


def test_a_second_proof_from_a_hostile_place_is_told_apart() -> None:
    """A relayed code: the account is listed as proved."""
    who = subject("hana", device_class="")
    proved = Event(Kind.STEP_UP_PROVED, T0, DOOR, purpose="login", factor="totp", subject=who)
    (campaign,) = found(*a_list(40), proved).campaigns
    assert [one.account for one in campaign.proved] == [digest("hana")]


def test_refusals_count_and_sums_do_not() -> None:
    """A sum of a flood names no client; refused attempts of strangers are hostile like failed ones."""
    events = [decided(f"victim {n}", "throttle") for n in range(20)] + [
        Event(Kind.DECIDED, T0, DOOR, action="throttle", times=9)
    ]
    (campaign,) = found(*events).campaigns
    assert (campaign.refused, campaign.failed) == (20, 0)


@given(st.lists(st.integers(0, 30).map(str), max_size=300), st.integers(1, 12))
def test_no_frequent_key_is_missed_and_no_count_is_off_by_more_than_is_said(keys: list[str], counters: int) -> None:
    """Space-Saving: count - error <= true <= count, error <= N/m, and each key above N/m has a counter."""
    sketch, true = SpaceSaving(counters), Counter(keys)
    for key in keys:
        sketch.add(key)
    heavy = {each.key: each for each in sketch.heavy(0)}
    assert len(heavy) <= counters
    for key, each in heavy.items():
        assert each.least <= true[key] <= each.most
        assert each.error <= len(keys) // counters
    assert {key for key, times in true.items() if times > sketch.error_max} <= heavy.keys()


def test_distinct_keys_are_counted_within_the_stated_error() -> None:
    """Exact up to the sample's size; then within three standard errors. Half of two sets is found to be in common."""
    few, many, other = Sample(), Sample(), Sample()
    for number in range(200):
        few.add(digest(str(number % 100)))
    for number in range(20_000):
        many.add(digest(str(number)))
        other.add(digest(str(number + 10_000)))
    few.add("")
    assert len(few) == 100
    assert 0.81 * 20_000 < len(many) < 1.19 * 20_000
    assert 0.23 < many.likeness(other) < 0.43


def test_successes_in_sums_are_said() -> None:
    """The event file sums up a flood: accounts may be missing then, and the finding says of how many log-ins."""
    summed = Event(Kind.SETTLED, T0, DOOR, result="succeeded", times=30)
    assert (found(*a_list(), summed).summed, found(*a_list()).summed) == (30, 0)
