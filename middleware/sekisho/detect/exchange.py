"""Shares strangers' outcomes between workers, and their posture, once a second. No attempt waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from redis.exceptions import ResponseError

from sekisho.crypto.record_mac import RecordMac
from sekisho.detect.written import decode_state, encode_state
from sekisho.judge.posture import PostureState, advance
from sekisho.model import StoreUnavailable
from sekisho.store.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.detect.places import Heard, Postures
    from sekisho.detect.watch import PostureWatch

log = logging.getLogger("sekisho")

EVERY_S: Final = 1.0
STATE_BYTES_MAX: Final = 1 << 20
FORGED: Final = (
    "the posture in the store is ignored, and estimated anew: it is not signed with SEKISHO_SECRET for this "
    "SEKISHO_NAMESPACE. Another party writes to the store, or the secret was replaced [SEK041]"
)


class PostureMac(RecordMac):
    """See `RecordMac`. An attacker with write access to the store must not be able to call an attack calm."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.posture", person=b"posture")

    def opened(self, signed: bytes) -> PostureState | None:
        """The state in these bytes; None if they are not by this service, or no state of this version."""
        payload = self.verified(signed) if len(signed) <= STATE_BYTES_MAX else None
        if payload is not None:
            with contextlib.suppress(ValueError):
                return decode_state(payload)
        return None


class PostureExchange:
    """Belongs to one event loop.

    In each second one worker takes the outcomes of all and advances the state; all of them hear it within the next. A
    worker that ends in between takes the outcomes of one second with it.

    Args:
        watch: of this process.
        postures: where the state is kept.
        mac: signs it.
    """

    def __init__(self, watch: PostureWatch, postures: Postures, mac: PostureMac) -> None:
        self._watch = watch
        self._postures = postures
        self._mac = mac
        self._known = 0
        self._state = PostureState()
        self._said: set[str] = set()

    async def run(self, every_s: float = EVERY_S, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Exchange now, and again every so many seconds, until it is cancelled."""
        while True:
            try:
                # What was taken for a call without an answer is lost: it may have been counted.
                with contextlib.suppress(StoreUnavailable):
                    await self.once()
            except ResponseError as error:
                self._say("the store refuses to share the posture: " + explained(error))
            await sleep(every_s)

    async def once(self) -> None:
        """Exchange once. Raises `StoreUnavailable`."""
        heard = await self._postures.exchange(self._watch.take(), self._known)
        self._hear(heard)
        # A raised posture may end by time alone.
        if heard.outcomes or (heard.outcomes is not None and self._state.is_raised):
            state = advance(self._state, heard.outcomes, heard.now_s)
            await self._postures.put(heard.number, self._mac.sign(encode_state(state)))

    def _hear(self, heard: Heard) -> None:
        if heard.number == self._known:
            return
        self._known = heard.number
        self._state = self._opened(heard.text)
        self._watch.hear(self._state)

    def _opened(self, text: bytes) -> PostureState:
        """The state; an empty one where none is kept."""
        found = self._mac.opened(text) if text else PostureState()
        if found is None:
            self._say(FORGED)
        return found or PostureState()

    def _say(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            log.error("%s", problem)
