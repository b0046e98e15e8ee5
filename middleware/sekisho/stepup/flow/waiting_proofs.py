"""Proofs that wait: for the fixed time at which a wrong proof is answered, or for the end of a run; and looks at the
owner's page, which wait for its database.

Each holds a request and its connection, but no place of a run. They are bounded per network and address, so that a
thousand proofs of one client do not keep another's from being checked.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Iterator

TOTAL_MAX: Final = 4_096
PER_NETWORK_MAX: Final = 64
PER_ADDRESS_MAX: Final = 16


class TooManyWaiting(SekishoError):  # noqa: N818 - a state, not a mistake
    """As many proofs of this address, of its network or of all together wait as may. Answer 503."""


class WaitingProofs:
    """Counts the proofs that wait. Belongs to one event loop. Clients without a waiting proof have no entry."""

    def __init__(
        self,
        *,
        total_max: int = TOTAL_MAX,
        per_network_max: int = PER_NETWORK_MAX,
    ) -> None:
        self._total_max = total_max
        self._per_network_max = per_network_max
        self._total = 0
        self._each: Counter[tuple[bytes, ...]] = Counter()

    @property
    def total(self) -> int:
        return self._total

    @contextmanager
    def place(self, network: bytes, address: bytes) -> Iterator[None]:
        """A context that counts one proof as waiting. Raises `TooManyWaiting` if a limit is reached."""
        whole, part = (network,), (network, address)
        if (
            self._total >= self._total_max
            or self._each[whole] >= self._per_network_max
            or self._each[part] >= PER_ADDRESS_MAX
        ):
            raise TooManyWaiting
        self._add(1, whole, part)
        try:
            yield
        finally:
            self._add(-1, whole, part)

    def _add(self, number: int, *keys: tuple[bytes, ...]) -> None:
        self._total += number
        for key in keys:
            self._each[key] += number
            if not self._each[key]:
                del self._each[key]
