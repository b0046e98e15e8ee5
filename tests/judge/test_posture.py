"""The posture: attacks are seen within some 200 strangers' attempts, and honest strangers raise nothing.

The thresholds were chosen on seeds 101 to 120; these tests use seeds 1 to 5.
"""

from __future__ import annotations

from itertools import islice, pairwise
from statistics import median
from typing import TYPE_CHECKING

import pytest

from sekisho.judge.posture import DoorPosture, PostureChange, PostureState, Segment, advance, changes, redated
from sekisho.model.posture import Posture, StrangerOutcome, ToldOutcome
from tests.judge.strangers import DOOR, Strangers

if TYPE_CHECKING:
    from collections.abc import Iterable

SEEDS = range(1, 6)
DAY_S = 86_400
NOON_S = 20_000 * DAY_S + 43_200


def outcome(
    told: ToldOutcome, network: bytes = b"netw", account: bytes = b"acco", browser: int = 4, provider: bytes = b""
) -> StrangerOutcome:
    return StrangerOutcome(DOOR, told, network, browser, account, provider)


def tag(number: int) -> bytes:
    return number.to_bytes(4, "little")


def failures(count: int, start: int = 0) -> list[StrangerOutcome]:
    """Each at an account and from a network of its own."""
    return [outcome(ToldOutcome.FAILED, tag(start + at), tag(start + at)) for at in range(count)]


def successes(count: int, start: int = 0) -> list[StrangerOutcome]:
    return [outcome(ToldOutcome.SUCCEEDED, tag(start + at), tag(start + at)) for at in range(count)]


def after(outcomes: Iterable[StrangerOutcome], state: PostureState | None = None, now_s: int = NOON_S) -> PostureState:
    return advance(state or PostureState(), outcomes, now_s)


def site(state: PostureState) -> Segment:
    return state.doors[DOOR].site


def attacked() -> PostureState:
    state = after(failures(80))
    assert site(state).posture is Posture.ATTACK
    return state


# What it must see, and what it must not.


def quarter(strangers: Strangers, attempts: int, success: float, days: int) -> list[PostureChange]:
    """All changes in so many days of honest strangers. The 60th day has twice as many log-ins."""
    state, found = PostureState(), []
    for day in range(days):
        # The ratio of one day differs from that of the next.
        today = min(0.87, max(0.58, success + strangers.random.gauss(0, 0.03)))
        number = attempts * (2 if day == 60 else 1)
        honest = strangers.honest(number, success=today)
        for part in range(6):
            before, at_s = state, NOON_S + day * DAY_S + part * 14_400
            state = advance(state, islice(honest, number // 6), at_s)
            found += changes(before, state)
    return found


@pytest.mark.parametrize("success", [0.60, 0.72, 0.85])
def test_three_months_of_honest_strangers_and_a_day_of_doubled_log_ins_raise_nothing(success: float) -> None:
    raised = [
        change
        for seed in SEEDS
        for change in quarter(Strangers(seed, success=success), attempts=120, success=success, days=90)
    ]
    assert raised == []


def seen_after(seed: int, success: float, hostile: float, right: float) -> int:
    """How many strangers' attempts an attack makes, honest ones included, until the whole site is in attack."""
    strangers, state = Strangers(seed, success=success), PostureState()
    for day in range(8):
        state = advance(state, islice(strangers.honest(10**9), 250), NOON_S + day * DAY_S)
    for number, each in enumerate(strangers.mixed(1_000, hostile=hostile, right=right), 1):
        state = advance(state, [each], NOON_S + 8 * DAY_S + number)
        if site(state).posture is Posture.ATTACK:
            return number
    return 1_000


@pytest.mark.parametrize("right", [0.005, 0.02])
@pytest.mark.parametrize("success", [0.60, 0.72, 0.85])
def test_a_spread_out_attack_is_seen_within_200_strangers_attempts(success: float, right: float) -> None:
    """Each guess from an address and at an account of its own; four of five strangers are the attacker's."""
    found = [seen_after(seed, success, hostile=0.8, right=right) for seed in SEEDS]
    assert median(found) <= 150
    assert max(found) <= 200


def test_an_attack_on_a_small_site_is_seen_however_slow_it_is() -> None:
    """Threat P12. An honest stranger an hour and four guesses: after as many attempts as at a busy site."""
    for seed in SEEDS[:2]:
        strangers, state, number = Strangers(seed, success=0.72), PostureState(), 0
        for number, each in enumerate(strangers.mixed(300, hostile=0.8, right=0.02), 1):
            state = advance(state, [each], NOON_S + number * 720)
            if site(state).posture is Posture.ATTACK:
                break
        assert 40 <= number <= 200


def test_a_score_is_forgotten_from_an_hour_of_silence_on() -> None:
    """Half of it in a day; in an attack from the first second on, so that an alarm of a small site ends."""
    state = after(failures(30))
    score, silent = site(state).score, after(successes(1), state, NOON_S + 3_600)
    assert site(silent).score == pytest.approx(score - 0.58, abs=0.01)
    assert site(after(successes(1), state, NOON_S + 3_600 + DAY_S)).score == pytest.approx(score / 2 - 0.58, abs=0.01)
    raised = attacked()
    found = after(successes(1), raised, NOON_S + DAY_S)
    assert site(found).score == pytest.approx(site(raised).score / 2 - 0.58, abs=0.1)


def test_failures_of_honest_strangers_are_learned_over_days() -> None:
    strangers = Strangers(1, success=0.60)
    state = PostureState()
    for day in range(40):
        state = advance(state, islice(strangers.honest(10**9), 300), NOON_S + day * DAY_S)
    assert 0.36 < state.doors[DOOR].clean < 0.44


# Poisoning.


def test_one_network_alone_raises_its_own_posture_and_not_the_sites() -> None:
    state = after([outcome(ToldOutcome.FAILED, b"netw", tag(at)) for at in range(2_000)])
    assert state.doors[DOOR].networks[b"netw"].posture is Posture.ATTACK
    assert site(state).posture is Posture.CALM
    assert site(state).score == pytest.approx(5.0)


def test_guesses_at_one_account_do_not_raise_the_sites_posture() -> None:
    state = after([outcome(ToldOutcome.FAILED, tag(at), b"acco") for at in range(2_000)])
    assert site(state).posture is Posture.CALM
    assert site(state).score == pytest.approx(5.0)


def test_the_clean_ratio_moves_by_3_percent_a_day_and_to_45_percent_at_most() -> None:
    """An attacker below the threshold who fails more each day moves the reference only so far."""
    state, ratios = PostureState(), []
    for day in range(30):
        # One network in attack: no outcome of a raised segment teaches; so the failures are spread, and below.
        day_of = [each for at in range(60) for each in (*failures(1, at), *successes(1, 1_000 + at))]
        state = advance(state, day_of, NOON_S + day * DAY_S)
        ratios.append(state.doors[DOOR].clean)
    steps = [later - earlier for earlier, later in pairwise(ratios)]
    assert max(steps) <= 0.0301
    assert max(ratios) == 0.45


def test_a_small_site_learns_from_days_together_that_are_too_few_each() -> None:
    """Twenty strangers a day, of whom half fail: the third night there are sixty. A day of fifty teaches at once."""
    clean, state = [], PostureState()
    for day in range(7):
        today = [each for pair in zip(failures(10), successes(10, 100), strict=True) for each in pair]
        state = after(today, state, NOON_S + day * DAY_S)
        clean.append(round(state.doors[DOOR].clean, 3))
    assert clean == [0.3, 0.3, 0.3, 0.33, 0.33, 0.33, 0.36]


def test_nothing_is_learned_from_an_attack() -> None:
    state = advance(after(failures(100)), failures(5_000, 100), NOON_S + 60)
    state = advance(state, [], NOON_S + DAY_S)
    assert state.doors[DOOR].clean == pytest.approx(0.33)  # from the failures before it was seen


def test_many_networks_do_not_push_out_the_one_that_was_recognised() -> None:
    state = after([outcome(ToldOutcome.FAILED, b"netw", tag(at)) for at in range(100)])
    for part in range(40):
        state = advance(state, [*failures(100, part * 100), *successes(100, part * 100)], NOON_S + part)
    assert state.doors[DOOR].networks[b"netw"].posture is Posture.ATTACK
    assert len(state.doors[DOOR].networks) <= 256


# Sealed attempts and proofs.


def test_failures_of_days_ago_keep_no_network_out() -> None:
    """Single failures from 400 networks fill the places; two days later one network guesses, second by second."""
    state = PostureState()
    for at in range(400):
        state = after([*failures(1, at), *successes(1, 1_000 + at)], state, NOON_S + at)
    for at in range(100):
        guess = outcome(ToldOutcome.FAILED, b"loud", tag(at * 7919))
        state = after([guess], state, NOON_S + 2 * DAY_S + at)
    door = state.doors[DOOR]
    assert door.networks[b"loud"].posture is Posture.ATTACK
    assert (door.browsers[4].posture, door.site.posture) == (Posture.CALM, Posture.CALM)


def test_a_proof_takes_back_the_failure_that_its_attempt_was_counted_as() -> None:
    base = after(failures(30))
    sealed = advance(base, [outcome(ToldOutcome.FAILED, b"here", b"mine")], NOON_S + 1)
    proved = advance(sealed, [outcome(ToldOutcome.PROVED, b"here", b"mine")], NOON_S + 2)
    direct = advance(base, [outcome(ToldOutcome.SUCCEEDED, b"here", b"mine")], NOON_S + 2)
    assert site(proved).score == pytest.approx(site(direct).score, abs=1e-3)


def test_proofs_of_a_large_site_take_back_the_failures_of_the_second_before_in_any_order() -> None:
    """A hundred sealed log-ins a second, of which seven in ten are proved. Other processes tell the proofs first."""
    state, honest = PostureState(), 0
    for second in range(60):
        before, honest = honest, min(100, honest + 10)
        proofs = [outcome(ToldOutcome.PROVED, tag(at), tag(at)) for at in range(before) if at % 10 < 7]
        state = advance(state, [*proofs, *failures(honest)], NOON_S + second)
        assert site(state).posture is Posture.CALM


def test_a_second_proof_of_a_day_changes_nothing_but_its_own_failure() -> None:
    base = after(failures(30))
    state = advance(base, [outcome(ToldOutcome.FAILED), outcome(ToldOutcome.WITHDRAWN)], NOON_S)
    assert site(state).score == pytest.approx(site(base).score)


def test_honest_strangers_who_are_asked_end_an_attack_even_if_some_give_up() -> None:
    """Of ten, seven have the right secret, and one of these shows no proof."""
    state = attacked()
    for at in range(60):
        people = range(at * 10, at * 10 + 10)
        failed = [outcome(ToldOutcome.FAILED, tag(each), tag(each)) for each in people]
        proved = [outcome(ToldOutcome.PROVED, tag(each), tag(each)) for each in people if each % 10 < 6]
        state = advance(state, [*failed, *proved], NOON_S + at * 60)
    assert site(state).posture is Posture.CALM


def test_proofs_of_one_account_hide_no_failures_of_others() -> None:
    """P9: many log-ins of it at once after each sixtieth failure of a list, each taken back by its proof."""
    state = PostureState()
    own = [outcome(told, b"mine", b"own_", browser=3) for told in (ToldOutcome.FAILED, ToldOutcome.WITHDRAWN)]
    for at in range(0, 600, 60):
        state = after([*failures(60, at), *own[:1] * 60, *own[1:] * 60], state)
    assert site(state).score > 40
    assert state.doors[DOOR].browsers[4].posture is Posture.ATTACK


def test_an_attempt_and_its_proof_leave_every_score_as_it_was() -> None:
    """At each score of its network: a proof takes back no failure that was not counted."""
    for before in range(24):
        base = after([*failures(60), *[outcome(ToldOutcome.FAILED, b"here", b"mine", provider=b"prov")] * before])
        pair = [
            outcome(told, b"here", b"mine", provider=b"prov") for told in (ToldOutcome.FAILED, ToldOutcome.WITHDRAWN)
        ]
        state = base
        for _ in range(50):
            state = after(pair, state)
        for kind in ("networks", "providers", "browsers"):
            for name, segment in getattr(state.doors[DOOR], kind).items():
                assert segment.score == pytest.approx(
                    getattr(base.doors[DOOR], kind).get(name, Segment()).score, abs=0.01
                )
        assert site(state).score == pytest.approx(site(base).score, abs=0.43)


def test_a_proof_in_another_browser_takes_nothing_back_in_its_family() -> None:
    base = after(failures(30))
    state = after([outcome(ToldOutcome.FAILED, browser=3), outcome(ToldOutcome.WITHDRAWN, browser=255)], base)
    assert state.doors[DOOR].browsers[4] == base.doors[DOOR].browsers[4]
    assert 255 not in state.doors[DOOR].browsers


# Hysteresis.


def test_too_few_outcomes_raise_nothing() -> None:
    assert site(after(failures(39))).posture is Posture.CALM


def test_an_attack_lasts_ten_minutes_at_least_and_ends_by_way_of_elevated() -> None:
    state = advance(attacked(), successes(500), NOON_S + 599)
    assert site(state).posture is Posture.ATTACK
    state = advance(state, [], NOON_S + 600)
    assert site(state).posture is Posture.ELEVATED
    state = advance(state, [], NOON_S + 600 + 1_199)
    assert site(state).posture is Posture.ELEVATED
    state = advance(state, [], NOON_S + 600 + 1_200)
    assert site(state).posture is Posture.CALM


def test_flapping_is_bounded_by_longer_holds() -> None:
    """An attacker who stops at each alarm, for a day: honest owners see a bounded number of changes."""
    state, found = PostureState(), 0
    for part in range(288):
        before = state
        calm = site(state).posture is Posture.CALM if state.doors else True
        state = advance(state, failures(80) if calm else successes(200), NOON_S + part * 300)
        found += sum(change.segment == "site" for change in changes(before, state))
    assert 3 <= found <= 18


def test_a_site_without_strangers_does_not_stay_in_attack() -> None:
    state = attacked()
    for hour in range(96):
        state = advance(state, [], NOON_S + hour * 3_600)
    assert site(state).posture is Posture.CALM


def test_time_that_runs_backwards_changes_nothing() -> None:
    state = attacked()
    assert advance(state, [], NOON_S - 1_000) == state


# What an operator sees.


@pytest.mark.parametrize("by_s", [-86_400, 86_400])
def test_a_state_of_another_clock_keeps_its_ages_and_ends_no_day(by_s: int) -> None:
    state = after(successes(60, start=500), attacked(), NOON_S + 60)

    dated = advance(redated(state, by_s), [], NOON_S + 60 + by_s)

    door = dated.doors[DOOR]
    assert dated.at_s == NOON_S + 60 + by_s
    assert (door.site.since_s, door.site.at_s) == (NOON_S + by_s, NOON_S + 60 + by_s)
    assert door.site.score == site(state).score
    assert (door.clean, door.day_outcomes) == (0.3, state.doors[DOOR].day_outcomes)
    assert changes(state, dated) == []


def test_an_empty_state_is_of_no_clock() -> None:
    empty = PostureState()
    assert redated(empty, -86_400) is empty


def test_changes_name_door_and_segment_but_no_network() -> None:
    of_one_network = [outcome(ToldOutcome.FAILED, b"netw", tag(at), browser=at % 5) for at in range(300)]
    at_one_account = [outcome(ToldOutcome.FAILED, tag(at), b"acco", browser=7) for at in range(300)]
    assert changes(PostureState(), after([*of_one_network, *at_one_account])) == [
        PostureChange("POST /login", "network", Posture.ATTACK, Posture.CALM),
        PostureChange("POST /login", "browser", Posture.ATTACK, Posture.CALM),
    ]


def test_a_change_tells_a_fall_from_a_rise() -> None:
    """From `attack` to `elevated`, and from there to `calm`, by time; and where a segment leaves the state."""
    raised, turned = attacked(), []
    state = raised
    for hour in range(1, 7 * 24):
        later = advance(state, [], NOON_S + hour * 3_600)
        turned += [(change.before, change.posture) for change in changes(state, later) if change.segment == "site"]
        state = later
    assert turned == [(Posture.ATTACK, Posture.ELEVATED), (Posture.ELEVATED, Posture.CALM)]
    gone = [(change.segment, change.before, change.posture) for change in changes(raised, PostureState())]
    assert ("site", Posture.ATTACK, Posture.CALM) in gone
    assert all(before > after for _, before, after in gone)


def test_the_hostile_attempts_are_the_failures_that_successes_do_not_explain() -> None:
    door = DoorPosture(site=Segment(failed=100.0, succeeded=70.0, at_s=NOON_S))
    assert door.site.hostile(0.30, NOON_S) == pytest.approx(70.0)
    assert door.site.hostile(0.30, NOON_S + 3_600) == pytest.approx(35.0)


# IPv6 providers.


def test_a_site_for_each_guess_raises_its_provider_and_asks_no_other_stranger() -> None:
    """Row P8: each guess from a /48 of its own, all of one /32, between honest strangers from elsewhere."""
    state, others = PostureState(), Strangers(1, success=0.72).honest(10**6)
    for at in range(100):
        guess = outcome(ToldOutcome.FAILED, tag(at), tag(at), provider=b"prov")
        state = after([guess, *islice(others, 3)], state)
    door = state.doors[DOOR]
    assert door.providers[b"prov"].posture is Posture.ATTACK
    assert door.site.posture is Posture.CALM
    assert not any(one.posture for one in door.networks.values())


def test_a_provider_is_recognised_after_as_many_guesses_as_a_site() -> None:
    state, taken = PostureState(), 0
    while not state.doors or not state.doors[DOOR].providers[b"prov"].posture:
        state, taken = after([outcome(ToldOutcome.FAILED, tag(taken), tag(taken), provider=b"prov")], state), taken + 1
    assert taken == 40


def test_one_network_raises_itself_and_neither_its_provider_nor_a_browser() -> None:
    """A bot in a house of a large provider, with a common browser: its neighbours are not asked."""
    door = after([outcome(ToldOutcome.FAILED, b"netw", tag(at), provider=b"prov") for at in range(300)]).doors[DOOR]
    assert door.networks[b"netw"].posture is Posture.ATTACK
    assert (door.providers[b"prov"].posture, door.browsers[4].posture) == (Posture.CALM, Posture.CALM)
    assert door.providers[b"prov"].score < 6


def test_one_ipv4_network_raises_no_browser() -> None:
    door = after([outcome(ToldOutcome.FAILED, b"netw", tag(at)) for at in range(300)]).doors[DOOR]
    assert (door.networks[b"netw"].posture, door.browsers[4].posture) == (Posture.ATTACK, Posture.CALM)


def test_one_provider_raises_no_browser() -> None:
    door = after([outcome(ToldOutcome.FAILED, tag(at), tag(at), provider=b"prov") for at in range(300)]).doors[DOOR]
    assert (door.providers[b"prov"].posture, door.browsers[4].posture) == (Posture.ATTACK, Posture.CALM)


@pytest.mark.parametrize("success", [0.60, 0.85])
def test_honest_strangers_of_few_providers_raise_nothing(success: float) -> None:
    raised = [
        change
        for seed in SEEDS
        for change in quarter(Strangers(seed, success=success, providers=3), attempts=120, success=success, days=90)
    ]
    assert raised == []


def test_a_raised_provider_ends_by_time_and_is_told() -> None:
    state = after([outcome(ToldOutcome.FAILED, tag(at), tag(at), provider=b"prov") for at in range(80)])
    turned = changes(PostureState(), state)
    assert PostureChange(DOOR, "provider", Posture.ATTACK, Posture.CALM) in turned
    for day in range(1, 8):
        state = after([], state, NOON_S + day * DAY_S)
    assert not state.is_raised


def test_time_alone_changes_nothing_until_a_posture_ends() -> None:
    """Otherwise a score that is stored each second is rounded each second, and never decays."""
    state = attacked()
    assert advance(state, [], NOON_S + 1) is state
    later = advance(state, [], NOON_S + 5 * DAY_S)
    assert site(later).posture < site(state).posture


def test_an_outcome_elsewhere_leaves_a_raised_network_as_it_is() -> None:
    state = after([StrangerOutcome(DOOR, ToldOutcome.FAILED, b"loud", 4, bytes([at]) * 4) for at in range(100)])
    later = after([StrangerOutcome(DOOR, ToldOutcome.SUCCEEDED, b"else", 3, b"acco")], state, NOON_S + 1)
    loud = state.doors[DOOR].networks[b"loud"]
    assert loud.posture is Posture.ATTACK
    assert later.doors[DOOR].networks[b"loud"] is loud


# An attacker's own accounts. Row P3.


def known_door(strangers: Strangers, *, new: float, days: int = 20) -> PostureState:
    """A door that has had honest strangers on so many days. This share of their accounts is new."""
    state, honest = PostureState(), strangers.aged(strangers.honest(10**9), new=new)
    for day in range(-days, 0):
        state = advance(state, islice(honest, 300), NOON_S + day * DAY_S)
    return advance(state, [], NOON_S)


def hidden(seed: int, own: ToldOutcome, accounts: int) -> bool:
    """Whether so many accounts of the attacker's own hide 300 failures of a list, each from an address of its own."""
    strangers = Strangers(seed, success=0.72)
    state, guessed, logged_in = known_door(strangers, new=0.1), 0, 0
    while guessed < 300:
        if logged_in * 300 < guessed * accounts:
            logged_in += 1
            each = strangers.guess(0)._replace(told=own)
        else:
            guessed += 1
            each = strangers.guess(0)
        state = advance(state, [each], NOON_S + guessed)
        if site(state).posture:
            return False
    return True


def test_new_accounts_hide_fewer_failures_than_old_ones() -> None:
    """240 that are a week old hide 300; 330 new ones do not."""
    found = [
        [hidden(seed, told, accounts) for seed in SEEDS]
        for told, accounts in (
            (ToldOutcome.SUCCEEDED, 240),
            (ToldOutcome.NEW_SUCCEEDED, 240),
            (ToldOutcome.NEW_SUCCEEDED, 330),
        )
    ]
    assert found == [[True] * 5, [False] * 5, [False] * 5]


@pytest.mark.parametrize("success", [0.60, 0.72, 0.85])
def test_a_day_of_twenty_times_as_many_log_ins_of_new_owners_raises_nothing(success: float) -> None:
    """A campaign, after weeks in which one owner in ten was new; 5 percentage points more of their log-ins fail."""
    raised = []
    for seed in SEEDS:
        strangers = Strangers(seed, success=success)
        state = known_door(strangers, new=0.1)
        crowd = strangers.aged(strangers.honest(10**9, success=success - 0.05), new=0.95)
        for part in range(24):
            before, state = state, advance(state, islice(crowd, 250), NOON_S + DAY_S + part * 1_800)
            raised += changes(before, state)
    assert raised == []


def test_at_a_new_door_all_accounts_are_new_and_count_in_full() -> None:
    """No account is a week old in the first week; then more and more are."""
    strangers, state, top = Strangers(1, success=0.60), PostureState(), 0.0
    for day in range(40):
        new = max(0.2, 1 - max(0, day - 7) * 0.05)
        state = advance(state, islice(strangers.aged(strangers.honest(10**9), new=new), 300), NOON_S + day * DAY_S)
        top = max(top, site(state).score)
        if day == 0:
            assert state.doors[DOOR].new.weight == 1
    assert top < 15
    assert state.doors[DOOR].new.usual == pytest.approx(0.2, abs=0.05)


def test_the_usual_share_of_new_accounts_rises_by_3_points_a_day() -> None:
    """An attacker who logs in to own accounts each day teaches it only so fast."""
    state, shares = PostureState(), []
    for day in range(60):
        told = ToldOutcome.SUCCEEDED if day < 40 else ToldOutcome.NEW_SUCCEEDED
        state = advance(state, [one._replace(told=told) for one in successes(100, day * 100)], NOON_S + day * DAY_S)
        shares.append(state.doors[DOOR].new.usual)
    assert shares[40] < 0.001
    assert max(later - earlier for earlier, later in pairwise(shares)) == pytest.approx(0.03)


def test_a_day_of_few_successes_teaches_nothing_about_new_accounts() -> None:
    state = after([*failures(30), *successes(24)])
    assert advance(state, [], NOON_S + DAY_S).doors[DOOR].new.usual == 1
    state = after([*failures(30), *successes(25)])
    assert advance(state, [], NOON_S + DAY_S).doors[DOOR].new.usual == 0.75
