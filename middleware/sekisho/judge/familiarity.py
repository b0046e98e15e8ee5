"""Whether an account's history makes a stranger familiar, scored as Freeman et al. do (NDSS 2016).

The score is the product, over the features, of p(value) / p(value | account): how likely anybody shows this value,
against how likely this account does. The likelihood of a value is smoothed as published: `c` of `n` log-ins showed it,
`u` values are known: seen `(c / n) (1 - u / (n + u))`, unseen `1 / (n + u)`.

Features: network, browser family, hour of the day. The two latter are shared by many and easily imitated. So they can
only take familiarity away: a network without a success is never familiar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.model import History

if TYPE_CHECKING:
    from sekisho.model import Policy, Verdict

SCORE_MAX: Final = 1.0
"""Above it, the values are likelier of anybody than of this account."""

# Shares of all log-ins, assumed: the store keeps no statistics of a whole site's owners.
NETWORK_SHARE: Final = 0.001  # a carrier's or a large company's /24
BROWSER_SHARE: Final = 0.25  # a common browser
HOUR_SHARE: Final = 0.125  # three hours of a day

HALF: Final = 0.5  # of an account's log-ins, for a known browser or hour: their numbers are not kept


def is_spared(verdict: Verdict, policy: Policy) -> bool:
    """Whether a client with this verdict is familiar, at a log-in that spares familiar ones. Pure."""
    if (
        not (policy.spares_familiar or policy.spares_seen)
        or verdict.spread.accounts_per_network > policy.familiar_accounts_max
    ):
        return False
    return is_familiar(verdict.history)


def is_familiar(packed: int) -> bool:
    """Whether a stranger with this packed history (`Verdict.history`) is like earlier log-ins of the account. Pure."""
    if not packed:
        return False
    history = History.unpacked(packed)
    return history.here > 0 and score(history) <= SCORE_MAX


def score(history: History) -> float:
    """Return how unlike the account's earlier log-ins a stranger is: low is familiar. `history.total` is at least 1."""
    total = history.total
    network = _likelihood(history.here, total, history.networks)
    browser = _likelihood(total * HALF if history.browser_known else 0, total, 1)
    hour = _likelihood(total * HALF if history.hour_known else 0, total, 1)
    return NETWORK_SHARE / network * (BROWSER_SHARE / browser) * (HOUR_SHARE / hour)


def _likelihood(count: float, total: int, values: int) -> float:
    if count:
        return min(1.0, count / total) * (1 - values / (total + values))
    return 1 / (total + values)
