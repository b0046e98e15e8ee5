"""The policy: which signal has which effect, no worse signal is rewarded, and whom others' actions affect."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.judge import decide
from sekisho.judge.policy import ALLOWED, _askable
from sekisho.model import (
    UNKNOWN,
    Action,
    AskedFrom,
    Decision,
    Device,
    Exposure,
    Finding,
    Pair,
    Policy,
    Posture,
    Signals,
    Spread,
    Verdict,
)

MINUTE = 60_000_000
WAITS = ("ip_wait_us", "network_wait_us", "device_wait_us", "account_wait_us", "known_device_wait_us")
CAPS = (16, 16, 16, 8, 16)  # in the order of `Spread`

ALLOW, CHALLENGE, STEP_UP, THROTTLE, DENY = Action


def verdict(**signs: Any) -> Verdict:
    """A verdict with the named signals alone."""
    spread = Spread(**{name: signs.pop(name) for name in Spread.__slots__ if name in signs})
    nothing: dict[str, Any] = {
        **dict.fromkeys(Verdict.__slots__, 0),
        "token_spent": False,
        "young": False,
        "last": False,
    }
    return Verdict(**{**nothing, "counters_lost": False, **signs, "spread": spread})


def seen(
    device: Device = Device.STRANGER,
    *,
    exposure: Exposure = UNKNOWN,
    worked: bool = False,
    **signs: Any,
) -> Signals:
    return Signals(verdict(**signs), device, exposure, worked)


SIGNS: list[tuple[dict[str, Any], Action, str]] = [
    ({"ip_wait_us": MINUTE}, THROTTLE, "ip_rate"),
    ({"network_wait_us": MINUTE}, THROTTLE, "network_rate"),
    ({"device_wait_us": MINUTE}, THROTTLE, "device_rate"),
    ({"account_wait_us": MINUTE}, CHALLENGE, "account_rate"),
    ({"known_device_wait_us": MINUTE}, CHALLENGE, "device_token_over_budget"),
    ({"token_spent": True}, STEP_UP, "device_token_reused"),
    ({"failures": 101}, STEP_UP, "account_failures"),
    ({"counters_lost": True}, STEP_UP, "counters_lost"),
    ({"marks": 32}, CHALLENGE, "ip_failures"),
    ({"accounts_per_ip": 8}, CHALLENGE, "ip_accounts"),
    ({"accounts_per_network": 16}, CHALLENGE, "network_accounts"),
    ({"accounts_per_device": 8}, CHALLENGE, "device_accounts"),
    ({"ips_per_account": 8}, STEP_UP, "account_ips"),
    ({"accounts_per_secret": 16}, STEP_UP, "secret_accounts"),
    ({"exposure": Exposure(1, Pair.ABSENT)}, STEP_UP, "breached_password"),
    ({"exposure": Exposure(0, Pair.EXACT)}, STEP_UP, "breached_pair"),
    ({"exposure": Exposure(None, Pair.VARIANT)}, CHALLENGE, "breached_pair_variant"),
]
OF_OTHERS = [sign for sign, _, reason in SIGNS if not reason.startswith(("device_token", "breached"))]


def reasons(decision: Decision) -> set[str]:
    """The findings' reasons. An exact pair is also similar, though only the former is reported."""
    found = {finding.reason for finding in decision.findings}
    return found | {"breached_pair_variant"} if "breached_pair" in found else found


@pytest.mark.parametrize(("sign", "action", "reason"), SIGNS, ids=[reason for *_, reason in SIGNS])
def test_each_sign_by_itself(sign: dict[str, Any], action: Action, reason: str) -> None:
    """Each signal is one finding with its own stable reason."""
    decision = decide(seen(**sign), Policy())

    assert decision.action is action
    assert [finding.reason for finding in decision.findings] == [reason]


@pytest.mark.parametrize(
    "sign",
    [
        {"failures": 100},
        {"accounts_per_ip": 7},
        {"accounts_per_network": 15},
        {"accounts_per_device": 7},
        {"ips_per_account": 7},
        {"accounts_per_secret": 15},
        {"exposure": Exposure(0, Pair.ABSENT)},
        {"exposure": UNKNOWN},
    ],
    ids=str,
)
def test_one_less_than_too_much_is_not_too_much(sign: dict[str, Any]) -> None:
    """A bound is the first count that matters: one less has no effect."""
    assert decide(seen(**sign), Policy()) is ALLOWED


def test_all_findings_are_reported_and_the_sternest_is_obeyed() -> None:
    """All findings are reported in a stable order, and the strictest decides."""
    signs = {name: value for sign, *_ in SIGNS for name, value in sign.items()}
    signs["exposure"] = Exposure(1, Pair.EXACT)

    decision = decide(seen(**signs), Policy(factors=True))

    assert decision.action is decision.asked is THROTTLE
    assert {reason for *_, reason in SIGNS} | {"unproved_device"} == reasons(decision)
    assert decision == decide(seen(**signs), Policy(factors=True))


def test_the_wait_is_the_longest_that_refuses() -> None:
    """The wait is the longest of the refusing limits, so a client that returns then is not refused again."""
    decision = decide(seen(ip_wait_us=MINUTE, network_wait_us=3 * MINUTE, account_wait_us=2 * MINUTE), Policy())

    assert decision.wait_us == 3 * MINUTE


def test_what_is_answered_with_work_is_not_waited_for() -> None:
    """The account's wait counts only if no work can be asked for."""
    busy = seen(ip_wait_us=MINUTE, account_wait_us=2 * MINUTE)

    assert decide(busy, Policy()).wait_us == 2 * MINUTE
    assert decide(busy, Policy(work=True)).wait_us == MINUTE


# The possible demands: (work, factors, refuse) -> for a challenge with a wait, one without, and a step-up.
ASKED: dict[tuple[bool, bool, bool], tuple[Action, Action, Action]] = {
    (False, False, False): (THROTTLE, ALLOW, ALLOW),
    (False, False, True): (THROTTLE, ALLOW, DENY),
    (False, True, False): (STEP_UP, STEP_UP, STEP_UP),
    (False, True, True): (STEP_UP, STEP_UP, STEP_UP),
    (True, False, False): (CHALLENGE, CHALLENGE, CHALLENGE),
    (True, False, True): (CHALLENGE, CHALLENGE, DENY),
    (True, True, False): (CHALLENGE, CHALLENGE, STEP_UP),
    (True, True, True): (CHALLENGE, CHALLENGE, STEP_UP),
}


@pytest.mark.parametrize(("able", "asked"), ASKED.items(), ids=str)
def test_what_is_asked_is_what_can_be_asked(able: tuple[bool, bool, bool], asked: tuple[Action, ...]) -> None:
    """Each call for work or proof, for every combination of what a site can ask for."""
    work, factors, refuse = able
    policy = Policy(work=work, factors=factors, refuse_without_factor=refuse)
    calls = (Finding(CHALLENGE, "account_rate", MINUTE), Finding(CHALLENGE, "ip_accounts"), Finding(STEP_UP, "leaked"))

    assert tuple(_askable(call, policy) for call in calls) == asked


@pytest.mark.parametrize(("work", "factors", "refuse"), list(product([False, True], repeat=3)))
def test_throttle_is_never_bought_off(work: bool, factors: bool, refuse: bool) -> None:
    """Neither work nor a factor buys an address over its limit a guess."""
    policy = Policy(work=work, factors=factors, refuse_without_factor=refuse)

    assert decide(seen(ip_wait_us=MINUTE), policy).asked is THROTTLE


def test_work_is_asked_for_once() -> None:
    """After solved work a caller passes where only work was asked, and is not asked again."""
    assert decide(seen(accounts_per_ip=8), Policy(work=True)).work_first

    paid = decide(seen(accounts_per_ip=8, worked=True), Policy(work=True))

    assert (paid.action, paid.asked, paid.work_first) == (CHALLENGE, ALLOW, False)


def test_work_comes_before_the_step_up_and_never_instead() -> None:
    """Work is asked before a step-up, so a flood pays before any code is sent, and never replaces the step-up."""
    policy = Policy(work=True, factors=True)
    unpaid, paid = (decide(seen(accounts_per_ip=8, worked=worked), policy) for worked in (False, True))

    assert (unpaid.asked, unpaid.work_first) == (STEP_UP, True)
    assert (paid.asked, paid.work_first) == (STEP_UP, False)


def test_a_step_up_by_itself_asks_for_no_work() -> None:
    """A stranger with nothing else against him shows a factor without work."""
    assert not decide(seen(), Policy(work=True, factors=True)).work_first


def test_a_step_up_that_came_to_work_is_satisfied_by_it() -> None:
    """Without factors a step-up becomes work, which satisfies it; if the operator refuses instead, work buys
    nothing.
    """
    signs = seen(token_spent=True, worked=True)

    assert decide(signs, Policy(work=True)).asked is ALLOW
    assert decide(signs, Policy(work=True, refuse_without_factor=True)).asked is DENY


def test_no_work_is_asked_of_whom_it_would_not_help() -> None:
    """A throttled or denied caller is told so at once, without work."""
    throttled = decide(seen(accounts_per_ip=8, ip_wait_us=MINUTE), Policy(work=True))
    denied = decide(seen(accounts_per_ip=8, token_spent=True), Policy(work=True, refuse_without_factor=True))

    assert (throttled.asked, throttled.work_first) == (THROTTLE, False)
    assert (denied.asked, denied.work_first) == (DENY, False)


def test_where_no_account_can_be_asked_there_is_no_factor() -> None:
    """At a door without an account no factor is asked for; the rest of the policy holds."""
    policy = Policy(accounts_per_ip_max=4, work=True, factors=True)

    assert policy.without_factors() == Policy(accounts_per_ip_max=4, work=True)
    assert decide(seen(), policy.without_factors()) is ALLOWED


@pytest.mark.parametrize(("work", "factors"), list(product([False, True], repeat=2)))
def test_a_stranger_steps_up_wherever_a_factor_exists(work: bool, factors: bool) -> None:
    """A stranger steps up if factors exist, as the right password may be stolen; without factors there is no such
    finding.
    """
    decision = decide(seen(), Policy(work=work, factors=factors))

    assert decision.asked is (STEP_UP if factors else ALLOW)


@pytest.mark.parametrize("device", [Device.SEEN, Device.PROVED])
@pytest.mark.parametrize("sign", [sign for sign in OF_OTHERS if "failures" not in sign], ids=str)
@pytest.mark.parametrize("factors", [False, True])
def test_a_known_device_in_its_bucket_is_not_hindered_by_others(
    device: Device, sign: dict[str, Any], factors: bool
) -> None:
    """A known device in its bucket is unaffected by others at its address or account, or a flood could lock owners
    out.
    """
    policy = Policy(factors=factors)
    assert decide(seen(device, **sign), policy) == decide(seen(device), policy)


@pytest.mark.parametrize(("device", "asked"), [(Device.SEEN, STEP_UP), (Device.PROVED, ALLOW)])
def test_a_device_that_is_merely_seen_is_asked_for_a_factor_once(device: Device, asked: Action) -> None:
    """A device known by a password alone is asked for a factor once: the password may have been an attacker's."""
    assert decide(seen(device), Policy(factors=True)).asked is asked
    assert decide(seen(device), Policy()) is ALLOWED


@pytest.mark.parametrize("sign", OF_OTHERS, ids=str)
def test_a_proved_device_has_no_finding_from_the_doings_of_others(sign: dict[str, Any]) -> None:
    """A proved device has no finding from others' actions, the account's failures included."""
    assert decide(seen(Device.PROVED, **sign), Policy(factors=True, work=True)) is ALLOWED


def test_after_too_many_failures_a_password_alone_is_not_enough_for_a_seen_device() -> None:
    """A hundred failures since the last factor (NIST SP 800-63B) end the trust earned by a password."""
    failed = seen(Device.SEEN, failures=101)

    assert decide(failed, Policy(factors=True)).asked is STEP_UP
    assert decide(failed, Policy()).asked is ALLOW


@pytest.mark.parametrize(
    ("device", "exposure", "action"),
    [
        (Device.STRANGER, Exposure(1, None), STEP_UP),
        (Device.SEEN, Exposure(16, Pair.ABSENT), ALLOW),
        (Device.PROVED, Exposure(16, Pair.ABSENT), ALLOW),
        (Device.STRANGER, Exposure(0, Pair.EXACT), STEP_UP),
        (Device.SEEN, Exposure(0, Pair.EXACT), STEP_UP),
        (Device.PROVED, Exposure(0, Pair.EXACT), ALLOW),
        (Device.STRANGER, Exposure(0, Pair.VARIANT), CHALLENGE),
        (Device.SEEN, Exposure(0, Pair.VARIANT), ALLOW),
        (Device.PROVED, Exposure(0, Pair.VARIANT), ALLOW),
    ],
)
def test_a_leak_weighs_by_who_shows_it(device: Device, exposure: Exposure, action: Action) -> None:
    """A leaked password alone weighs little (two of five honest log-ins), a leaked pair at its own account much."""
    assert decide(seen(device, exposure=exposure), Policy()).action is action


@pytest.mark.parametrize("device", list(Device))
@pytest.mark.parametrize("exposure", [Exposure(4, None), Exposure(0, Pair.EXACT), Exposure(4, Pair.EXACT)], ids=str)
def test_only_who_is_known_is_told_to_choose_another(device: Device, exposure: Exposure) -> None:
    """Only a known device is told to change the password: a thief would be shown how to take over the account."""
    decision = decide(seen(device, exposure=exposure), Policy(prevalence_min=4))

    assert decision.change_password is (device is not Device.STRANGER)


@pytest.mark.parametrize("device", list(Device))
@pytest.mark.parametrize("exposure", [UNKNOWN, Exposure(0, Pair.ABSENT), Exposure(3, Pair.VARIANT)], ids=str)
def test_nobody_must_change_what_has_not_leaked(device: Device, exposure: Exposure) -> None:
    """No change is asked for a password seen rarely, merely similar to a leaked one, or unknown."""
    assert not decide(seen(device, exposure=exposure), Policy(prevalence_min=4)).change_password


def test_nothing_seen_is_nothing_found() -> None:
    """An attempt without signals costs no allocation."""
    assert decide(seen(), Policy()) is ALLOWED
    assert ALLOWED.passes


# A worse signal never gives a milder decision.

waits = st.sampled_from([0, 1, MINUTE])
policies = st.builds(
    Policy,
    prevalence_min=st.sampled_from([1, 4]),
    work=st.booleans(),
    factors=st.booleans(),
    refuse_without_factor=st.booleans(),
)
passwords = st.sampled_from([None, 0, 1, 3, 4, 16])
listed_pairs = st.sampled_from([None, *Pair])


def counts(spread: Spread) -> tuple[int, ...]:
    return (
        spread.accounts_per_ip,
        spread.accounts_per_network,
        spread.accounts_per_device,
        spread.ips_per_account,
        spread.accounts_per_secret,
    )


spreads = st.builds(Spread, *[st.integers(0, cap) for cap in CAPS])
all_signals = st.builds(
    Signals,
    st.builds(
        verdict,
        **dict.fromkeys(WAITS, waits),
        token_spent=st.booleans(),
        counters_lost=st.booleans(),
        failures=st.sampled_from([0, 100, 101, 65_535]),
    ).flatmap(lambda one: spreads.map(lambda spread: one._replace(spread=spread))),
    st.sampled_from(Device),
    st.builds(Exposure, passwords, listed_pairs),
    st.booleans(),
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Signals, Signals]:
    """Signals, and the same with some of them worse."""
    one = draw(all_signals)
    v = one.verdict
    worse = v._replace(
        **{name: getattr(v, name) + draw(waits) for name in WAITS},
        failures=v.failures + draw(st.sampled_from([0, 1, 200])),
        token_spent=v.token_spent or draw(st.booleans()),
        counters_lost=v.counters_lost or draw(st.booleans()),
        spread=Spread(
            *[min(cap, n + draw(st.integers(0, cap))) for n, cap in zip(counts(v.spread), CAPS, strict=True)]
        ),
    )
    device = draw(st.sampled_from([device for device in Device if device <= one.device]))
    exposure = one.exposure.worst(Exposure(draw(passwords), draw(listed_pairs)))
    return one, Signals(worse, device, exposure, worked=one.worked and draw(st.booleans()))


@given(pairs(), policies)
def test_a_worse_sign_never_gives_a_milder_decision(pair: tuple[Signals, Signals], policy: Policy) -> None:
    """A higher count or wait, lost counters, a lesser device or missing work never gives a milder decision."""
    better, worse = (decide(each, policy) for each in pair)

    assert worse.action >= better.action
    assert worse.asked >= better.asked
    assert worse.wait_us >= better.wait_us
    assert reasons(worse) >= reasons(better)


@given(all_signals, policies)
def test_work_buys_a_challenge_and_nothing_else(signals: Signals, policy: Policy) -> None:
    """Work meets a challenge and changes nothing else: no throttle, denial or step-up."""
    unpaid, paid = (decide(signals._replace(worked=worked), policy) for worked in (False, True))

    assert paid == unpaid._replace(asked=ALLOW if unpaid.asked is CHALLENGE else unpaid.asked, work_first=False)
    assert not unpaid.work_first or (policy.work and unpaid.asked in {CHALLENGE, STEP_UP})
    assert unpaid.work_first or unpaid.asked is not CHALLENGE


@given(all_signals, policies)
def test_a_decision_agrees_with_its_findings(signals: Signals, policy: Policy) -> None:
    """The action is the strictest finding's, a throttle has a wait, and only throttles have one."""
    decision: Decision = decide(signals, policy)

    assert decision.action == max((finding.action for finding in decision.findings), default=ALLOW)
    assert (decision.wait_us > 0) or decision.asked is not THROTTLE
    assert decision.wait_us in {0, *(finding.wait_us for finding in decision.findings)}
    assert all(isinstance(finding, Finding) for finding in decision.findings)


def test_work_opens_no_account_over_its_limit_where_the_secret_is_small() -> None:
    """At a door with a small secret work opens no account over its limit: guesses at six digits are cheap (row
    4.17).
    """
    policy = Policy(work=True).for_small_secrets()

    assert decide(seen(worked=True, account_wait_us=MINUTE), policy).asked is THROTTLE
    assert decide(seen(worked=True, account_wait_us=MINUTE), Policy(work=True)).asked is ALLOW


def test_a_known_device_has_its_bucket_where_the_secret_is_small() -> None:
    """At such a door, too, others' guesses never throttle a known device in its bucket."""
    policy = Policy(work=True).for_small_secrets()

    assert decide(seen(Device.SEEN, account_wait_us=MINUTE), policy).asked is ALLOW


def test_a_pin_that_was_wrong_at_many_accounts_is_refused_where_accounts_are_linked() -> None:
    """Work buys no further account for one PIN; where there is a factor, its owner is asked for that."""
    linking, wide = Policy(work=True).for_links(), seen(worked=True, accounts_per_secret=8)

    assert decide(wide, linking).asked is THROTTLE
    assert decide(wide, linking).wait_us == 30 * MINUTE
    assert decide(seen(worked=True, accounts_per_secret=7), linking).asked is ALLOW
    assert decide(wide, Policy(work=True).for_small_secrets()).asked is ALLOW
    assert decide(wide, Policy(factors=True).for_links()).asked is STEP_UP
    assert decide(wide, Policy(refuse_without_factor=True).for_links()).asked is DENY


# Familiar strangers.

CALM, ELEVATED, ATTACK = Posture


def in_calm(posture: Posture = CALM) -> Policy:
    return Policy(work=True, factors=True).in_posture(posture, AskedFrom(CALM, ELEVATED))


@pytest.mark.parametrize("familiar", [True, False])
def test_in_calm_every_question_is_held_and_only_the_familiar_are_released(familiar: bool) -> None:
    """Both ask: whether a stranger is familiar must not show before its secret is known to be right."""
    decision = decide(Signals(verdict(), familiar=familiar), in_calm())
    assert (decision.asked, decision.holds, decision.releases) == (STEP_UP, True, familiar)


def test_in_calm_a_seen_device_is_asked_only_where_it_is_not_familiar() -> None:
    found = [decide(Signals(verdict(), Device.SEEN, familiar=familiar), in_calm()).asked for familiar in (True, False)]
    assert found == [ALLOW, STEP_UP]
    assert decide(Signals(verdict(), Device.SEEN, familiar=True), in_calm(ELEVATED)).asked is STEP_UP


@pytest.mark.parametrize("posture", [ELEVATED, ATTACK])
def test_an_alarm_releases_nobody(posture: Posture) -> None:
    decision = decide(Signals(verdict(), familiar=True), in_calm(posture))
    assert (decision.asked, decision.holds, decision.releases) == (STEP_UP, False, False)


def test_by_default_familiarity_decides_nothing() -> None:
    policy = Policy(factors=True)
    assert decide(Signals(verdict(), familiar=True), policy) == decide(Signals(verdict()), policy)


@pytest.mark.parametrize(
    ("sign", "reason"),
    [(sign, reason) for sign, action, reason in SIGNS if action is STEP_UP],
    ids=str,
)
def test_another_reason_for_a_question_releases_nobody_and_is_held_alike(sign: dict[str, Any], reason: str) -> None:
    """Held, or the time of the question would tell what else was found about the account."""
    signs = dict(sign)
    exposure = signs.pop("exposure", UNKNOWN)
    decision = decide(Signals(verdict(**signs), exposure=exposure, familiar=True), in_calm())
    assert reason in reasons(decision)
    assert (decision.asked, decision.holds, decision.releases) == (STEP_UP, True, False)


def test_familiarity_opens_no_limit() -> None:
    """Neither an address over its limit, nor work that is owed."""
    throttled = decide(Signals(verdict(ip_wait_us=MINUTE), familiar=True), in_calm())
    assert (throttled.asked, throttled.holds, throttled.releases) == (THROTTLE, False, False)
    assert decide(Signals(verdict(account_wait_us=MINUTE), familiar=True), in_calm()).work_first


def test_where_the_posture_decides_seen_devices_are_not_asked() -> None:
    policy = Policy(factors=True)
    found = [decide(seen(Device.SEEN), policy.in_posture(each, AskedFrom(ELEVATED, ATTACK))).asked for each in Posture]
    strangers = [decide(seen(), policy.in_posture(each, AskedFrom(ELEVATED, ATTACK))) for each in Posture]
    assert found == [ALLOW, ALLOW, ALLOW]
    assert [(one.asked, one.holds) for one in strangers] == [(ALLOW, False), (STEP_UP, True), (STEP_UP, False)]


# Locks.


@pytest.mark.parametrize("worked", [False, True])
def test_a_locked_stranger_shows_a_factor_or_waits(worked: bool) -> None:
    """Work opens no lock, and owes nothing to it: with a factor it comes first, as everywhere."""
    locked = seen(account_wait_us=MINUTE, worked=worked)
    proves = decide(locked, Policy(work=True, factors=True, account_locks=True, asks_strangers=False))
    waits = decide(locked, Policy(work=True, account_locks=True))
    assert (proves.asked, proves.work_first) == (STEP_UP, not worked)
    assert (waits.asked, waits.wait_us, waits.work_first) == (THROTTLE, MINUTE, False)
    assert decide(locked, Policy(work=True)).asked is (ALLOW if worked else CHALLENGE)


@pytest.mark.parametrize("device", [Device.SEEN, Device.PROVED])
def test_no_lock_reaches_a_known_device(device: Device) -> None:
    signs = verdict(account_wait_us=MINUTE)
    for policy in (Policy(account_locks=True), Policy(factors=True, account_locks=True, asks_seen=False)):
        assert decide(Signals(signs, device), policy).asked is ALLOW


def test_a_familiar_stranger_is_locked_like_any_other() -> None:
    policy = Policy(factors=True, account_locks=True).in_posture(CALM, AskedFrom(CALM, ELEVATED))
    decision = decide(Signals(verdict(account_wait_us=MINUTE), familiar=True), policy)
    assert (decision.asked, decision.releases) == (STEP_UP, False)


def test_where_no_owner_can_be_asked_nothing_is_locked() -> None:
    """A sign-up or a request for a reset names an account that a stranger may not own."""
    policy = Policy(work=True, account_locks=True).without_factors()
    assert decide(seen(account_wait_us=MINUTE), policy).asked is CHALLENGE


# Under proof.


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        (Policy(factors=True, asks_strangers=False, asks_seen=False), STEP_UP),
        (Policy(work=True), CHALLENGE),
        (Policy(work=True, refuse_without_factor=True), DENY),
    ],
)
def test_an_account_under_proof_asks_all_but_a_proved_device(policy: Policy, asked: Action) -> None:
    """E31: without one failure and in calm, a stranger and a seen device are asked for all that the site has."""
    under = policy.under_proof()
    for device in (Device.STRANGER, Device.SEEN):
        decision = decide(Signals(verdict(), device), under)
        assert decision.asked is asked
        assert "under_proof" in {finding.reason for finding in decision.findings}
    assert decide(Signals(verdict(), Device.PROVED), under).passes
    assert "under_proof" not in {finding.reason for finding in decide(Signals(verdict()), policy).findings}


@pytest.mark.parametrize("wait", ["ip_wait_us", "network_wait_us", "device_wait_us"])
@pytest.mark.parametrize("marks", [1, 2, 3])
def test_an_address_of_many_sends_nobody_away_for_long(wait: str, marks: int) -> None:
    """Where many accounts succeed, a refusal names half a minute at most: the same for all accounts."""
    for of_many, wait_us, named in ((marks, 900, 30), (0, 900, 900), (marks, 7, 7)):
        signs: dict[str, Any] = {"marks": of_many, wait: wait_us * 1_000_000}
        found = decide(seen(worked=True, **signs), Policy())
        assert (found.action, found.wait_us) == (THROTTLE, named * 1_000_000)


BUSY: dict[str, Any] = {"ip_wait_us": MINUTE, "accounts_per_ip": 8}
SHARED, CREDIT, SPARED = 1, 2, 8


@pytest.mark.parametrize("worked", [False, True])
@pytest.mark.parametrize("familiar", [False, True])
@pytest.mark.parametrize("posture", Posture)
def test_a_crowded_address_asks_all_accounts_alike(posture: Posture, familiar: bool, worked: bool) -> None:
    """Known there or not, in every posture: work, then a proof; a familiar stranger's secret releases nothing."""
    policy = Policy(work=True, factors=True).in_posture(posture, AskedFrom(Posture.ATTACK, 3))
    found = [
        decide(Signals(verdict(**BUSY, marks=marks), worked=worked, familiar=familiar), policy)
        for marks in (SHARED, SHARED | SPARED)
    ]

    assert [(each.asked, each.work_first, each.releases, each.wait_us) for each in found] == [
        (STEP_UP, not worked, False, 0)
    ] * 2
    assert reasons(found[0]) == reasons(found[1]) >= {"crowded_address", "ip_rate"}
    assert found[0].holds == found[1].holds


@pytest.mark.parametrize(
    ("marks", "policy", "asked"),
    [
        (SHARED, Policy(work=True), THROTTLE),
        (SHARED | SPARED, Policy(work=True), ALLOW),
        (0, Policy(work=True, factors=True), THROTTLE),
        (SHARED | CREDIT, Policy(work=True, factors=True, asks_strangers=False), CHALLENGE),
    ],
)
def test_an_address_is_crowded_where_a_factor_exists_and_credit_is_spent(
    marks: int, policy: Policy, asked: Action
) -> None:
    """Without factors known accounts are spared and others refused; credit is spent first; most addresses refuse."""
    found = decide(seen(**BUSY, marks=marks), policy)
    assert found.asked is asked
    assert "crowded_address" not in reasons(found)
