"""A service switches factors on after weeks of monitoring: which owners are asked, and what an aged device opens."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sekisho.cli.guards import guard
from sekisho.simulate.laboratory.policy import policies
from sekisho.simulate.laboratory.scenario import Attack, OwnerHabits
from tests.simulate.laboratory.playing import played, scenario

if TYPE_CHECKING:
    from sekisho.simulate.laboratory import Results, Scenario

OWNERS = OwnerHabits(
    count=20, logins_per_day=1.0, history_days=18, reusing_share=0.8, typo_share=0.0, forget_share=0.0,
    cookies_share=1.0, devices=1, new_device_share=0.0, travel_share=0.0, mail_share=1.0, passkey_share=0.0,
    at_hand_share=1.0,
)  # fmt: skip
LATE = Attack(attempts=60, from_h=48, hours=24, right=15, known_share=1.0)


def switched_on(*attacks: Attack) -> Scenario:
    return replace(scenario(*attacks, owners=OWNERS, hours=72), monitored=True)


class Week(NamedTuple):
    """Attributes:
    results: of days with aged devices and an attack.
    lines: of the audit, since factors were switched on.
    told: accounts of which an aged device was let in.
    """

    results: Results
    lines: list[dict[str, Any]]
    told: set[str]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    aged = policies()["factors-aged"]
    aged = aged._replace(settings={**aged.settings, "audit": f"file:{path}"})
    results = played(switched_on(LATE), aged.name, build=partial(guard, aged))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return Week(results, lines, {line["account"] for line in lines if line["kind"] == "aged_device"})


def test_owners_of_aged_devices_are_not_asked_in_calm() -> None:
    """On the days after the switch every device is asked once without ages, and few with them. No owner is lost."""
    without, aged = (played(switched_on(), policy).owners for policy in ("factors", "factors-aged"))
    assert without.log_ins == aged.log_ins > 45
    assert without.asked > 16
    assert aged.asked <= 3
    assert without.lost == aged.lost == 0


def test_a_bot_with_right_passwords_enters_no_account_of_an_aged_device(week: Week) -> None:
    """A right password from elsewhere comes from a stranger, however old the device of its owner is."""
    tried = {line["account"] for line in week.lines if "withheld" in line.get("reasons", ())}
    assert len(week.told & tried) >= 8
    assert (week.results.right.total(), week.results.taken) == (15, {})


def test_an_aged_device_is_never_taken_for_a_proof(week: Week) -> None:
    """Until its owner has shown one, each of its log-ins is judged as one on a device that was merely seen."""
    proved, classes = set(), set()
    for line in week.lines:
        if line["kind"] == "step_up_proved":
            proved.add(line["account"])
        elif line["kind"] == "settled" and line["account"] in week.told - proved:
            classes.add(line["device_class"])
    assert len(week.told) >= 12
    assert classes == {"seen", "stranger"}
