"""Whether another value of a threshold is better than the present one, over seeds. Pure."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.simulate.laboratory import Results

P_MAX: Final = 0.05
"""Of the sign test over the seeds, two-sided: 6 of 6 seeds, 9 of 10, 15 of 20 and further ones."""


NOTHING_SHOWN: Final = "no difference beyond chance"


class Counts(NamedTuple):
    """What one run cost, in accounts, attempts and log-ins of owners. Less is better, of each.

    Attributes:
        taken: accounts that a bot entered.
        reached: attempts of bots that reached the password check.
        lost: log-ins that the guard refused, or that ended for want of a proof.
        asked: log-ins in which the owner was asked for a proof.
        worked: log-ins in which the browser was asked for work.
    """

    taken: int
    reached: int
    lost: int
    asked: int
    worked: int

    @classmethod
    def of(cls, results: Results) -> Counts:
        owners = results.owners
        return cls(results.taken_over, results.reached, owners.lost, owners.asked, owners.worked)


def sign_p(fewer: int, more: int) -> float:
    """The probability of so uneven a split, or a more uneven one, where both signs are equally likely."""
    number, least = fewer + more, min(fewer, more)
    uneven = sum(comb(number, k) for k in range(least + 1))
    return min(1.0, 2 * uneven / (1 << number))


def judged(present: Sequence[Counts], other: Sequence[Counts]) -> Mapping[str, str]:
    """`better` or `worse` for each count in which the other value differs by more than chance; one run a seed each."""
    found = {}
    for name in Counts._fields:
        differences = [getattr(b, name) - getattr(a, name) for a, b in zip(present, other, strict=True)]
        fewer, more = sum(each < 0 for each in differences), sum(each > 0 for each in differences)
        if sign_p(fewer, more) <= P_MAX:
            found[name] = "better" if fewer > more else "worse"
    return found


def any_more(present: Sequence[Counts], other: Sequence[Counts]) -> bool:
    """Whether some count is higher over all seeds together, by chance or not."""
    sums = ([sum(column) for column in zip(*runs, strict=True)] for runs in (present, other))
    return any(b > a for a, b in zip(*sums, strict=True))


def verdict(by_scenario: Sequence[Mapping[str, str]], *, more: bool = False) -> str:
    """The outcome of all scenarios together for another value.

    `clearly better` needs a count that is better somewhere, and none that is worse anywhere, nor higher by chance:
    takeovers are too few for the sign test.

    Args:
        by_scenario: of `judged`.
        more: whether some count is higher in some scenario, as `any_more` says.
    """
    said = {each for found in by_scenario for each in found.values()}
    if said == {"better"}:
        return "perhaps a trade" if more else "clearly better"
    return {frozenset(): NOTHING_SHOWN, frozenset({"worse"}): "worse"}.get(frozenset(said), "a trade")
