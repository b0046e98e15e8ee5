"""Campaigns in the laboratory: an attack is recognised within a minute and told of once; a crowd of owners is none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sekisho.cli.guards import guard
from sekisho.record.campaigns.live import CampaignChange, LiveState, advance, changes
from sekisho.record.campaigns.traits import HOSTILE, Observed, observed
from sekisho.record.lines import decode
from sekisho.simulate.laboratory import packaged, read_scenario, simulate
from sekisho.simulate.laboratory.policy import policies

if TYPE_CHECKING:
    from pathlib import Path

STEP_US = 15_000_000  # between two looks of the workers
BEGINS_S = 1_751_328_000  # 1 July 2025: when simulated time begins
HORIZON_US = 3 * 3_600_000_000


def played(scenario: str, scale: float, path: Path) -> list[Observed]:
    """The attempts that workers note while a scenario is played, in order of time, from the end of its history on."""
    policy = policies()["default"]
    audited = policy._replace(settings={**policy.settings, "audit": f"file:{path}", "audit_address": "prefix"})
    planned = read_scenario(scenario, packaged()[scenario]).scaled(scale)
    simulate(planned, partial(guard, audited), seed=1, has_factors=audited.has_factors)
    begins_us = int((BEGINS_S + planned.owners.history_days * 86_400) * 1e6)
    events = (decode(line) for line in path.read_bytes().splitlines())
    found = [attempt for event in events if event is not None and (attempt := observed(event)) is not None]
    return sorted((each for each in found if each.at_us >= begins_us), key=lambda attempt: attempt.at_us)


def told(attempts: list[Observed], until_us: int) -> list[tuple[int, CampaignChange]]:
    """The changes that workers tell of, with their times."""
    state, found, seen = LiveState(), list[tuple[int, CampaignChange]](), 0
    for now_us in range(attempts[0].at_us, until_us, STEP_US):
        before = seen
        while seen < len(attempts) and attempts[seen].at_us <= now_us:
            seen += 1
        if seen > before or state.campaigns:
            after = advance(state, attempts[max(0, seen - 6_000) : seen], seen, now_us)
            found += [(now_us, change) for change in changes(state, after)]
            state = after
    return found


def test_a_list_from_eighty_addresses_is_recognised_within_a_minute(tmp_path: Path) -> None:
    """7pay, at a tenth of the laboratory's size: at the twentieth hostile attempt, once, while it goes on for hours."""
    attempts = played("7pay", 0.1, tmp_path / "audit.jsonl")
    hostile = [attempt.at_us for attempt in attempts if attempt.meaning in HOSTILE]
    found = told(attempts, hostile[0] + HORIZON_US)
    (at_us, recognised) = found[0]
    assert recognised.what == "recognised"
    assert [change.what for _at_us, change in found].count("recognised") == 1
    twentieth_us = sorted(each for each in hostile if each >= recognised.campaign.first_us)[19]
    assert at_us - twentieth_us <= 60_000_000


def test_a_company_at_nine_is_no_campaign(tmp_path: Path) -> None:
    """Hundreds of owners behind one address, of whom many mistype their password."""
    attempts = played("proxy-at-nine", 0.2, tmp_path / "audit.jsonl")
    assert sum(attempt.meaning in HOSTILE for attempt in attempts) > 100
    assert told(attempts, attempts[-1].at_us) == []
