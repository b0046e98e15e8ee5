"""The laboratory shows what a guard does, and what it fails to do; owners and bots are no accomplices."""

from __future__ import annotations

import ast
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.cli.guards import alarms, build_of, guard, rest_s
from sekisho.judge.policy import ALLOWED
from sekisho.simulate import laboratory
from sekisho.simulate.laboratory import BuiltGuard, NotStarted, Ports
from sekisho.simulate.laboratory.bots import AttackTries
from sekisho.simulate.laboratory.browser import Browser, BrowserAnswer
from sekisho.simulate.laboratory.places import OwnerPlaces
from sekisho.simulate.laboratory.policy import PlayedPolicy, policies
from sekisho.simulate.laboratory.results import KNOWN
from sekisho.simulate.laboratory.scenario import Attack, OwnerHabits
from sekisho.simulate.population import Population
from tests.modules import imports
from tests.simulate.laboratory.playing import FEW, FRESH, SHIFTS, played, scenario, table

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.model import Decision


def test_the_same_seed_gives_the_same_table() -> None:
    """Scenario, seed and policy decide every count; another seed gives others."""
    of = scenario(SHIFTS)
    assert table(played(of, "factors")) == table(played(of, "factors"))
    assert table(played(of, seed=2)) != table(played(of, seed=1))


def test_progress_ends_with_all_that_was_played() -> None:
    """It said nothing of a run with fewer than a thousand, and left out the rest of others."""
    seen: list[int] = []
    laboratory.simulate(scenario(FRESH), build_of("slowapi", {})[0], seed=1, look=seen.append)
    laboratory.simulate(scenario(SHIFTS), build_of("slowapi", {})[0], seed=1, look=seen.append)

    few, thousand, all_of_many = seen
    assert 60 < few < 1_000 == thousand
    assert 1_500 < all_of_many < 1_800


def test_without_a_guard_every_right_pair_opens_an_account() -> None:
    """What the guard is compared with: all right pairs taken over, no owner lost."""
    results = played(scenario(SHIFTS), build=lambda ports: BuiltGuard(ports.app))

    assert results.right.total() == results.taken_over == 10
    assert results.reached == results.attempts == 1500
    assert results.owners.lost == 0


def test_the_guard_stops_repeated_addresses() -> None:
    """A few addresses in shifts: nearly nothing reaches the check, and no owner on a known device is lost."""
    results = played(scenario(SHIFTS))

    assert results.taken_over <= 1
    assert results.reached < 0.2 * results.attempts
    assert results.by_kind[KNOWN].lost == 0


@pytest.mark.parametrize("policy", ["default", "factors"])
def test_one_attempt_an_hour_reaches_nothing_for_long(policy: str) -> None:
    """Each address comes again every hour: five attempts of each reach the check, and no owner does work for it."""
    hourly = Attack(attempts=240, hours=48, right=8, source="residential", addresses=5, known_share=0.5)

    results = played(scenario(hourly, hours=48), policy)
    assert 20 <= results.reached <= 40
    assert results.owners.worked == 0


def test_a_broken_judge_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a judge that allows everything, the table shows the loss: no part of the laboratory makes up for it."""

    def lenient(*_: object) -> Decision:
        return ALLOWED

    monkeypatch.setattr("sekisho.pipeline.decide", lenient)
    assert played(scenario(SHIFTS)).taken_over == 10


def test_a_blind_posture_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that never hears of an alarm asks only those who have enrolled a factor, and loses the other accounts."""
    of = scenario(replace(FRESH, attempts=400))
    seeing = played(of, "posture").taken_over
    monkeypatch.setattr("sekisho.detect.watch.PostureWatch.hear", lambda *_: None)
    blind = played(of, "posture").taken_over
    assert seeing <= 3
    assert blind >= 6


def test_factors_stop_bots_and_let_owners_in() -> None:
    """Where a code is asked for, no right pair opens an account with a factor; owners with one log in."""
    with_mail = replace(FEW, mail_share=1.0, at_hand_share=1.0)
    results = played(scenario(FRESH, owners=with_mail), "factors")

    assert not results.taken
    assert results.right["sent"] > 0
    assert results.strangers.asked > 0
    assert results.owners.lost == 0


def test_codes_that_colleagues_read_fill_no_limit() -> None:
    """Eighty owners behind one address are asked within half an hour, each reads a code: none is refused."""
    office = OwnerHabits(
        count=80, logins_per_day=1.0, history_days=2, proxy_share=1.0, proxy_size=80, proxy_hour=9, nat_share=0.0,
        cookies_share=0.0, typo_share=0.0, forget_share=0.0, travel_share=0.0, at_hand_share=1.0, mail_share=1.0,
    )  # fmt: skip
    counts = played(scenario(owners=office, hours=24), "factors").owners

    assert counts.asked == counts.log_ins > 40
    assert counts.lost == 0


def test_a_campus_logs_in_on_the_first_day() -> None:
    """135 owners whom the guard has never seen log in behind one address around nine; each twentieth gives up.

    New accounts earn the address credit behind their proofs, or a third of these log-ins would be refused.
    """
    campus = OwnerHabits(
        count=300, logins_per_day=1.0, history_days=0, proxy_share=0.9, proxy_size=270, proxy_hour=9, nat_share=0.0,
        cookies_share=0.5, typo_share=0.3, forget_share=0.05,
    )  # fmt: skip
    counts = played(scenario(owners=campus, hours=12), "factors").strangers

    assert counts.log_ins > 100
    assert counts.refused <= 1


def test_a_proof_that_is_not_there_is_not_the_guards_refusal() -> None:
    """Owners who are asked and have nothing at hand are lost, and not refused."""
    forgetful = replace(FEW, at_hand_share=0.0, cookies_share=0.0)
    counts = played(scenario(owners=forgetful, hours=24), "factors").owners
    assert counts.lost == counts.unproved > 0
    assert counts.refused == 0


def test_questions_are_counted_by_what_they_answered() -> None:
    """At home, `familiar` asks only owners that mistype, have a passkey, or log in for the first time."""
    at_home = replace(FEW, travel_share=0.0, cookies_share=0.0, passkey_share=0.3, mail_share=1.0)
    counts = played(scenario(owners=at_home, hours=48), "familiar").owners

    assert counts.asked_mistyped > 0
    assert counts.asked_enrolled > 0
    assert counts.asked_elsewhere == 0
    assert counts.asked == counts.asked_mistyped + counts.asked_enrolled + counts.asked_first < counts.log_ins


def test_a_traveller_is_asked_elsewhere() -> None:
    """Away from networks with a success, a right password is not enough for an account with only a mail address."""
    away = replace(FEW, travel_share=1.0, typo_share=0.0, passkey_share=0.0, mail_share=1.0)
    counts = played(scenario(owners=away, hours=24), "familiar").owners
    assert counts.asked_elsewhere > 0
    assert (counts.asked_mistyped, counts.asked_enrolled) == (0, 0)


def test_a_relay_phisher_gets_codes_passed_on() -> None:
    """Codes that an owner reads out to the attacker's page open the account: the table says so."""
    relayed = played(scenario(replace(FRESH, relays=True)), "factors")
    assert relayed.taken.get("sent")


def test_a_relay_phisher_gets_nothing_from_a_passkey() -> None:
    """What a passkey signs on the phisher's page names that page: it opens nothing. Its owners log in with it."""
    relayed = played(scenario(replace(FRESH, relays=True), owners=replace(FEW, passkey_share=1.0)), "factors")

    assert relayed.right["phr"] > 0
    assert not relayed.taken
    assert relayed.strangers.asked > 0
    assert relayed.owners.lost <= relayed.owners.asked / 10  # without their phone at hand


async def test_a_refused_passkey_is_no_proof() -> None:
    """The guard may refuse what an authenticator needs, at its limits: the owner then has nothing to show."""

    async def refusing(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 429, "headers": []})
        await send({"type": "http.response.body", "body": b'{"code": "too_many_attempts"}'})

    asked = BrowserAnswer(401, "step_up_required", b'{"step_up": "/step-up", "challenge": "c"}', 0)
    assert await Browser(refusing, "browser").passkey_options(asked, "192.0.2.1") is None


def test_bots_that_solve_puzzles_are_counted() -> None:
    """Bots that solve get further than those that do not, and what the puzzles cost is counted."""
    asked = played(scenario(SHIFTS))
    solving = played(scenario(replace(SHIFTS, solves=True)))

    assert asked.solved == 0
    assert solving.solved > 0
    assert solving.hashes >= 250_000 * solving.solved
    assert solving.reached >= asked.reached


def test_a_weak_service_that_counts_with_the_strong_one_lets_in_fewer_guesses() -> None:
    """Half of the guesses go to a service without factors: right pairs open accounts there, fewer where both count."""
    attack = replace(SHIFTS, weak_share=0.5, right=20)
    owners = replace(FEW, mail_share=1.0)
    apart = played(scenario(attack, owners=owners), "factors")
    together = played(scenario(replace(attack, together=True), owners=owners), "factors")

    assert set(apart.taken) == {"weak"}
    assert apart.right["weak"] > 0 < apart.right["sent"]
    assert together.reached < 0.7 * apart.reached
    for results in (apart, together):
        assert set(results.attempts_of) == set(results.reached_of) == {"0", "0 weak"}
        assert results.attempts_of.total() == results.attempts
        assert results.reached_of.total() == results.reached
    assert apart.reached_of["0 weak"] > apart.reached_of["0"]


def test_one_pin_sideways_links_no_bank_account() -> None:
    """A limiter that counts by address or account lets every right PIN in; the guard counts the PIN itself."""
    sideways = scenario(Attack(attempts=300, hours=12, links=True, addresses=6), owners=replace(FEW, count=300))
    assert played(sideways, "default").taken == {}
    assert played(sideways, "default").reached < 30

    build, _ = build_of("keycloak", policies())
    through = played(sideways, build=build)
    assert through.taken_over == through.right["linked"] == 3


RESETS = Attack(attempts=60, hours=12, right=20, known_share=1.0, resets=True)
"""Requests for a reset that name a mailbox of the attacker's, each from another address."""


def test_a_reset_that_goes_to_any_address_sets_passwords_and_opens_no_account() -> None:
    """7pay, 2019: without factors each right request opens an account. With them none does, but the password is set:
    its owner resets it in turn, and logs in.
    """
    owners = replace(FEW, mail_share=1.0, passkey_share=0.0)
    without, asked = (played(scenario(RESETS, owners=owners), policy) for policy in ("default", "factors"))
    assert (set(without.taken), without.taken_over, without.right.total()) == ({"none"}, 20, 20)
    assert (set(asked.taken), asked.taken_over, asked.right) == ({"reset"}, 20, {"sent": 20})
    assert asked.owners.refused == 0
    assert asked.owners.entered > 20


def test_a_reset_goes_to_addresses_on_file_alone_where_the_door_says_so() -> None:
    """`on_file=`: no request that names another address reaches the application. It needs factors."""
    on_file = replace(RESETS, on_file=True)
    found = played(scenario(on_file), "factors")
    assert (found.attempts, found.right.total(), found.reached, found.taken) == (60, 20, 0, {})
    assert played(scenario(on_file), "default").taken_over == 20


def test_the_limits_of_a_reset_are_those_of_its_address() -> None:
    """From one address ten of sixty requests in an hour pass, and each of its right ones that did."""
    found = played(scenario(replace(RESETS, hours=1, addresses=1)))
    assert found.reached < 20
    assert found.taken_over < found.reached


def test_a_limiter_of_log_ins_sees_no_reset() -> None:
    """Keycloak, axes and the like count failed log-ins; a limit on requests can be put on the route of a reset."""
    burst = scenario(replace(RESETS, hours=0.1, addresses=1))
    reached = {name: played(burst, build=build_of(name, policies())[0]).reached for name in ("keycloak", "slowapi")}
    assert reached["keycloak"] == 60
    assert reached["slowapi"] < 35  # five a minute for six minutes


FORGETFUL = replace(FEW, resets_per_month=30.0, mail_share=1.0, at_hand_share=1.0)


def test_owners_reset_what_they_forgot_beside_bots() -> None:
    """Each gets a letter, sets a password and logs in with it, on some devices by a proof."""
    results = played(scenario(RESETS, owners=FORGETFUL), "factors")
    forgotten, set_back = results.resets["forgotten"], results.resets["set by a bot"]
    assert forgotten.begun == forgotten.done == forgotten.entered > 15
    assert 0 < forgotten.asked < forgotten.begun
    assert set_back.begun == set_back.entered > 0
    assert results.owners_resets.refused == 0


def test_a_new_password_is_the_owners_from_then_on() -> None:
    """Later log-ins have it, and succeed without a guard too."""
    quiet = replace(RESETS, right=0, right_share=0.0, attempts=1)
    forgets_none = replace(FORGETFUL, forget_share=0.0)
    results = played(scenario(quiet, owners=forgets_none, hours=72), build=lambda ports: BuiltGuard(ports.app))
    assert results.resets["forgotten"].entered > 100
    assert results.owners.entered == results.owners.log_ins > 200
    assert results.owners.lost == 0


def test_bots_behind_an_owners_address_have_resets_refused() -> None:
    """Sixty requests in an hour behind the address of all owners: the table tells those that it costs them."""
    behind = replace(FORGETFUL, nat_share=1.0, proxy_share=0.0, cookies_share=0.0)
    counts = played(scenario(replace(RESETS, attempts=2_000, behind_nat=True), owners=behind)).owners_resets
    assert counts.begun == counts.refused + counts.done
    assert counts.refused + counts.worked > 0


def test_an_owner_without_an_address_on_file_gets_no_letter() -> None:
    """`on_file=` answers all alike: the owner waits for a letter that does not come, and is refused nothing."""
    on_file, half = replace(RESETS, on_file=True), replace(FORGETFUL, mail_share=0.5, passkey_share=0.0)
    counts = played(scenario(on_file, owners=half), "factors").owners_resets
    assert counts.refused == 0
    assert counts.unsent > 0 < counts.done
    assert counts.begun == counts.unsent + counts.done


def test_history_is_not_counted() -> None:
    """Log-ins before the scenario make devices known, and are in no count."""
    results = played(scenario(owners=replace(FEW, history_days=5), hours=24))

    assert results.by_kind[KNOWN].log_ins > 0
    assert results.owners.log_ins == pytest.approx(FEW.count, rel=0.5)


def test_a_guard_that_does_not_start_is_an_error() -> None:
    """A policy with a wrong setting ends the run with its reason, and is no table of refusals."""
    wrong = PlayedPolicy("wrong", "", {"limit_ip": "often"})
    with pytest.raises(NotStarted, match="SEKISHO_LIMIT_IP"):
        played(scenario(), build=lambda ports: guard(wrong, ports))


@pytest.mark.parametrize(
    "module", ["browser", "bots", "copies", "owners", "factors", "places", "peers", "resets", "site"]
)
def test_owners_and_bots_read_no_state_of_the_guard(module: str) -> None:
    """They import nothing that counts, judges or keeps; what they know comes from answers."""
    source = Path(laboratory.__file__).with_name(f"{module}.py").read_text()
    at_run_time = {each.module for each in imports(ast.parse(source)) if each.at_run_time}
    forbidden = ("pipeline", "judge", "ledger", "wiring", "devices", "asgi", "store", "record", "detect", "control")

    assert [name for name in at_run_time if name.startswith(tuple(f"sekisho.{room}" for room in forbidden))] == []


def test_work_is_counted_once_for_a_log_in() -> None:
    """An owner who mistypes behind a bot's address works for both passwords: one log-in, not two."""
    behind = replace(FEW, nat_share=1.0, proxy_share=0.0, cookies_share=0.0, typo_share=1.0)
    counts = played(scenario(Attack(attempts=1500, hours=12, behind_nat=True), owners=behind)).owners
    assert 0 < counts.worked <= counts.log_ins


def test_two_campaigns_share_no_address_and_no_order_of_targets() -> None:
    """The second of two campaigns has addresses, targets and right pairs of its own; the first keeps its own."""
    places, population = OwnerPlaces(FEW, 1), Population(FEW.count, 1, reusing_share=0.5)
    for source in ("residential", "datacentre", "v6_64", "v6_48"):
        attack = replace(FRESH, source=source)
        first, second = (list(AttackTries(attack, population, places, 1, campaign=n, from_s=0.0)) for n in (0, 1))
        assert not {each.address for each in first} & {each.address for each in second}
        assert [each.owner for each in first] != [each.owner for each in second]
        assert list(AttackTries(attack, population, places, 1, from_s=0.0)) == first


def test_bots_take_turns_behind_the_carriers_there_are() -> None:
    """Forty owners behind carriers' addresses of fifteen have three: bots share these, and no others."""
    habits = replace(FEW, nat_share=1.0, proxy_share=0.0, nat_size=15)
    places, population = OwnerPlaces(habits, 1), Population(FEW.count, 1)
    tries = AttackTries(replace(FRESH, behind_nat=True, nats=5), population, places, 1, from_s=0.0)
    assert {each.address for each in tries} == {places.address(owner) for owner in range(40)}


def test_a_bot_behind_a_company_shares_its_address() -> None:
    habits = replace(FEW, nat_share=0.2, proxy_share=0.8, proxy_size=8)
    places, population = OwnerPlaces(habits, 1), Population(FEW.count, 1)
    tries = AttackTries(replace(FRESH, behind_proxy=True), population, places, 1, from_s=0.0)
    (address,) = {each.address for each in tries}
    assert [places.address(owner) for owner in range(40)].count(address) == 8


@pytest.mark.parametrize(("days", "homes"), [(0, 1), (1, 11)])
def test_owners_with_ipv6_come_from_their_home(days: int, homes: int) -> None:
    """Another /64 of the home's /56 at each log-in; where a home gets another /56 each day, ten days see eleven."""
    places = OwnerPlaces(replace(FEW, nat_share=0.0, proxy_share=0.0, v6_share=1.0, v6_days=days), 1)
    found = [IPv6Address(places.address(3, hour * 3_600.0)) for hour in range(240)]
    assert len({int(each) >> 64 for each in found}) > 100
    assert len({int(each) >> 72 for each in found}) == homes
    assert len({int(each) >> 96 for each in found}) == 1


def test_a_home_gets_another_56_within_its_pool_and_bots_may_be_there() -> None:
    """Each in another /56; not at accounts that do not exist, or whose owner has no IPv6."""
    homes = replace(FEW, nat_share=0.0, proxy_share=0.0, v6_share=1.0, v6_days=1, v6_pool=40)
    places = OwnerPlaces(homes, 1)
    found = [int(IPv6Address(places.address(3, day * 86_400.0))) for day in range(30)]
    bots = [int(IPv6Address(places.in_pool(3, number))) for number in range(30)]
    assert (len({each >> 72 for each in found}), len({each >> 88 for each in (*found, *bots)})) == (30, 1)
    assert not {each >> 72 for each in found} & {each >> 72 for each in bots}
    assert places.in_pool(-1, 0) == OwnerPlaces(replace(homes, v6_share=0.0), 1).in_pool(3, 0) == ""


def test_a_share_of_the_homes_has_ipv6() -> None:
    places = OwnerPlaces(replace(FEW, count=1_000, nat_share=0.5, proxy_share=0.0, v6_share=0.4), 1)
    assert 150 < sum(":" in places.address(owner) for owner in range(1_000)) < 250


def test_a_fault_keeps_owners_out_until_it_ends_and_is_no_refusal_of_the_guard() -> None:
    """Right passwords are refused for six hours. Owners come back each hour, are not lost, and get in afterwards."""
    sound = replace(FEW, forget_share=0.0, at_hand_share=1.0)
    faulty = replace(sound, fault_from_h=6, fault_hours=6, fault_share=1.0)
    for policy in ("default", "factors"):
        before, after = (played(scenario(owners=owners), policy).owners for owners in (sound, faulty))
        assert after.log_ins > before.log_ins + 10
        assert after.refused == 0
        assert after.entered < after.log_ins - 10
        assert after.entered >= before.entered - 10


def test_an_attackers_own_accounts_log_in_daily_and_are_in_no_count() -> None:
    """Three days of history and a half: four accounts log in every day, from the addresses that guess later."""
    attack = replace(SHIFTS, attempts=40, right=0, own_accounts=4)
    places, population = OwnerPlaces(FEW, 1), Population(FEW.count, 1)
    tries = list(AttackTries(attack, population, places, 1, own=36, from_s=3 * 86_400.0))
    own = [each for each in tries if each.own]
    assert [(each.owner, int(each.at_s // 86_400)) for each in own[:8]] == [
        (n, day) for day in (0, 1) for n in range(36, 40)
    ]
    assert {each.address for each in own} <= {each.address for each in tries if not each.own}
    assert tries == sorted(tries, key=lambda each: each.at_s)

    results = played(scenario(attack), "factors")
    assert (results.attempts, results.right.total(), results.taken) == (40, 0, {})


def test_a_clock_that_is_set_leaves_owners_and_bots_where_they_were() -> None:
    """A day back or forth in the middle: no known device is asked for anything, and no bot gets in behind a proof."""
    often = replace(FEW, mail_share=1.0, logins_per_day=4.0)
    for step_s in (-86_400.0, 86_400.0):
        of = replace(scenario(FRESH, owners=often), step_at_h=6.0, step_s=step_s)
        results = played(of, "factors")
        known = results.by_kind[KNOWN]
        assert known.log_ins > 50
        assert (known.lost, known.asked, known.worked) == (0, 0, 0)
        assert not results.taken


def test_an_alarm_has_its_time() -> None:
    """The moment at which the guard's posture rose, in seconds of the scenario."""

    def build(ports: Ports) -> BuiltGuard:
        return BuiltGuard(ports.app, lambda: int(ports.clock_s() > 4 * 86_400))

    results = played(scenario(SHIFTS, hours=48), build=build)
    (at_s,) = results.alarms
    assert 86_400 <= at_s < 86_400 + 3600 * 6


def test_an_alarm_after_a_burst_at_night_needs_no_log_in_to_be_noted() -> None:
    """Three hundred guesses within a minute, and no owner for the rest of the day."""
    burst = Attack(attempts=300, from_h=3, hours=1 / 60, known_share=1.0, right=1)
    asleep = replace(FEW, logins_per_day=0.001, reusing_share=0.5)
    found = played(scenario(burst, owners=asleep), "posture")

    assert found.alarms
    assert 3 * 3_600 <= found.alarms[0] <= 3 * 3_600 + 240


def test_a_burst_meets_a_guard_that_looks_as_often_as_a_services() -> None:
    """Five guesses a second for a minute: the alarm is there before the fiftieth right pair. It was there after all."""
    burst = Attack(attempts=300, from_h=3, hours=1 / 60, known_share=1.0, right=20)
    found = played(scenario(burst), "posture")

    assert found.right.total() == 20
    assert found.taken_over <= 10
    assert found.alarms[0] <= 3 * 3_600 + 60


def test_background_tasks_rest_a_minute_but_in_a_burst() -> None:
    bursts = ((1_000.0, 1_120.0), (5_000.0, 5_060.0))
    found = [rest_s(2.0, now_s, bursts) for now_s in (0.0, 970.0, 999.5, 1_000.0, 1_119.0, 1_120.0, 9_000.0)]
    assert found == [60.0, 30.0, 2.0, 2.0, 2.0, 60.0, 60.0]


def test_a_posture_that_falls_is_no_alarm() -> None:
    turns = {"site,elevated,calm": 1, "site,attack,elevated": 2, "site,elevated,attack": 4, "network,calm,elevated": 8}
    counts = {("POST /login", "posture", turn): times for turn, times in turns.items()}
    assert alarms(counts | {("POST /login", "outcome", "failed"): 16}) == 3


def test_neighbours_of_a_bot_that_solves_all_work_get_in() -> None:
    """By a proof, also those who come to this address for the first time. The bot's right passwords open nothing."""
    owners = OwnerHabits(count=40, logins_per_day=1.0, history_days=5, cookies_share=0.0, nat_share=1.0)
    bot = Attack(attempts=400, hours=24, right=4, behind_nat=True, solves=True)
    results = played(scenario(bot, owners=owners, hours=24), "strict")

    assert results.taken == {}
    assert results.strangers.log_ins > 30
    assert results.strangers.refused == 0
