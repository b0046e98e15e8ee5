"""What the lines of the audit tell, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from sekisho.model import Action, Device
    from sekisho.record import Event
    from sekisho.record.counted import Counted


class Attempted(NamedTuple):
    """Attributes:
    key: the same in all lines of this attempt.
    at_us: Unix time in microseconds.
    door: its name.
    action: the decision.
    reasons: why, where a line of the decision says it.
    device: the class by which it was judged.
    account, address, fingerprint: digests of 16 bytes, or empty; see `Subject`.
    counted: how the counters stood.
    """

    key: str
    at_us: int
    door: str
    action: Action
    reasons: tuple[str, ...]
    device: Device
    account: str
    address: str
    fingerprint: str
    counted: Counted


class Settled(NamedTuple):
    """Attributes:
    key: of its attempt.
    at_us: Unix time in microseconds.
    result: `succeeded`, `failed` or `unknown`.
    is_withheld: a proof was asked for before the answer was handed over.
    """

    key: str
    at_us: int
    result: str
    is_withheld: bool


class Proved(NamedTuple):
    """The owner of an account has shown a second proof."""

    at_us: int
    account: str


Item: TypeAlias = Attempted | Settled | Proved
Line: TypeAlias = "tuple[Event, Counted | None]"
"""An event, and what the counters were asked; None where its line does not say."""
