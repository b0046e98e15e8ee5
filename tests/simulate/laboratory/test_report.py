"""Tables of the laboratory, from results that were written by hand."""

from __future__ import annotations

from collections import Counter

from sekisho.simulate.laboratory import packaged, read_scenario
from sekisho.simulate.laboratory.document import document
from sekisho.simulate.laboratory.report import (
    Played,
    asked_cell,
    copies_tables,
    lost_cell,
    overview,
    resets_table,
    seeds_of,
    summary,
    taken_cell,
)
from sekisho.simulate.laboratory.results import KNOWN, CopyCounts, CopyUse, OwnerCounts, ResetCounts, Results


def played(name: str, policy: str, seed: int, *, right: int, taken: int) -> Played:
    found = Results(right=Counter(sent=right))
    for owner in range(taken):
        found.take("sent", owner)
    return Played(read_scenario(name, packaged()[name]), policy, seed, found)


def test_the_overview_sums_the_seeds() -> None:
    """The overview has a line for each scenario and a column for each policy; seeds are summed."""
    runs = [
        played("7pay", "default", 1, right=10, taken=3),
        played("7pay", "default", 2, right=11, taken=2),
        played("7pay", "factors", 1, right=10, taken=0),
        played("quiet-month", "default", 1, right=0, taken=0),
    ]
    assert overview(runs, taken_cell).splitlines() == [
        "| scenario | default | factors |",
        "| --- | --- | --- |",
        "| 7pay | 5 of 21 | 0 of 10 |",
        "| quiet-month | none sent | – |",
    ]


def test_cells_tell_known_devices_and_strangers_apart() -> None:
    known, home = (
        OwnerCounts(log_ins=100, asked=1, asked_first=1),
        OwnerCounts(log_ins=100, asked=9, lost=5, unproved=3),
    )
    found = Results(by_kind={KNOWN: known, "at home": home})
    assert (asked_cell(found), lost_cell(found), taken_cell(found)) == ("5%, 4.5%", "0, 2%, 1.5%", "none sent")


def test_a_summary_has_a_line_for_each_policy() -> None:
    """Right pairs and takeovers are summed, owners of different seeds are different ones, alarms are a range."""
    runs = [played("7pay", "posture", seed, right=10, taken=seed) for seed in (1, 2)]
    runs[0].results.alarms += [90.0, 500.0]
    head, _, line = (row.split(" | ") for row in summary(runs).splitlines())
    found = dict(zip(head, line, strict=True))
    assert (found["seeds"], found["right pairs"], found["taken over"], found["by seed"]) == (
        "1-2", "20", "3 (sent 3)", "1, 2"
    )  # fmt: skip
    assert line[-1] == "90 s in 1 of 2 |"


def test_an_alarm_in_the_history_is_told_as_one_before() -> None:
    """No attack is in the history: the table shows the alarm, and gives no time of an attack's detection."""
    run = played("quiet-month", "posture", 1, right=0, taken=0)
    run.results.alarms.append(-7_200.0)
    assert run.row()[-1] == "2.0 h before"


def test_resets_of_bots_and_owners_stand_beside_each_other() -> None:
    """A row for each policy of a scenario with resets, seeds summed; no table where there are none."""
    runs = [played("7pay-reset", "factors", seed, right=9, taken=2) for seed in (1, 2)]
    for run in runs:
        run.results.attempts, run.results.reached = 1_000, 60
        run.results.resets["forgotten"] = ResetCounts(
            begun=5, worked=1, refused=1, unsent=1, done=3, asked=2, entered=3
        )
        run.results.resets["set by a bot"] = ResetCounts(begun=1, done=1, entered=1)
    head, _, line = (row.strip("| ").split(" | ") for row in resets_table(runs).splitlines())
    assert dict(zip(head, line, strict=True)) == {
        "scenario": "7pay-reset", "policy": "factors", "bots' requests": "2,000", "passed on": "120",
        "passwords set, of right ones": "4 of 18", "owners' resets (after a bot's)": "12 (2)", "refused": "2",
        "worked": "2", "no letter": "2", "password set": "8", "asked at the log-in": "4 of 8", "entered": "8 of 8",
    }  # fmt: skip
    assert resets_table([played("7pay", "factors", 1, right=9, taken=2)]) == ""


def test_uses_of_copies_are_summed_by_kind_phase_and_place() -> None:
    """Seeds are summed; a row that no policy has is left out, and so are all tables where nothing was copied."""
    runs = [
        played("copied-tokens", policy, seed, right=1, taken=1) for policy in ("factors", "slowapi") for seed in (1, 2)
    ]
    for run in runs[:2]:
        run.results.copies[CopyUse("proved", "calm", "elsewhere", "copy alone")] = CopyCounts(
            used=3, entered=2, asked=1
        )
        run.results.copies[CopyUse("proved", "attack", "elsewhere", "copy first")] = CopyCounts(
            used=4, entered=1, asked=2
        )
        run.results.by_kind["copied device"] = OwnerCounts(log_ins=50, asked=4)
    for run in runs[2:]:
        run.results.copies[CopyUse("seen", "calm", "owner's computer", "copy alone")] = CopyCounts(used=5, entered=5)
    rows = [line.strip("| ").split(" | ") for table in copies_tables(runs) for line in table.splitlines()]
    assert ["kind", "phase", "factors", "slowapi"] in rows
    assert ["proved", "calm", "4 of 6", "–"] in rows
    assert ["proved", "attack", "2 of 8, 2 refused", "–"] in rows
    assert ["proved", "copy first", "2 of 8, 2 refused", "–"] in rows
    assert ["seen", "calm", "–", "10 of 10"] in rows
    assert ["owner's computer", "calm", "–", "10 of 10"] in rows
    assert ["asked", "8%", "–"] in rows
    assert not any(row[0] == "aged" for row in rows)
    assert list(copies_tables([played("7pay", "factors", 1, right=9, taken=2)])) == []


def test_seeds_are_told_in_ranges() -> None:
    runs = [played("7pay", "default", seed, right=1, taken=0) for seed in (4, 1, 2, 7, 3, 1)]
    assert seeds_of(runs) == "1-4, 7"


def test_the_page_says_which_code_was_played() -> None:
    """The commit of most runs, and what was played again at another one."""
    runs = [
        played(name, policy, seed, right=1, taken=0)._replace(at="aaa")
        for name in ("7pay", "quiet-month")
        for policy in ("default", "slowapi")
        for seed in (1, 2)
    ]
    assert "\nPlayed at commit `aaa`.\n" in document(runs, {})
    again = [each._replace(at="bbb") if each.scenario.name == "7pay" and each.seed == 2 else each for each in runs]
    page = document(again, {})
    assert "\nPlayed at commit `aaa`, but for\n\n- `7pay` at `bbb`: all policies, seeds 2; 2 runs\n" in page
    assert "\nPlayed at" not in document([each._replace(at="") for each in runs], {})


def test_the_page_says_how_many_runs_are_missing() -> None:
    runs = [played("7pay", policy, seed, right=1, taken=0) for policy in ("default", "slowapi") for seed in (1, 2)]
    page = document(runs[:3], {})
    assert "3 runs of 4: 1 scenarios, 2 policies, seeds 1-2." in page
    assert "A dash stands for" in page
    assert "A dash stands for" not in document(runs, {})
