"""Bounded background runs, fair per network and address: nobody's thousand attempts stand before another's one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Lanes:
    def __init__(
        self,
        *,
        running_max: int = 32,
        waiting_max: int = 256,
        per_network_max: int = 32,
        per_address_max: int = 8,
        seconds_max: float = 30,
    ) -> None:
        raise NotImplementedError

    @property
    def occupancy(self) -> float:
        raise NotImplementedError

    async def enter(
        self, network: bytes, address: bytes, run: Callable[[], Coroutine[Any, Any, None]], *, wait_s: float = 10.0
    ) -> bool:
        raise NotImplementedError

    async def aclose(self, seconds: float) -> None:
        raise NotImplementedError
