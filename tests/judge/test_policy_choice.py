"""The secret that is tried, the posture and an operator's request choose the policy that judges an attempt."""

from __future__ import annotations

import pytest

from sekisho.judge.policy_choice import PolicyChoice, heeds_age
from sekisho.model import AskedFrom, Attempt, Device, Effect, Nearby, Policy, Posture
from tests.judge.attempts import CHANGE, CODE, GUESSED_LINK, LINK, LOGIN, RESET, SIGNUP, attempt

CALM, ELEVATED, ATTACK = Posture
ALWAYS, NEVER = 0, 3
FACTORS = Policy(factors=True)


def plain(choice: PolicyChoice, posture: Posture) -> Policy:
    return choice.at_log_in(posture, under_proof=False)


def test_a_password_is_judged_by_the_settings_own_policy() -> None:
    """Where an account's owner can be asked, nothing is added to what the settings say."""
    choice = PolicyChoice(FACTORS)

    assert choice.at_door(attempt(LOGIN), under_proof=False) is FACTORS
    assert choice.at_door(attempt(CHANGE), under_proof=False) is FACTORS


@pytest.mark.parametrize("tried", [attempt(SIGNUP), attempt(RESET), attempt(LINK), attempt(LOGIN, account="")])
def test_nobody_is_asked_where_no_owner_could_answer(tried: Attempt) -> None:
    """At sign-ups, resets, links and without an account a question for a factor would be a lock without a key."""
    assert not PolicyChoice(FACTORS).at_door(tried, under_proof=False).factors


def test_work_buys_no_guess_at_a_code() -> None:
    """At a code an account over its limit refuses; at a password it only asks for more, or anybody could lock it."""
    choice = PolicyChoice(FACTORS)

    assert choice.at_door(attempt(CODE), under_proof=False).account_is_hard
    assert choice.at_door(attempt(GUESSED_LINK), under_proof=False).account_is_hard
    assert not choice.at_door(attempt(LOGIN), under_proof=False).account_is_hard
    # A request without a code guesses nothing.
    assert not choice.at_door(attempt(CODE, secret=""), under_proof=False).account_is_hard


def test_one_pin_at_many_accounts_is_refused_where_right_ones_are_told_apart() -> None:
    """Without a success rule every right PIN stays in the set of wrong ones: eight owners would lock it for all."""
    choice = PolicyChoice(FACTORS)
    ruled = choice.at_door(attempt(LINK), under_proof=False)
    guessed = choice.at_door(attempt(GUESSED_LINK), under_proof=False)

    assert (ruled.secret_is_hard, ruled.accounts_per_secret_max) == (True, 8)
    assert (guessed.secret_is_hard, guessed.accounts_per_secret_max) == (False, 16)


def test_an_account_under_proof_wants_a_factor_at_any_number_of_failures() -> None:
    """An operator's request counts at every door and in every posture."""
    choice = PolicyChoice(FACTORS, AskedFrom(ELEVATED, NEVER))

    assert choice.at_door(attempt(LOGIN), under_proof=True).account_failures_max == -1
    assert choice.at_log_in(ATTACK, under_proof=True).account_failures_max == -1


def test_in_calm_an_account_under_proof_is_judged_like_all_others() -> None:
    """Where strangers are spared, a question before the right secret would tell which accounts these are."""
    choice = PolicyChoice(FACTORS, AskedFrom(ELEVATED, NEVER))

    assert choice.at_log_in(CALM, under_proof=True) == plain(choice, CALM)
    # Where all are asked, or no factor can be, there is nothing to tell.
    assert PolicyChoice(FACTORS, AskedFrom(ALWAYS, NEVER)).at_log_in(CALM, under_proof=True).account_failures_max == -1
    assert (
        PolicyChoice(Policy(), AskedFrom(ELEVATED, NEVER)).at_log_in(CALM, under_proof=True).account_failures_max == -1
    )


@pytest.mark.parametrize(
    ("asks_from", "familiar_from", "asked", "spared"),
    [
        (ALWAYS, ALWAYS, [True, True, True], [False, False, False]),
        (ELEVATED, ATTACK, [False, True, True], [False, True, False]),
        (ATTACK, NEVER, [False, False, True], [False, False, True]),
        (NEVER, NEVER, [False, False, False], [False, False, False]),
    ],
)
def test_the_posture_says_which_strangers_are_asked(
    asks_from: int, familiar_from: int, asked: list[bool], spared: list[bool]
) -> None:
    """Strangers are asked from one posture on, familiar ones from another on."""
    policies = [plain(PolicyChoice(FACTORS, AskedFrom(asks_from, familiar_from)), posture) for posture in Posture]

    assert [each.asks_strangers for each in policies] == asked
    assert [each.spares_familiar for each in policies] == spared


@pytest.mark.parametrize(
    ("asked", "asks", "quiet", "loud"),
    [
        (AskedFrom(ALWAYS, ELEVATED, own_network=True), [True, True, True], [True, True, True], [True, False, False]),
        (AskedFrom(ATTACK, ATTACK, own_network=True), [False, False, True], [False, False, True], [False] * 3),
        (AskedFrom(ALWAYS, ELEVATED), [True, True, True], [True, False, False], [True, False, False]),
        (AskedFrom(ALWAYS, ALWAYS), [True, True, True], [False] * 3, [False] * 3),
    ],
)
def test_in_an_alarm_a_quiet_network_spares_its_familiar_strangers(
    asked: AskedFrom, asks: list[bool], quiet: list[bool], loud: list[bool]
) -> None:
    """Others are asked there as elsewhere."""
    choice = PolicyChoice(FACTORS, asked)
    policies = [choice.at_log_in(each, under_proof=False, nearby=Nearby.QUIET) for each in Posture]

    assert [each.asks_strangers for each in policies] == asks
    assert [each.spares_familiar for each in policies] == quiet
    assert [plain(choice, each).spares_familiar for each in Posture] == loud


@pytest.mark.parametrize(
    ("asked", "spared"),
    [
        (AskedFrom(ALWAYS, ELEVATED, own_network=True), True),
        (AskedFrom(ATTACK, ATTACK, own_network=True), True),
        (AskedFrom(ALWAYS, ELEVATED), False),
        (AskedFrom(ALWAYS, NEVER), False),
    ],
)
def test_in_an_alarm_a_loud_network_spares_devices_that_were_seen(asked: AskedFrom, spared: bool) -> None:
    """A bot's guesses have no token. Strangers there are asked, and so is everybody in a posture that is forced."""
    choice = PolicyChoice(FACTORS, asked)
    loud = choice.at_log_in(ATTACK, under_proof=False, nearby=Nearby.LOUD)

    assert (loud.asks_strangers, loud.spares_seen) == (True, spared)
    assert not plain(choice, ATTACK).spares_seen
    assert choice.at_log_in(ATTACK, under_proof=True, nearby=Nearby.LOUD).account_failures_max == -1


def test_a_quiet_network_spares_no_account_under_proof() -> None:
    """Its thief may have made the network familiar before the attack was recognised."""
    choice = PolicyChoice(FACTORS, AskedFrom(ALWAYS, ELEVATED, own_network=True))

    assert choice.at_log_in(ATTACK, under_proof=True, nearby=Nearby.QUIET).account_failures_max == -1


def test_a_device_that_was_seen_for_long_is_not_asked() -> None:
    """Its age stands for a factor, in calm and without a request of an operator only."""
    choice = PolicyChoice(FACTORS)

    assert choice.calm.asks_seen
    assert not choice.aged.asks_seen
    assert [heeds_age(each, under_proof=False) for each in Posture] == [True, False, False]
    assert not heeds_age(CALM, under_proof=True)


def test_only_proofs_earn_credit_where_strangers_are_asked_in_calm() -> None:
    """There an attacker with many passwords could buy guesses with them; elsewhere few devices are ever proved."""
    both = Effect.LEARNS | Effect.EARNS
    assert PolicyChoice(FACTORS).remembers(Device.SEEN) == Effect.LEARNS
    assert PolicyChoice(FACTORS).remembers(Device.PROVED) == both
    assert PolicyChoice(FACTORS, AskedFrom(ELEVATED, NEVER)).remembers(Device.STRANGER) == both
    assert PolicyChoice(Policy()).remembers(Device.STRANGER) == both
