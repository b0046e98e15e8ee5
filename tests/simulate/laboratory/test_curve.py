"""Curves of the laboratory, from results that were written by hand."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

from sekisho.simulate.laboratory import Results, packaged, read_scenario
from sekisho.simulate.laboratory.curve import Point, aims, curve, frontier, points
from sekisho.simulate.laboratory.report import Played
from sekisho.simulate.laboratory.results import OwnerCounts

FOUND = [
    Point("default", 0.0, 0, 0.8, is_peer=False),
    Point("posture", 0.015, 0.0075, 0.2, is_peer=False),
    Point("worse", 0.1, 0.05, 0.3, is_peer=False),
    Point("factors", 0.3, 0.15, 0.01, is_peer=False),
    Point("keycloak", 0.0, 0, 1.0, is_peer=True),
    Point("auth0", 0.0, 0, 0.5, is_peer=True),
]


def played(policy: str, seed: int, *, taken: int, asked: int) -> Played:
    found = Results(
        right=Counter(sent=10), by_kind={"at home": OwnerCounts(log_ins=50, asked=asked, asked_first=asked // 2)}
    )
    for owner in range(taken):
        found.take("sent", owner)
    return Played(read_scenario("7pay", packaged()["7pay"]), policy, seed, found)


def test_a_point_is_of_all_seeds() -> None:
    runs = [played("posture", 1, taken=1, asked=2), played("posture", 2, taken=3, asked=1)]
    assert points([*runs, played("keycloak", 1, taken=10, asked=0)]) == [
        Point("posture", 0.03, 0.02, 0.2, is_peer=False),
        Point("keycloak", 0.0, 0, 1.0, is_peer=True),
    ]


def test_the_frontier_leaves_out_what_another_policy_betters() -> None:
    """Other limiters are not on it: they ask for no proof."""
    assert [each.policy for each in frontier(FOUND)] == ["default", "posture", "factors"]


def test_an_aim_that_is_missed_is_told() -> None:
    """A tenth of what was sent, and of what the best other limiter let in."""
    best = "`factors` 1.0%, asks 30%, 15% elsewhere"
    assert aims(FOUND) == ("`auth0` 50%", "`posture` 20%, asks 1.5%, 0.8% elsewhere", best, best)
    assert aims(FOUND[:2])[3] == "no"


def test_a_curve_names_every_policy() -> None:
    drawn = "".join(ET.fromstring(curve("a <title>", FOUND)).itertext())
    assert "a <title>" in drawn
    assert "2  posture: 20% taken, 1.5% asked" in drawn
