"""The port of the fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.feed.entries import Network


class FrontFault(SekishoError):  # noqa: N818 - a state of the front, not of this program
    """The front did not take a change. The text is for operators."""


class Change(NamedTuple):
    """What is new since the last change that the front took.

    Attributes:
        added: refused networks with the seconds that are left: new ones.
        prolonged: the same, for networks that the front has, with an earlier end.
        removed: networks whose refusal has ended.
        wanted: all that the front is to have after it.
    """

    added: dict[Network, float]
    prolonged: dict[Network, float]
    removed: tuple[Network, ...]
    wanted: dict[Network, float]

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.prolonged or self.removed)


class Front(Protocol):
    """A front. All its methods raise `FrontFault`.

    Attributes:
        forgets: whether the front ends blocks by itself, at the time that it was given.
        every_s: the shortest time between two changes.
    """

    @property
    def forgets(self) -> bool: ...

    @property
    def every_s(self) -> float: ...

    def steps(self, change: Change) -> Sequence[str]:
        """Return what `apply` would send to the front for this change, as text. For `--dry-run`; sends nothing."""
        ...

    async def begin(self) -> None:
        """Set the front up, and remove all its blocks. Called at the start, and again after a fault."""
        ...

    async def apply(self, change: Change) -> None:
        """Make the front add, prolong and remove blocks as the change says. Raises `FrontFault`."""
        ...


def shown(network: Network) -> str:
    """A network as fronts spell it: an IPv4 address alone, an IPv6 network with its length."""
    text = str(network)
    return text.removesuffix("/32") if network.version == 4 else text
