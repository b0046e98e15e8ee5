"""Accounts taken over against owners asked, a point for each policy: as numbers, as a table and as an SVG."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.simulate.laboratory.peers import PEERS
from sekisho.simulate.laboratory.svg import INK, line, page, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.simulate.laboratory.report import Played

TENTH: Final = 0.1
ASKED_MAX: Final = 0.02
"""Of owners' log-ins, those that may be asked for a proof in an attack."""

_WIDTH, _HEIGHT, _LEFT, _TOP, _PLOT_W, _PLOT_H = 760, 350, 52, 64, 400, 240
_LEGEND: Final = _LEFT + _PLOT_W + 30
_GUARD, _PEER, _LIMIT = "#3f6ea8", "#8a8d93", "#b3261e"


class Point(NamedTuple):
    """One policy in one scenario, over all seeds.

    Attributes:
        asked: of the owners' log-ins, those in which a proof was asked for.
        elsewhere: of them all, those that were asked for no reason but an unfamiliar network.
        taken: of the right pairs that bots sent, those that opened an account.
        is_peer: another limiter, which asks for no proof.
    """

    policy: str
    asked: float
    elsewhere: float
    taken: float
    is_peer: bool


def points(played: Sequence[Played]) -> list[Point]:
    """Return a point for each policy of one scenario, in the order of the policies; none if bots sent no right pair."""
    found = []
    for name in dict.fromkeys(each.policy for each in played):
        runs = [each.results for each in played if each.policy == name]
        owners, right = [each.owners for each in runs], sum(each.right.total() for each in runs)
        if right:
            log_ins, taken = max(1, sum(each.log_ins for each in owners)), sum(each.taken_over for each in runs)
            asked, elsewhere = (
                sum(getattr(each, kind) for each in owners) / log_ins for kind in ("asked", "asked_elsewhere")
            )
            found.append(Point(name, asked, elsewhere, taken / right, name in PEERS))
    return found


def frontier(found: Sequence[Point]) -> list[Point]:
    """Return the guard's points that no other one betters, in order of owners asked: each takes fewer accounts."""
    best: list[Point] = []
    for each in sorted((each for each in found if not each.is_peer), key=lambda each: (each.asked, each.taken)):
        if not best or each.taken < best[-1].taken:
            best.append(each)
    return best


def aims(found: Sequence[Point]) -> tuple[str, str, str, str]:
    """Return four table cells about the points of one scenario.

    They show the best other limiter, the best point within `ASKED_MAX`, the best of all, and the first that meets
    `TENTH`, or `no`.
    """
    peers, best = sorted((each for each in found if each.is_peer), key=lambda each: each.taken), frontier(found)
    within = [each for each in best if each.asked <= ASKED_MAX]
    most = min(TENTH, TENTH * peers[0].taken if peers and peers[0].taken else TENTH)
    met = next((each for each in best if each.taken <= most), None)
    return (
        f"`{peers[0].policy}` {_percent(peers[0].taken)}" if peers else "–",
        _cell(within[-1]) if within else "–",
        _cell(best[-1]) if best else "–",
        _cell(met) if met else "no",
    )


def _cell(point: Point) -> str:
    asked = f", asks {_percent(point.asked)}"
    elsewhere = f", {_percent(point.elsewhere)} elsewhere" if point.asked else ""
    return f"`{point.policy}` {_percent(point.taken)}{asked}{elsewhere}"


def _percent(share: float) -> str:
    return "0" if not share else f"{share:.1%}" if share < TENTH else f"{share:.0%}"


def curve(title: str, found: Sequence[Point]) -> str:
    """Return a picture of one scenario's points, as SVG. Its line joins the frontier."""
    widest = max(0.05, *(each.asked for each in found)) * 1.08
    lines = [
        text(12, 22, title, size=15),
        *_axes(widest),
        *_joined(frontier(found), widest),
        *(part for marked in _marks(found, widest) for part in marked),
        *_legend(found),
    ]
    return page(_WIDTH, max(_HEIGHT, _TOP + 20 * len(found) + 20), lines)


def _at(asked: float, taken: float, widest: float) -> tuple[float, float]:
    return _LEFT + _PLOT_W * asked / widest, _TOP + _PLOT_H * (1 - taken)


def _axes(widest: float) -> Iterator[str]:
    right, bottom = _LEFT + _PLOT_W, _TOP + _PLOT_H
    yield line(_LEFT, _TOP, _LEFT, bottom, INK)
    yield line(_LEFT, bottom, right, bottom, INK)
    for share in (0, 0.5, 1):
        yield text(12, _at(0, share, widest)[1] + 4, f"{share:.0%}")
        yield text(_at(widest * share, 0, widest)[0] - 8, bottom + 16, _percent(widest * share))
    yield text(_LEFT, _TOP - 20, "of the right pairs, those that opened an account", colour=_LIMIT)
    yield text(_LEFT, bottom + 34, "of the owners' log-ins, those in which a proof was asked for", colour=_GUARD)
    tenth, two = _at(0, TENTH, widest)[1], _at(ASKED_MAX, 0, widest)[0]
    yield line(_LEFT, tenth, right, tenth, _LIMIT, dashed=True)
    yield line(two, _TOP, two, bottom, _GUARD, dashed=True)


def _joined(best: Sequence[Point], widest: float) -> Iterator[str]:
    spots = [_at(each.asked, each.taken, widest) for each in best]
    for (x1, y1), (x2, y2) in pairwise(spots):
        yield line(x1, y1, x2, y2, _GUARD)


def _marks(found: Sequence[Point], widest: float) -> Iterator[tuple[str, str]]:
    """A dot for each point; those that would cover each other share a label."""
    by_spot: dict[tuple[int, int], list[int]] = {}
    for number, each in enumerate(found):
        x, y = _at(each.asked, each.taken, widest)
        by_spot.setdefault((round(x / 14), round(y / 14)), []).append(number)
    for numbers in by_spot.values():
        first = found[numbers[0]]
        x, y = _at(first.asked, first.taken, widest)
        colour = _PEER if all(found[number].is_peer for number in numbers) else _GUARD
        label = ", ".join(str(number + 1) for number in numbers)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>', text(x + 7, y - 5, label, colour=colour)


def _legend(found: Sequence[Point]) -> Iterator[str]:
    for number, each in enumerate(found):
        said = f"{number + 1}  {each.policy}: {_percent(each.taken)} taken, {_percent(each.asked)} asked"
        yield text(_LEGEND, _TOP + 10 + 20 * number, said, colour=_PEER if each.is_peer else _GUARD)
