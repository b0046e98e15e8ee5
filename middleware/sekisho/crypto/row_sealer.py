"""Seals the rows of a database: a reader of the table learns nothing, and a writer can move no row to another place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sekisho.crypto.seal import Sealer, Unsealable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer


class RowSealer:
    """Seals and opens the content of one table's rows, as JSON.

    Args:
        secrets: the service's, newest first.
        purpose: of this table; see `Sealer.seal`.
        clock_s: Unix time.
        earlier: the purposes of rows that earlier versions wrote.
    """

    def __init__(
        self,
        secrets: Sequence[bytes | Signer],
        purpose: bytes,
        *,
        clock_s: Callable[[], float],
        earlier: tuple[bytes, ...] = (),
    ) -> None:
        self._sealer = Sealer(secrets, clock_s=clock_s)
        self._purpose = purpose
        self._readable = (purpose, *earlier)

    def seal(self, content: Sequence[Any], *, bound_to: bytes) -> bytes:
        """The sealed content, which opens in the row to which it is bound."""
        return self._sealer.seal(self._purpose, json.dumps(content).encode(), bound_to=bound_to)

    def open(self, sealed: bytes, *, bound_to: bytes) -> list[Any] | None:
        """The content; None if another service wrote the row, or a secret that is off the list sealed it."""
        for purpose in self._readable:
            try:
                content: list[Any] = json.loads(self._sealer.open(purpose, sealed, bound_to=bound_to))
            except Unsealable:
                continue
            return content
        return None

    def needs_rewrap(self, sealed: bytes) -> bool:
        """Whether another secret than the current one sealed the row. It may not open at all."""
        return self._sealer.needs_rewrap(sealed)
