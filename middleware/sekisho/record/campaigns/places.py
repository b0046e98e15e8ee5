"""Where workers share the attempts that they noted, and the campaigns found in them: the store, or one process."""

from __future__ import annotations

from collections import deque
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sekisho.record.campaigns.live import LiveState
from sekisho.record.campaigns.written import encode_state, is_refused
from sekisho.store.shared_state import SharedState, with_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.record.campaigns.written import CampaignsMac
    from sekisho.store import AnyStoreConnection

TURN_MS: Final = 13_500  # a little less than between two exchanges, or the next would come too early
KEPT_MS: Final = 2 * 86_400_000
KEPT_MAX: Final = 4_000  # attempts of all workers, some 0.4 MB
REFUSED_MAX: Final = 2_000
"""And of those that were refused. They cost a bot nothing: it must not push out the others. All are grouped in 0.3 s.
"""
FORGED: Final = (
    "the campaigns in the store are ignored, and looked for anew: they are not signed with SEKISHO_SECRET for this "
    "SEKISHO_NAMESPACE. Another party writes to the store, or the secret was replaced [SEK041]"
)


class HeardCampaigns(NamedTuple):
    """The answer to an exchange.

    Attributes:
        now_us: Unix time, by the clock that all workers share.
        number: of the state that is kept; 0 for none.
        state: the one that is kept; None where the caller knows it already.
        seen: how many attempts all workers have noted so far.
        attempts: those that are kept, for the caller to look for campaigns; None where another worker does.
        seen_refused: how many of all were refused.
        refused: those of them that are kept.
    """

    now_us: int
    number: int
    state: LiveState | None
    seen: int
    attempts: tuple[bytes, ...] | None
    seen_refused: int = 0
    refused: tuple[bytes, ...] = ()


class CampaignPlace(Protocol):
    """Keeps the state. Every method raises `StoreUnavailable`."""

    async def exchange(self, attempts: Sequence[bytes], known: int) -> HeardCampaigns:
        """Add this worker's attempts to those of all workers, and return what is kept.

        `known`: the number of the state that the caller knows; that state is not sent again.
        """
        ...

    async def put(self, number: int, state: LiveState) -> bool:
        """Keep `state` as the successor of state `number`.

        Returns False, and keeps nothing, if another worker was first.
        """
        ...


class StoredCampaigns:
    """In Redis. All keys have one hash tag, so that one script may use them on a Cluster.

    `mac`: signs the state.
    """

    def __init__(self, line: AnyStoreConnection, namespace: str, mac: CampaignsMac) -> None:
        self._line = line
        self._at = f"{namespace}:{{campaigns}}".encode()
        self._state = SharedState(
            line,
            self._at + b"state",
            kept_ms=KEPT_MS,
            empty=LiveState(),
            sign=lambda state: mac.sign(encode_state(state)),
            opened=mac.opened,
            forged=FORGED,
        )
        self._script = with_turn(resources.files(__package__) / "campaigns.lua")

    async def exchange(self, attempts: Sequence[bytes], known: int) -> HeardCampaigns:
        keys = self._state.key, self._at + b"attempts", self._at + b"turn", self._at + b"refused"
        now, found, text, seen, taken, times, refused = await self._line.execute(
            b"EVAL", self._script, b"4", *keys, b"%d" % known, b"%d" % TURN_MS, *attempts
        )
        number, kept = int(found), None if taken is None else tuple(taken)
        state = self._state.read(text) if number != known else None
        return HeardCampaigns(int(now), number, state, int(seen), kept, int(times), tuple(refused))

    async def kept(self) -> LiveState:
        """Read the campaigns' state from the store; an empty state where there is none. Raises `StoreUnavailable`."""
        return await self._state.kept()

    async def put(self, number: int, state: LiveState) -> bool:
        return await self._state.put(number, state)


class MemoryCampaigns:
    """In this process. `clock_us`: Unix time in microseconds."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._attempts: deque[bytes] = deque(maxlen=KEPT_MAX)
        self._refused: deque[bytes] = deque(maxlen=REFUSED_MAX)
        self._seen = self._seen_refused = self._number = 0
        self._state = LiveState()

    def as_json(self) -> bytes:
        """Return the state, for an operator."""
        return encode_state(self._state)

    async def exchange(self, attempts: Sequence[bytes], known: int) -> HeardCampaigns:
        refused = [attempt for attempt in attempts if is_refused(attempt)]
        self._attempts.extend(attempt for attempt in attempts if not is_refused(attempt))
        self._refused.extend(refused)
        self._seen += len(attempts)
        self._seen_refused += len(refused)
        state, kept = self._state if known != self._number else None, (tuple(self._attempts), tuple(self._refused))
        return HeardCampaigns(
            self._clock_us(), self._number, state, self._seen, kept[0], self._seen_refused, kept[1]
        )  # fmt: skip

    async def put(self, number: int, state: LiveState) -> bool:
        if number != self._number:
            return False
        self._number, self._state = number + 1, state
        return True
