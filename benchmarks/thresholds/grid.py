"""The thresholds, the values that are tried for each, and the scenarios that they decide."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.judge import familiarity, posture
from sekisho.ledger import address_failures, history
from sekisho.model import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

SEEDS: Final = range(101, 121)
"""Results are reported on seeds 1 to 5: a value that was chosen on those would fit them."""

SCALES: Final[Mapping[str, float]] = {
    "7pay": 0.05,
    "lock-out": 0.05,
    "mailing-day": 0.05,
    "nat-in-an-attack": 0.1,
    "nat-with-bot": 0.2,
    "nat-with-solving-bot": 0.2,
    "one-an-hour": 0.1,
    "one-per-account": 0.1,
    "one-per-address": 0.05,
    "proxy-at-nine": 0.25,
    "quiet-month": 0.05,
}
"""Fewer owners than in the laboratory's tables: the seeds together give the numbers."""


class Value(NamedTuple):
    """One value of a threshold. The present one sets nothing.

    Attributes:
        label: as the page shows it, with the unit.
        settings: of the guard, by lower-case name.
        constants: by module and name.
    """

    label: str
    settings: Mapping[str, str] = {}
    constants: Mapping[str, Any] = {}


class Threshold(NamedTuple):
    """Attributes:
    what: it decides.
    policy: of the laboratory, that is played with it.
    scenarios: that it decides.
    values: the present one first.
    """

    name: str
    what: str
    policy: str
    scenarios: tuple[str, ...]
    values: tuple[Value, ...]


_BEHIND_ONE_ADDRESS = ("nat-with-solving-bot", "proxy-at-nine")
_IN_AN_ALARM = ("nat-in-an-attack", "one-per-address")
_STRANGERS = ("one-per-account", "one-per-address", "mailing-day")

_HISTORY, _POSTURE = "sekisho.ledger.history", "sekisho.judge.posture"
_FAILURES = "sekisho.ledger.address_failures"


def _score(most: float, label: str = "") -> Value:
    return Value(label or f"{most:g}", constants={"sekisho.judge.familiarity.SCORE_MAX": most})


def _cost(successes: int) -> Value:
    # The mark of a shared address is a threshold of its own, and keeps its value.
    return Value(f"{successes} successes", constants={f"{_HISTORY}.CREDIT_US": successes * history.EARNED_US})


def _most(attempts: int) -> Value:
    return Value(f"{attempts} attempts", constants={f"{_HISTORY}.CREDIT_US_MAX": attempts * history.CREDIT_US})


def _shared(successes: int) -> Value:
    return Value(f"{successes} successes", constants={f"{_HISTORY}.SHARED_US_MIN": successes * history.EARNED_US})


def _failing(hours: int, label: str) -> Value:
    """And the most, which is what one attempt makes of it."""
    ahead_us = hours * address_failures.HOUR_US
    longest_us = ahead_us * 3 // 2 + address_failures.FIRST_US
    return Value(label, constants={f"{_FAILURES}.FAILING_US": ahead_us, f"{_FAILURES}.LONGEST_US": longest_us})


def _setting(name: str, text: str) -> Value:
    return Value(text, settings={name: text})


def _accounts(most: int) -> Value:
    limited = partial(Policy, accounts_per_ip_max=most, accounts_per_device_max=most)
    return Value(f"{most} accounts", constants={"sekisho.wiring.process.Policy": limited})


def _alarm(factor: float) -> Value:
    """Both scores, and what depends on them. The score below which a raised posture ends keeps its value."""
    elevated, attack = posture.SCORE_ELEVATED * factor, posture.SCORE_ATTACK * factor
    scores = {
        "SCORE_ELEVATED": elevated,
        "SCORE_ATTACK": attack,
        "SCORE_MAX": posture.SCORE_MAX * factor,
        "SHARE_MAX": posture.SHARE_MAX * factor,
        "_FALLS_BELOW": (0.0, posture.SCORE_CALM, elevated),
    }
    constants = {f"{_POSTURE}.{name}": value for name, value in scores.items()}
    return Value(f"{elevated:g}, {attack:g}", constants=constants)


def _quiet_accounts(most: int, label: str = "") -> Value:
    return Value(label or f"{most} accounts", constants={"sekisho.model.signals.QUIET_ACCOUNTS_MAX": most})


def _quiet_score(below: float, label: str = "") -> Value:
    """The score of a network. The one below which a raised posture ends, which is as high, keeps its value."""
    return Value(label or f"{below:g}", constants={"sekisho.detect.watch.SCORE_CALM": below})


def _slack(share: float) -> Value:
    return Value(f"{share:.0%}", constants={f"{_POSTURE}.SLACK": share})


THRESHOLDS: Final = (
    Threshold(
        "score of a familiar stranger, at most",
        "`judge/familiarity.py`: which strangers are spared the question in calm",
        "familiar",
        ("nat-with-bot", "mailing-day"),
        (
            Value(f"{familiarity.SCORE_MAX:g}"),
            _score(0.5),
            _score(2),
            _score(1e9, "none: a network with a success suffices"),
        ),
    ),
    Threshold(
        "price of an attempt over an address's limit",
        "`ledger/history.py`: the successes of others there that pay for one attempt with work",
        "default",
        _BEHIND_ONE_ADDRESS,
        (Value("8 successes"), _cost(4), _cost(16)),
    ),
    Threshold(
        "credit of an address, at most",
        "`ledger/history.py`",
        "default",
        _BEHIND_ONE_ADDRESS,
        (Value("30 attempts"), _most(15), _most(60)),
    ),
    Threshold(
        "successes lately that make an address one of many owners",
        "`ledger/history.py`",
        "default",
        _BEHIND_ONE_ADDRESS,
        (Value("8 successes"), _shared(4), _shared(16)),
    ),
    Threshold(
        "accounts of an address or a device within an hour",
        "`model/signals.py`: from so many on a stranger is asked for work",
        "default",
        ("7pay", "nat-with-bot", *_BEHIND_ONE_ADDRESS),
        (Value("8 accounts"), _accounts(4), _accounts(16)),
    ),
    Threshold(
        "hours of failures ahead, from which an address is failing",
        "`ledger/address_failures.py`: where strangers are asked for work although no limit is used up",
        "default",
        ("7pay", "one-an-hour", "nat-with-bot", "quiet-month"),
        (
            Value("24: four attempts at once"),
            _failing(12, "12: three"),
            _failing(36, "36: five"),
            Value("never", constants={f"{_FAILURES}.FAILING_US": 1 << 62}),
        ),
    ),
    Threshold(
        "limit of an address",
        "`SEKISHO_LIMIT_IP`",
        "default",
        ("7pay", "nat-with-bot", *_BEHIND_ONE_ADDRESS),
        (
            Value("20/10minute;100/day"),
            _setting("limit_ip", "10/10minute;50/day"),
            _setting("limit_ip", "40/10minute;200/day"),
        ),
    ),
    Threshold(
        "limit of a network",
        "`SEKISHO_LIMIT_NETWORK`",
        "default",
        ("7pay", *_BEHIND_ONE_ADDRESS),
        (Value("100/10minute"), _setting("limit_network", "50/10minute"), _setting("limit_network", "200/10minute")),
    ),
    Threshold(
        "limit of an account",
        "`SEKISHO_LIMIT_ACCOUNT`",
        "default",
        ("7pay", "lock-out", "quiet-month"),
        (
            Value("5/5minute;10/hour"),
            _setting("limit_account", "3/5minute;5/hour"),
            _setting("limit_account", "10/5minute;20/hour"),
        ),
    ),
    Threshold(
        "failures of an account",
        "`SEKISHO_ACCOUNT_FAILURES_MAX`; NIST SP 800-63B allows no more than 100",
        "default",
        ("lock-out", "quiet-month"),
        (Value("100"), _setting("account_failures_max", "50"), _setting("account_failures_max", "25")),
    ),
    Threshold(
        "scores of the postures `elevated` and `attack`",
        "`judge/posture.py`: when strangers are asked",
        "posture",
        _STRANGERS,
        (Value("15, 25"), _alarm(0.5), _alarm(2)),
    ),
    Threshold(
        "failures beyond the clean share that are no attack yet",
        "`judge/posture.py`",
        "posture",
        _STRANGERS,
        (Value("28%"), _slack(0.14), _slack(0.56)),
    ),
    Threshold(
        "accounts tried in vain from a network that is quiet in an alarm, at most",
        "`model/signals.py`: where familiar strangers are spared in an alarm",
        "familiar",
        _IN_AN_ALARM,
        (
            Value("4 accounts"),
            _quiet_accounts(2),
            _quiet_accounts(8),
            _quiet_accounts(10**6, "none: only the score tells"),
        ),
    ),
    Threshold(
        "score of a network from which it is not quiet in an alarm",
        "`detect/watch.py`: where familiar strangers are spared in an alarm",
        "familiar",
        _IN_AN_ALARM,
        (Value("4"), _quiet_score(2), _quiet_score(8), _quiet_score(1e9, "none: only a raised network is not quiet")),
    ),
)
