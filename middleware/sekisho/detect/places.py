"""Where workers share strangers' outcomes and the state of the posture: in the store, or in a single process."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sekisho.detect.written import DAY_BITS, day_bit, encode_state, pack_outcome, unpack_outcome
from sekisho.judge.posture import DAY_S, PostureState
from sekisho.model.posture import ProofCounts, StrangerOutcome, ToldOutcome
from sekisho.store.shared_state import SharedState, with_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.detect.written import PostureMac
    from sekisho.store import AnyStoreConnection

KEPT_MS: Final = 30 * 86_400_000
COUNTS_HALF_S: Final = 30
NO_COUNTS: Final = ProofCounts()
OUTCOMES_MAX: Final = 4_096  # that wait for the next second; the oldest go
FORGED: Final = (
    "the posture in the store is ignored, and estimated anew: it is not signed with SEKISHO_SECRET for this "
    "SEKISHO_NAMESPACE. Another party writes to the store, or the secret was replaced [SEK041]"
)


class HeardPosture(NamedTuple):
    """The answer to an exchange.

    Attributes:
        now_s: Unix time, by the clock that all workers share.
        number: of the state that is kept; 0 for none.
        state: the one that is kept; None where the caller knows it already.
        outcomes: of all workers, for the caller to advance the state; None where another worker does it, or where
            there is nothing to do.
        counts: of all workers, of which half is forgotten every `COUNTS_HALF_S`.
    """

    now_s: int
    number: int
    state: PostureState | None
    outcomes: tuple[StrangerOutcome, ...] | None
    counts: ProofCounts = NO_COUNTS


class Postures(Protocol):
    """Keeps the state. Every method raises `StoreUnavailable`."""

    async def exchange(
        self,
        outcomes: Sequence[StrangerOutcome],
        known: int,
        *,
        is_raised: bool = False,
        counts: ProofCounts = NO_COUNTS,
    ) -> HeardPosture:
        """Add outcomes, and return the state if its number is not `known`, and outcomes if it is the caller's turn.

        Args:
            outcomes: of this process.
            known: the number of the state that the caller knows.
            is_raised: whether that state is raised, so that it may change by time alone.
            counts: of this process, since its last exchange.
        """
        ...

    async def put(self, number: int, state: PostureState) -> bool:
        """Keep this state as the one after `number`. Returns False, and keeps nothing, if another came after it."""
        ...


class StoredPostures:
    """In Redis. All keys have one hash tag, so that one script may use them on a Cluster.

    Args:
        doors: the names of all doors, in the order of the settings.
        mac: signs the state.
    """

    def __init__(self, line: AnyStoreConnection, namespace: str, doors: Sequence[str], mac: PostureMac) -> None:
        self._line = line
        self._doors = tuple(doors)
        self._at = f"{namespace}:{{posture}}".encode()
        self._state = SharedState(
            line,
            self._at + b"state",
            kept_ms=KEPT_MS,
            empty=PostureState(),
            sign=lambda state: mac.sign(encode_state(state)),
            opened=mac.opened,
            forged=FORGED,
        )
        self._script = with_turn(resources.files(__package__) / "postures.lua")
        self._day = 0

    async def exchange(
        self,
        outcomes: Sequence[StrangerOutcome],
        known: int,
        *,
        is_raised: bool = False,
        counts: ProofCounts = NO_COUNTS,
    ) -> HeardPosture:
        pairs = [part for one in outcomes for part in (pack_outcome(one, self._doors), b"%d" % day_bit(one.account))]
        # The day of the last exchange: the script may use only keys that it is given.
        names = b"outcomes", b"turn", b"day%d" % self._day, b"proofs"
        keys = self._state.key, *[self._at + name for name in names]
        numbers = [b"%d" % each for each in (known, is_raised, *counts)]
        now, found, text, taken, *sums = await self._line.execute(
            b"EVAL", self._script, b"%d" % len(keys), *keys, *numbers, *pairs
        )
        now_s, number = int(now), int(found)
        self._day = now_s // DAY_S
        state = self._state.read(text) if number != known else None
        outcomes_of_all = None if taken is None else self._unpacked(taken)
        return HeardPosture(now_s, number, state, outcomes_of_all, ProofCounts(*map(float, sums)))

    async def kept(self) -> PostureState:
        """Return the posture's state from the store; an empty state where none is kept. Raises `StoreUnavailable`."""
        return await self._state.kept()

    def _unpacked(self, taken: Sequence[bytes]) -> tuple[StrangerOutcome, ...]:
        found = [unpack_outcome(packed, self._doors) for packed in taken]
        return tuple(one for one in found if one is not None)

    async def put(self, number: int, state: PostureState) -> bool:
        return await self._state.put(number, state)


class MemoryPostures:
    """In this process."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._day = 0
        self._succeeded = bytearray()
        self._number = 0
        self._state = PostureState()
        self._counts = NO_COUNTS
        self._counted_s = 0.0

    def as_json(self) -> bytes:
        """Return the state, for an operator."""
        return encode_state(self._state)

    async def exchange(
        self,
        outcomes: Sequence[StrangerOutcome],
        known: int,
        *,
        is_raised: bool = False,
        counts: ProofCounts = NO_COUNTS,
    ) -> HeardPosture:
        now_s = int(self._clock_s())
        if now_s // DAY_S != self._day or not self._succeeded:
            self._day, self._succeeded = now_s // DAY_S, bytearray(DAY_BITS // 8)
        taken = tuple(found for one in outcomes if (found := self._once_a_day(one)) is not None)[-OUTCOMES_MAX:]
        state = self._state if known != self._number else None
        return HeardPosture(now_s, self._number, state, taken if taken or is_raised else None, self._counted(counts))

    def _counted(self, counts: ProofCounts) -> ProofCounts:
        now_s = self._clock_s()
        left = 0.5 ** (max(0.0, now_s - self._counted_s) / COUNTS_HALF_S)
        self._counted_s = now_s
        self._counts = ProofCounts(
            self._counts.sealed * left + counts.sealed, self._counts.proved * left + counts.proved
        )
        return self._counts

    def _once_a_day(self, outcome: StrangerOutcome) -> StrangerOutcome | None:
        if outcome.told in {ToldOutcome.FAILED, ToldOutcome.WITHDRAWN}:
            return outcome
        byte, bit = divmod(day_bit(outcome.account), 8)
        if not self._succeeded[byte] >> bit & 1:
            self._succeeded[byte] |= 1 << bit
            return outcome
        return outcome._replace(told=ToldOutcome.WITHDRAWN) if outcome.told is ToldOutcome.PROVED else None

    async def put(self, number: int, state: PostureState) -> bool:
        if number != self._number:
            return False
        self._number, self._state = number + 1, state
        return True
