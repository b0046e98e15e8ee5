"""Campaigns while they run: what the grouping finds in the newest attempts, added up over time. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.record.campaigns.grouping import Campaign, find_in
from sekisho.record.campaigns.traits import HOSTILE, traits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.record.campaigns.traits import Observed

WINDOW_US: Final = 3_600_000_000
"""Older attempts are not grouped. Counts of a campaign go on for as long as it lasts."""

ENDS_US: Final = 1_800_000_000
"""A campaign that was silent for so long has ended. Bots take turns and wait."""

HOLDS_MIN: Final = 5
"""Hostile attempts with its traits in that time, by which a campaign goes on that the grouping alone would not find any
more. Owners at a bot's address mistype passwords too."""

CAMPAIGNS_MAX: Final = 32  # at once; those with the most attempts
TRAITS_KEPT: Final = 16
ACCOUNTS_KEPT: Final = 200  # of those that a campaign entered; more are counted no further


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """A campaign as the workers know it. Numbers are lower bounds: in a flood a worker notes some of its attempts.

    Attributes:
        name, traits: see `Campaign`; the most frequent traits, without their numbers.
        first_us, last_us: of its hostile attempts.
        attempts: hostile ones that were noted.
        addresses, networks, accounts: the most that were seen within an hour.
        entered: digests of accounts that were let in without a proof.
        proved: how many showed one; passwords_known: and of how many others the right password was used.
    """

    name: str
    traits: tuple[str, ...]
    first_us: int
    last_us: int
    attempts: int
    addresses: int
    networks: int
    accounts: int
    entered: tuple[str, ...]
    proved: int
    passwords_known: int

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of traits that the campaign's attempts share, by the alphabet: `device`, `network` and so on."""
        return tuple(sorted({trait.partition(" ")[0] for trait in self.traits}))

    @property
    def text(self) -> str:
        """The campaign's name and numbers, in one line for a log."""
        entered = f"{len(self.entered):,}{' or more' if len(self.entered) == ACCOUNTS_KEPT else ''}"
        return (
            f"{self.name}: {self.attempts:,} attempts at {self.accounts:,} accounts from {self.addresses:,} addresses; "
            f"accounts entered: {entered}, with a second proof: {self.proved:,}, right password without: "
            f"{self.passwords_known:,}"
        )


@dataclass(frozen=True, slots=True)
class LiveState:
    """Attributes:
    campaigns: the one with the most attempts first.
    seen: how many attempts had been noted when this state was made.
    at_us: Unix time, in microseconds, at which this state was made; 0 if an earlier version made it.
    seen_refused: how many of `seen` were refused.
    """

    campaigns: tuple[LiveCampaign, ...] = ()
    seen: int = 0
    at_us: int = field(default=0, compare=False)
    seen_refused: int = 0


class CampaignChange(NamedTuple):
    """Attributes:
    what: `recognised`, `entered` (the first account was), or `ended`.
    campaign: as it is after the change.
    """

    what: str
    campaign: LiveCampaign


def advance(
    state: LiveState,
    attempts: Sequence[Observed],
    seen: int,
    now_us: int,
    refused: Sequence[Observed] = (),
    seen_refused: int = 0,
) -> LiveState:
    """Return the state of all campaigns after new attempts: campaigns that begin, go on, or have ended (left out).

    Args:
        state: the one before.
        attempts: the newest of all workers, as far back as they are kept.
        seen: how many were noted so far, these included.
        now_us: Unix time in microseconds.
        refused: the newest of those that were refused, where these are kept apart.
        seen_refused: how many of them were noted so far.
    """
    # After a clock was set back, attempts from before would be the newest ones until it has caught up.
    kept = sorted([*attempts, *refused], key=_at_us) if refused else attempts
    window = [attempt for attempt in kept if now_us - WINDOW_US <= attempt.at_us <= now_us + ENDS_US]
    others = seen - seen_refused - (state.seen - state.seen_refused)
    fresh = [*_newest(attempts, others), *_newest(refused, seen_refused - state.seen_refused)]
    found = find_in(lambda: window).campaigns
    olds = list(state.campaigns)
    made = []
    for campaign in found:
        old = _taken(olds, campaign)
        made.append(_merged(old, campaign, fresh))
    lately = [each for each in window if each.meaning in HOSTILE and each.at_us >= now_us - ENDS_US] if olds else []
    made += [_held(old, lately, fresh) for old in olds]
    alive = [campaign for campaign in made if campaign.last_us >= now_us - ENDS_US]
    alive.sort(key=lambda campaign: (-campaign.attempts, campaign.name))
    return LiveState(tuple(alive[:CAMPAIGNS_MAX]), seen, now_us, seen_refused)


def _at_us(attempt: Observed) -> int:
    return attempt.at_us


def _newest(attempts: Sequence[Observed], number: int) -> Sequence[Observed]:
    return attempts[-number:] if number > 0 else ()


def redated(state: LiveState, by_us: int) -> LiveState:
    """Return the state as if its clock had been set by so many microseconds before: campaigns have been silent as long.

    Otherwise each would last until a clock that was set back has caught up, and end where it was set forward.
    """
    if not by_us:
        return state
    moved = (replace(one, first_us=one.first_us + by_us, last_us=one.last_us + by_us) for one in state.campaigns)
    return replace(state, campaigns=tuple(moved), at_us=state.at_us + by_us)


def _taken(olds: list[LiveCampaign], campaign: Campaign) -> LiveCampaign | None:
    """The known campaign that this one continues; it is removed. Its most frequent trait may be another meanwhile."""
    mine = {trait for trait, _times in campaign.traits}
    shared, at = max(((len(mine.intersection(old.traits)), -at) for at, old in enumerate(olds)), default=(0, 0))
    return olds.pop(-at) if shared else None


def _merged(old: LiveCampaign | None, found: Campaign, fresh: Sequence[Observed]) -> LiveCampaign:
    kept = tuple(trait for trait, _times in found.traits[:TRAITS_KEPT])
    entered = tuple(entry.account for entry in found.entered)
    new = LiveCampaign(
        found.name,
        kept,
        found.first_us,
        found.last_us,
        found.attempts,
        found.addresses,
        found.networks,
        found.accounts,
        entered[:ACCOUNTS_KEPT],
        len(found.proved),
        len(found.passwords_known),
    )
    if old is None:
        return new
    more = len(_of({trait for trait, _times in found.traits}, fresh))
    return replace(
        new,
        name=old.name,
        first_us=min(old.first_us, new.first_us),
        last_us=max(old.last_us, new.last_us),
        attempts=max(old.attempts + more, new.attempts),
        addresses=max(old.addresses, new.addresses),
        networks=max(old.networks, new.networks),
        accounts=max(old.accounts, new.accounts),
        entered=tuple(dict.fromkeys((*old.entered, *new.entered)))[:ACCOUNTS_KEPT],
        proved=max(old.proved, new.proved),
        passwords_known=max(old.passwords_known, new.passwords_known),
    )


def _held(old: LiveCampaign, lately: Sequence[Observed], fresh: Sequence[Observed]) -> LiveCampaign:
    """A known campaign that the grouping has not found again."""
    mine = set(old.traits)
    held = _of(mine, lately)
    if len(held) < HOLDS_MIN:
        return old
    last_us = max(old.last_us, *(attempt.at_us for attempt in held))
    return replace(old, last_us=last_us, attempts=old.attempts + len(_of(mine, fresh)))


def _of(mine: set[str], attempts: Sequence[Observed]) -> list[Observed]:
    """The hostile ones among attempts that have one of these traits."""
    return [each for each in attempts if each.meaning in HOSTILE and not mine.isdisjoint(traits(each))]


def changes(before: LiveState, after: LiveState) -> list[CampaignChange]:
    """The changes from one state to the next: campaigns that are new, entered their first account, or have ended."""
    old = {campaign.name: campaign for campaign in before.campaigns}
    new = {campaign.name: campaign for campaign in after.campaigns}
    told = [CampaignChange("recognised", campaign) for name, campaign in new.items() if name not in old]
    told += [
        CampaignChange("entered", campaign)
        for name, campaign in new.items()
        if campaign.entered and not (name in old and old[name].entered)
    ]
    return [*told, *(CampaignChange("ended", campaign) for name, campaign in old.items() if name not in new)]
