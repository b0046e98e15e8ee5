"""What an event says of an attempt: whether it was hostile, and what it shares with others."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.record.events import WITHHELD, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.record.events import Event

TRAITS: Final = ("secret", "software", "network", "device", "address")
"""Fields of a subject by which attempts are grouped, the widest first."""

_UNPROVED: Final = frozenset({"stranger", "seen"})
_REFUSED: Final = frozenset({"challenge", "throttle", "deny"})


class Meaning(Enum):
    """What an event means for campaigns."""

    NOTHING = 0
    REFUSED = 1  # a stranger was refused, or asked for work
    FAILED = 2  # a stranger's secret was wrong
    ENTERED = 3  # a device without a proof was let in
    PROVED = 4  # a second proof was shown
    RIGHT = 5  # the secret was right, and a proof was asked for before anything was opened


HOSTILE: Final = frozenset({Meaning.REFUSED, Meaning.FAILED})


class Observed(NamedTuple):
    """An attempt as campaigns see it. Digests are in hex; a field that is not known is empty.

    Attributes:
        at_us: Unix time in microseconds.
        meaning: what became of the attempt.
        account, address, network, device: see `Subject`; a device is the headers within one network.
        software: the headers alone.
        secret: of one that was tried at many accounts lately.
        summed: for how many successes that name no account it stands.
    """

    at_us: int
    meaning: Meaning
    account: str = ""
    address: str = ""
    network: str = ""
    device: str = ""
    software: str = ""
    secret: str = ""
    summed: int = 0


def observed(event: Event) -> Observed | None:
    """Return what campaigns need of an event that tells of an attempt; None for an event that tells of none."""
    summed = event.times if event.times > 1 and event.result == "succeeded" else 0
    what, subject = meaning(event), event.subject
    if what is Meaning.NOTHING and not summed:
        return None
    return Observed(
        event.at_us,
        what,
        subject.account,
        subject.address,
        subject.network,
        subject.device,
        subject.software,
        subject.secret,
        summed,
    )


def meaning(event: Event) -> Meaning:
    """Return what an event means for campaigns. One of a known device is never hostile: owners forget passwords."""
    device_class = event.subject.device_class
    if event.kind == Kind.SETTLED and device_class in _UNPROVED:
        if event.result == "succeeded":
            return Meaning.RIGHT if WITHHELD in event.reasons else Meaning.ENTERED
        is_wrong = event.result == "failed" and device_class == "stranger"
        return Meaning.FAILED if is_wrong else Meaning.NOTHING
    if event.kind == Kind.DECIDED and device_class == "stranger" and event.mode == "enforce":
        return Meaning.REFUSED if event.action in _REFUSED else Meaning.NOTHING
    return Meaning.PROVED if event.kind == Kind.STEP_UP_PROVED else Meaning.NOTHING


def traits(attempt: Observed) -> Iterator[str]:
    """Yield what an attempt may share with others, such as `network 203.0.113.0/24`, the widest first.

    A sum has none.
    """
    for name in TRAITS:
        if text := getattr(attempt, name):
            yield f"{name} {text}"
