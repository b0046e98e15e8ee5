"""Where workers share the attempts that they noted, and the campaigns found in them: the store, or one process."""

from __future__ import annotations

import logging
from collections import deque
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sekisho.record.campaigns.live import LiveState
from sekisho.record.campaigns.written import encode_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.record.campaigns.written import CampaignsMac
    from sekisho.store import AnyStoreConnection

log = logging.getLogger("sekisho")

TURN_MS: Final = 13_500  # a little less than between two exchanges, or the next would come too early
KEPT_MAX: Final = 6_000  # attempts of all workers, some 0.6 MB; they are grouped in 0.3 s
FORGED: Final = (
    "the campaigns in the store are ignored, and looked for anew: they are not signed with SEKISHO_SECRET for this "
    "SEKISHO_NAMESPACE. Another party writes to the store, or the secret was replaced [SEK041]"
)

# Another worker may have put a newer state meanwhile; then this one's is not written.
_PUT: Final = b"""
if (redis.call('HGET', KEYS[1], 'number') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'number', ARGV[2], 'text', ARGV[3])
redis.call('PEXPIRE', KEYS[1], 2 * 86400000)
return 1
"""


class Heard(NamedTuple):
    """The answer to an exchange.

    Attributes:
        now_us: Unix time, by the clock that all workers share.
        number: of the state that is kept; 0 for none.
        state: the one that is kept; None where the caller knows it already.
        seen: how many attempts all workers have noted so far.
        attempts: those that are kept, for the caller to look for campaigns; None where another worker does.
    """

    now_us: int
    number: int
    state: LiveState | None
    seen: int
    attempts: tuple[bytes, ...] | None


class CampaignPlace(Protocol):
    """Keeps the state. Every method raises `StoreUnavailable`."""

    async def exchange(self, attempts: Sequence[bytes], known: int) -> Heard:
        """Add attempts, and hear of the state if its number is not `known`."""
        ...

    async def put(self, number: int, state: LiveState) -> bool:
        """Keep this state as the one after `number`, unless that is not the newest any more: then False."""
        ...


class StoredCampaigns:
    """In Redis. All keys have one hash tag, so that one script may use them on a Cluster.

    `mac`: signs the state.
    """

    def __init__(self, line: AnyStoreConnection, namespace: str, mac: CampaignsMac) -> None:
        self._line = line
        self._mac = mac
        self._forged_said = False
        self._at = f"{namespace}:{{campaigns}}".encode()
        self._script = resources.files(__package__).joinpath("campaigns.lua").read_bytes()

    async def exchange(self, attempts: Sequence[bytes], known: int) -> Heard:
        keys = self._at + b"state", self._at + b"attempts", self._at + b"turn"
        now, found, text, seen, taken = await self._line.execute(
            b"EVAL", self._script, b"3", *keys, b"%d" % known, b"%d" % TURN_MS, *attempts
        )
        number = int(found)
        state = self._opened(text) if number != known else None
        return Heard(int(now), number, state, int(seen), None if taken is None else tuple(taken))

    async def kept(self) -> LiveState:
        """The state that is kept; an empty one where there is none. Raises `StoreUnavailable`."""
        return self._opened(await self._line.execute(b"HGET", self._at + b"state", b"text") or b"")

    async def put(self, number: int, state: LiveState) -> bool:
        text, numbers = self._mac.sign(encode_state(state)), (b"%d" % number, b"%d" % (number + 1))
        return bool(await self._line.execute(b"EVAL", _PUT, b"1", self._at + b"state", *numbers, text))

    def _opened(self, text: bytes) -> LiveState:
        found = self._mac.opened(text) if text else LiveState()
        if found is None and not self._forged_said:
            self._forged_said = True
            log.error("%s", FORGED)
        return found or LiveState()


class MemoryCampaigns:
    """In this process. `clock_us`: Unix time in microseconds."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._attempts: deque[bytes] = deque(maxlen=KEPT_MAX)
        self._seen = self._number = 0
        self._state = LiveState()

    async def exchange(self, attempts: Sequence[bytes], known: int) -> Heard:
        self._attempts.extend(attempts)
        self._seen += len(attempts)
        state = self._state if known != self._number else None
        return Heard(self._clock_us(), self._number, state, self._seen, tuple(self._attempts))

    async def put(self, number: int, state: LiveState) -> bool:
        if number != self._number:
            return False
        self._number, self._state = number + 1, state
        return True
