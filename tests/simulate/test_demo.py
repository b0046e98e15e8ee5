"""The demonstration end to end, small, with real processes, HTTP and guard."""

from __future__ import annotations

import asyncio
import io
import time
import xml.etree.ElementTree as ET
from copy import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from examples.starlette_service import pages
from sekisho.cli.screen import PlainScreen, RichScreen, reading, show, write_svg
from sekisho.model import SettingsError
from sekisho.simulate.demo import GUARDED, Claim, DemoView, Plan, demonstrate
from sekisho.simulate.population import Population
from sekisho.simulate.service import ExampleService, SimulationError, add_owners, examples

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 1_000  # a busy machine must not cut a run short where all of it is counted
PLAN = Plan(owners=300, attempts=1_200, addresses=30, seconds=3, limits={}, patience=PATIENCE)


@pytest.fixture(scope="module")
def shown() -> DemoView:
    """The guard's defaults against 30 addresses with 40 attempts each."""
    return asyncio.run(demonstrate(PLAN, PlainScreen()))


def test_every_claim_of_a_demonstration_is_kept(shown: DemoView) -> None:
    """Every claim of the demonstration holds."""
    assert [claim.text for claim in shown.claims() if not claim.kept] == []


def test_without_the_guard_everything_reaches_the_password_check(shown: DemoView) -> None:
    """Without the guard all attempts reach the password check, and every leaked pair opens its account."""
    tally = shown.unguarded.tally
    assert (tally.attempts, tally.reached, sum(tally.stopped.values())) == (1_200, 1_200, 0)
    assert len(tally.taken) == tally.let_in == 5
    assert tally.unlisted[""] == 1


def test_with_the_guard_most_attempts_never_get_there(shown: DemoView) -> None:
    """With the guard more than half of the attempts stop, although each address has but forty, and no owner is
    refused.
    """
    tally = shown.guarded.tally
    assert tally.attempts == 1_200
    assert tally.stopped["too_many_attempts"] + tally.stopped["challenge_required"] == 1_200 - tally.reached > 600
    assert tally.taken == set()
    assert tally.refused == set()


def test_a_right_password_is_answered_as_a_wrong_one_is(shown: DemoView) -> None:
    """Every attacker's right password met a limit, work or a second proof; owners on new devices showed theirs."""
    tally = shown.guarded.tally
    assert tally.right.total() == 5
    assert set(tally.right) <= {"too_many_attempts", "challenge_required", "step_up_required"}
    assert tally.proved > 0


def test_the_services_own_count_is_what_is_reported(shown: DemoView) -> None:
    """The reported count is the service's own, read past the guard over a socket that HTTP clients cannot reach."""
    assert shown.unguarded.password_checks == shown.unguarded.tally.checked > 1_200
    guarded = shown.guarded.tally
    assert shown.guarded.password_checks == guarded.checked + guarded.sealed < 1_000


def test_a_guard_that_refuses_nobody_breaks_its_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claims can fail: in monitor mode all wrong guesses reach the check, which is reported.

    On any machine: here fifty times as slow, by its clock. The longer a run takes, the more guesses the limits admit,
    so the limit is a daily one; and there are few connections, so that the service has room for every check.
    """
    monkeypatch.setattr("sekisho.simulate.demo.ATTACKERS_CONNECTIONS", 4)
    monkeypatch.setattr("sekisho.simulate.demo.OWNERS_CONNECTIONS", 2)
    clock = SimpleNamespace(perf_counter=lambda: 50 * time.perf_counter())
    monkeypatch.setattr("sekisho.simulate.engine.time", clock)
    monitor = {"SEKISHO_MODE": "monitor", "SEKISHO_LIMIT_IP": "2/day"}
    plan = Plan(owners=300, attempts=1_200, addresses=30, seconds=1, limits=monitor, patience=50 * PATIENCE)
    broken = [claim for claim in asyncio.run(demonstrate(plan, PlainScreen())).claims() if not claim.kept]
    assert [claim.text.split(";")[0] for claim in broken] == [
        "accounts taken over: 5 with the guard, 5 without",
        "guesses that reached the password check: 1,200",
    ]


def test_limits_that_are_set_are_the_limits_that_are_held_against() -> None:
    """Stricter limits give a smaller bound, and fewer attempts pass."""
    plan = Plan(owners=300, attempts=600, addresses=30, seconds=1, limits={"SEKISHO_LIMIT_IP": "2/10minute"})
    guarded = asyncio.run(demonstrate(plan, PlainScreen())).guarded
    assert guarded.tally.wrong <= (guarded.wrong_max or 0) <= 60


def test_a_setting_that_makes_no_sense_is_said_before_anything_is_started() -> None:
    """A wrong setting is reported before anything starts."""
    plan = Plan(owners=100, attempts=100, addresses=5, seconds=1, limits={"SEKISHO_LIMIT_IP": "plenty"})
    with pytest.raises(SettingsError, match="SEKISHO_LIMIT_IP: is not written as in"):
        asyncio.run(demonstrate(plan, PlainScreen()))


def test_owners_who_cannot_log_in_before_the_attack_are_an_error_that_says_what_refused_them() -> None:
    """A demonstration whose owners are refused in calm ends, and says by which answers, and what to do."""
    plan = Plan(owners=100, attempts=100, addresses=5, seconds=1, limits={"SEKISHO_DENY": "0.0.0.0/1,128.0.0.0/1"})
    with pytest.raises(SimulationError, match=r"before any attack, .*: \d by denied\. .*end what else runs on it"):
        asyncio.run(demonstrate(plan, PlainScreen()))


def test_the_page_that_asks_for_a_proof_carries_the_name_of_the_service(tmp_path: Path) -> None:
    """The page that asks for a proof has the service's name: another name would look like fraud."""
    name = PLAN.guard_settings(tmp_path)["SEKISHO_SERVICE_NAME"]

    assert name == "Hakone Tea House"
    assert f"<title>Log in · {name}</title>" in pages.login_page()


def test_a_longer_list_is_one_of_more_strangers() -> None:
    """A longer list has more strangers, not more attempts per owner: an owner is on a list once or twice."""
    campaign = Plan(owners=100, attempts=100_000, addresses=300, seconds=1, limits={}).scenario().campaign
    assert campaign.known_share * campaign.attempts == pytest.approx(120)
    assert campaign.right_share * campaign.attempts == pytest.approx(4)


async def test_a_guard_that_answers_for_its_service_with_503_has_not_started(tmp_path: Path) -> None:
    """A guard that answers 503 has not started; the error has its reason."""
    with pytest.raises(SimulationError, match="SEKISHO_SECRET: is not set"):
        async with ExampleService(GUARDED, tmp_path, {}):
            pass


async def test_a_service_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    """A service that cannot be imported is reported with its traceback."""
    with pytest.raises(SimulationError, match=r"No module named 'starlette_service\.nothing'"):
        async with ExampleService("starlette_service.nothing:build", tmp_path, {}):
            pass


async def test_owners_that_are_there_already_are_an_error(tmp_path: Path) -> None:
    """Owners that exist already are an error: half a population would make half of the log-ins fail."""
    await add_owners(Population(5), tmp_path)
    with pytest.raises(SimulationError, match="could not add its members"):
        await add_owners(Population(5), tmp_path)


@pytest.mark.parametrize(
    ("login_ms", "seconds"),
    [(0.2, 25), (0.4, 25), (0.8, 47.8), (1.6, 95.6), (50, 100)],
    ids=["fast", "as fast as it must be", "slow", "slower", "four times as long at most"],
)
def test_a_slow_machine_gets_longer(login_ms: float, seconds: float) -> None:
    """Without the guard the attack takes seven tenths of a core at most: else owners wait for the machine alone."""
    plan = Plan(owners=5_000, attempts=40_000, addresses=300, seconds=25, limits={})
    assert plan.for_machine(login_ms / 1000).seconds == pytest.approx(seconds, abs=0.1)


def test_a_demonstration_that_takes_longer_says_so_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine is measured before the attack, and both runs are given the same longer time."""
    monkeypatch.setattr("sekisho.simulate.demo.BUSY_MAX", 0.001)
    plan = Plan(owners=300, attempts=300, addresses=30, seconds=1, limits={}, at_ease=True, patience=PATIENCE)
    shown = asyncio.run(demonstrate(plan, PlainScreen()))
    assert "the attack takes 4 s instead of 1 (DEMO_SECONDS=1 does not wait)" in capsys.readouterr().err
    assert shown.scenario.campaign.per_second == 75
    assert [claim.text for claim in shown.claims() if not claim.kept] == []


def test_the_example_services_are_found_in_the_checkout() -> None:
    """The demo runs the services in `examples/`, not copies."""
    assert (examples() / "starlette_service" / "protected.py").is_file()


def test_the_table_tells_both_runs_side_by_side(shown: DemoView) -> None:
    """The table has every promised figure for both runs, with the results of right passwords."""
    out = Console(width=100, file=io.StringIO())
    with out.capture() as captured:
        show(shown, out)
    text = " ".join(captured.get().split())
    for row in (
        "too_many_attempts 0",
        "reached the password check 1,200 (100%)",
        "accounts taken over 5 0",
        "p50 / p99",
    ):
        assert row in text
    assert "A right password alone opens nothing" in text
    assert "BROKEN" not in text


def test_a_run_that_was_cut_short_says_so(shown: DemoView) -> None:
    """A run cut short by a slow machine says so."""
    longer = Plan(owners=300, attempts=9_999, addresses=30, seconds=1, limits={}).scenario()
    assert "too slow for 9,999 attempts" in " ".join(reading(shown._replace(scenario=longer)))
    assert "too slow" not in " ".join(reading(shown))


def test_owners_who_came_back_are_named_with_what_helps(shown: DemoView) -> None:
    """Where the machine was too slow for the guard's process, the reader sees why owners waited, and what helps."""
    busy = copy(shown.guarded.tally)
    busy.came_back = 77
    text = " ".join(reading(shown._replace(guarded=shown.guarded._replace(tally=busy))))
    assert "came back after a 503: 77. DEMO_SECONDS=60" in text
    busy.came_back = 0
    assert "503" not in " ".join(reading(shown._replace(guarded=shown.guarded._replace(tally=busy))))


def test_the_picture_is_one_that_loads_nothing_from_elsewhere(shown: DemoView, tmp_path: Path) -> None:
    """The picture loads nothing from elsewhere, so README readers are reported to no font server."""
    write_svg(shown, str(tmp_path / "demo.svg"))
    picture = (tmp_path / "demo.svg").read_text()
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "url(http" not in picture
    assert "@font-face" not in picture


def test_a_terminal_sees_the_same_progress(shown: DemoView, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal shows bars and a file lines; both name accounts taken over and attempts stopped."""
    for screen in (RichScreen(), PlainScreen()):
        screen.begin("with the guard", 1_200)
        screen.look(shown.guarded.tally, 6.0)
        screen.end()
        assert "stopped" in capsys.readouterr().err


def test_a_claim_says_what_was_seen() -> None:
    """A claim has its text and its verdict."""
    assert Claim("nobody was refused", kept=True)._asdict() == {"text": "nobody was refused", "kept": True}
