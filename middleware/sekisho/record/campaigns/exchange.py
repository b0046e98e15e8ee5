"""Recognises campaigns in the workers: each notes attempts, one of them looks for campaigns, all of them hear of these.

An attempt pays for one entry in a queue. A thread makes its digests, and the look itself runs in a thread too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from sekisho.model import Action, Outcome, StoreUnavailable
from sekisho.record.campaigns.live import LiveState, advance, changes, redated
from sekisho.record.campaigns.traits import HOSTILE, Meaning, observed
from sekisho.record.campaigns.written import pack_attempt, unpack_attempts
from sekisho.record.events import Kind
from sekisho.store.periodic import periodically
from sekisho.store.refusals import refusals_told
from sekisho.store.state_age import StateAge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from sekisho.record.campaigns.live import CampaignChange
    from sekisho.record.campaigns.places import CampaignPlace, HeardCampaigns
    from sekisho.record.events import Event
    from sekisho.record.notes import Note

log = logging.getLogger("sekisho")

EVERY_S: Final = 15.0
"""A campaign is recognised within three of these: it is noted, found, and heard of."""
REFUSED: Final = "the store refuses to share campaigns: %s"

NOTED_MAX: Final = 2_000  # of this process between two exchanges, and as many that were refused; the oldest go
HOSTILE_MAX: Final = 100  # of one door, action and reason in a second: a flood costs no more digests than these
ALL: Final = 1 << 60


def singly(item: Event | Note, /, *, was_flood: bool) -> int:  # noqa: ARG001 - a `Singly`
    """How many events like `item` a worker notes one by one in a second for campaigns: none, some, or all of them."""
    if not isinstance(item, tuple):
        return ALL if item.kind == Kind.STEP_UP_PROVED else 0
    kind, judged, of = item[0], item[3], item[4]
    if kind == Kind.SETTLED:
        # An account that was entered must not be left out: each success has cost the check of a password.
        return ALL if of is Outcome.SUCCEEDED else HOSTILE_MAX
    refused = not isinstance(judged, str) and judged.asked not in {Action.ALLOW, Action.STEP_UP}
    return HOSTILE_MAX if kind == Kind.DECIDED and refused else 0


class CampaignWatch:
    """Notes attempts, and knows the campaigns. Belongs to one process. See `sekisho.record.Output`.

    Args:
        tell: called with each change that this process hears of.
        name: makes a keyed digest of a network.

    Attributes:
        joined: whether it has asked once. What began before was told by the workers of that time: if each worker that
            a deploy starts told it again, the alarm of an entered account would be raised at each deploy.
    """

    unwritable: Final = "%s"  # it never fails
    writable: Final = ""

    def __init__(self, tell: Callable[[CampaignChange], None], name: Callable[[bytes], bytes]) -> None:
        self._tell = tell
        self._name = name
        self.state = LiveState()
        self.joined = False
        self.begin()

    def begin(self) -> None:
        self._noted: deque[bytes] = deque(maxlen=NOTED_MAX)
        self._refused: deque[bytes] = deque(maxlen=NOTED_MAX)

    def write(self, events: list[Event]) -> Iterator[int]:
        for event in events:
            attempt = observed(event)
            if attempt is not None and attempt.meaning is not Meaning.NOTHING:
                noted = self._refused if attempt.meaning is Meaning.REFUSED else self._noted
                noted.append(pack_attempt(attempt, self._name))
        yield len(events)

    def end(self) -> None:
        """Do nothing: `CampaignExchange.aclose` shares what was noted."""

    def take(self) -> list[bytes]:
        """Remove and return the attempts that were noted since the last call, packed as bytes."""
        return [noted.popleft() for noted in (self._noted, self._refused) for _ in range(len(noted))]

    def hear(self, state: LiveState) -> None:
        """Replace the campaigns that this worker knows, and report each change from those before to `tell`.

        A worker that has just begun only logs the campaigns that go on.
        """
        told = changes(self.state, state) if self.joined else []
        for campaign in () if self.joined else state.campaigns:
            log.warning("campaign goes on: %s", campaign.text)
        self.state = state
        for change in told:
            self._tell(change)


class CampaignExchange:
    """Belongs to one event loop.

    Args:
        watch: of this process.
        place: where attempts and campaigns are kept.
        clock_s: a monotonic clock in seconds.
    """

    def __init__(self, watch: CampaignWatch, place: CampaignPlace, clock_s: Callable[[], float]) -> None:
        self._watch = watch
        self._age = StateAge(clock_s)
        self._place = place
        self._known = 0
        self._state = LiveState()

    async def run(self, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Call `once` now, and again every `EVERY_S` seconds, until the task is cancelled.

        `rest` waits so many seconds.
        """
        await periodically(self.once, every_s=EVERY_S, refused=REFUSED, sleep=rest)

    async def once(self) -> None:
        """Share this worker's attempts, hear of the campaigns, and look for new ones where it is this worker's turn.

        Raises `StoreUnavailable`.
        """
        heard = await self._place.exchange(self._watch.take(), self._known)
        self._age.asked(_age_s(heard.state, heard.now_us) if heard.state is not None else None)
        if heard.state is not None:
            self._hear(heard.number, heard.state)
        self._watch.joined = True
        if heard.attempts is None or (heard.seen == self._state.seen and not self._state.campaigns):
            return
        dated = redated(self._state, self._step_us(heard.now_us))
        state = await asyncio.to_thread(_advanced, dated, heard, heard.attempts)
        if state != self._state and await self._place.put(self._known, state):
            self._age.made()
            self._hear(self._known + 1, state)

    async def aclose(self) -> None:
        """Share what was noted since the last exchange, or a deploy would lose the accounts that were entered then."""
        with contextlib.suppress(StoreUnavailable), refusals_told():
            await self._place.exchange(self._watch.take(), self._known)

    def _step_us(self, now_us: int) -> int:
        """By how many microseconds the clock was set since the known state was made; 0 if that does not say when."""
        return self._age.step_s(_age_s(self._state, now_us)) * 1_000_000 if self._state.at_us else 0

    def _hear(self, number: int, state: LiveState) -> None:
        self._known, self._state = number, state
        self._watch.hear(state)


def _age_s(state: LiveState, now_us: int) -> float:
    return (now_us - state.at_us) / 1e6


def _advanced(state: LiveState, heard: HeardCampaigns, kept: Sequence[bytes]) -> LiveState:
    # Together: a network is named by any hostile attempt from it.
    found = unpack_attempts([*kept, *heard.refused])
    attempts = [attempt for attempt in found if attempt.meaning is not Meaning.REFUSED]
    refused = [attempt for attempt in found if attempt.meaning is Meaning.REFUSED]
    if not state.campaigns and not any(attempt.meaning in HOSTILE for attempt in found):
        return LiveState(seen=heard.seen, at_us=heard.now_us, seen_refused=heard.seen_refused)
    return advance(state, attempts, heard.seen, heard.now_us, refused, heard.seen_refused)
