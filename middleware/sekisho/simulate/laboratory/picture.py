"""A picture for a scenario, as SVG: what attackers took and what owners lost under each policy."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from sekisho.simulate.laboratory.svg import page, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.simulate.laboratory.report import Played

_WIDTH, _LEFT, _BAR, _ROW, _TOP = 760, 190, 400, 44, 64
_TAKEN, _LOST = "#b3261e", "#3f6ea8"


def picture(played: Sequence[Played]) -> str:
    """Return a picture of one scenario as SVG: two bars for each policy, over all seeds.

    One shows the share of right pairs that opened an account, the other the share of owners' log-ins that were lost.
    """
    names = list(dict.fromkeys(each.policy for each in played))
    height = _TOP + _ROW * len(names) + 12
    lines = [
        text(12, 22, played[0].scenario.title, size=15),
        text(12, 44, "of the right pairs, those that opened an account", colour=_TAKEN),
        text(380, 44, "of the owners' log-ins, those that were lost", colour=_LOST),
    ]
    for place, name in enumerate(names):
        lines += _row(_TOP + place * _ROW, name, [each for each in played if each.policy == name])
    return page(_WIDTH, height, lines)


def _row(top: int, name: str, runs: list[Played]) -> Iterator[str]:
    taken = fmean(each.results.taken_over / max(1, each.results.right.total()) for each in runs)
    lost = fmean(each.results.owners.lost / max(1, each.results.owners.log_ins) for each in runs)
    yield text(12, top + 20, name)
    yield from _bar(top + 2, taken, _TAKEN)
    yield from _bar(top + 20, lost, _LOST)


def _bar(top: int, share: float, colour: str) -> Iterator[str]:
    width = max(1.0, share * _BAR)
    yield f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="14" fill="{colour}"/>'
    yield text(_LEFT + width + 6, top + 12, f"{share:.2%}")
