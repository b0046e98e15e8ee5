"""The posture: how far strangers' failed log-ins look like an attack, and the outcomes that it is estimated from."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, NamedTuple, final

from sekisho.model.value import Value

NO_BROWSER: Final = 255
"""Stands for a browser family that is not known to be the one of the attempt."""


class Posture(IntEnum):
    """Ordered: a higher posture asks at least as much of strangers."""

    CALM = 0
    ELEVATED = 1
    ATTACK = 2

    @property
    def word(self) -> str:
        return self.name.lower()


class Nearby(IntEnum):
    """What a raised posture knows of failures in the network of a log-in."""

    UNASKED = 0  # the posture is calm, or an operator forces one: the network decides nothing
    LOUD = 1
    QUIET = 2


class AskedFrom(NamedTuple):
    """From which postures on strangers are asked for a factor at log-ins: 0: in all, above `Posture.ATTACK`: in none.

    Attributes:
        strangers: the lowest in which they are asked.
        familiar: the lowest in which familiar ones are asked too.
        own_network: familiar ones are spared all the same while their own network is quiet, and familiar devices that
            were seen in any network.
    """

    strangers: int = 0
    familiar: int = 0
    own_network: bool = False


class ToldOutcome(Enum):
    """What an outcome tells the estimator.

    A sealed attempt counts as `FAILED`, right or wrong. Otherwise the posture would show whether a guess was
    right that nobody has proved.
    """

    FAILED = "f"
    SUCCEEDED = "s"
    NEW_SUCCEEDED = "n"  # of an account whose first success is not a week old
    PROVED = "p"  # a proof for an attempt that was counted as FAILED
    WITHDRAWN = "w"  # the same, of an account that has counted as a success today


class ProofCounts(NamedTuple):
    """Attributes:
    sealed: sealed attempts that have become half a minute old.
    proved: proofs that clients have shown for such attempts.
    """

    sealed: float = 0
    proved: float = 0


@final
class StrangerOutcome(Value):
    """The outcome of one stranger's attempt.

    Attributes:
        door: the door's name.
        told: what it tells.
        network: the first 4 bytes of the keyed digest of the narrowest network.
        browser: the browser family; see `devices.token.browser_family`. `NO_BROWSER`: none counts it.
        account: the first 4 bytes of the account's keyed digest.
        provider: as `network`, of an IPv6 address's /32; empty for IPv4.
    """

    __slots__ = ("account", "browser", "door", "network", "provider", "told")

    def __init__(
        self, door: str, told: ToldOutcome, network: bytes, browser: int, account: bytes, provider: bytes = b""
    ) -> None:
        self.door: Final = door
        self.told: Final = told
        self.network: Final = network
        self.browser: Final = browser
        self.account: Final = account
        self.provider: Final = provider
