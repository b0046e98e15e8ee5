"""Signals: all that was observed about one attempt, and the policy it is held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, final

from sekisho.model.breach import UNKNOWN, Exposure
from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.model.count import Verdict


class Device(IntEnum):
    """How well a browser or app is known at the account it tries, by a verified token."""

    STRANGER = 0
    SEEN = 1  # a password alone was right here before: a lane of its own, nothing else
    PROVED = 2  # a factor was shown: others' doings never throttle, challenge or hinder it


@final
class Signals(Value):
    """Attributes:
    verdict: what the counters say.
    device: what its token says; a token over its own budget, or renewed since, makes a stranger.
    denied: the address is on the deny list.
    exposure: what leaks tell of the secret, right or wrong.
    worked: the work that can be asked for was done for this very attempt.
    """

    __slots__ = ("denied", "device", "exposure", "verdict", "worked")

    def __init__(
        self,
        verdict: Verdict,
        device: Device = Device.STRANGER,
        denied: bool = False,
        exposure: Exposure = UNKNOWN,
        worked: bool = False,
    ) -> None:
        self.verdict: Final = verdict
        self.device: Final = device
        self.denied: Final = denied
        self.exposure: Final = exposure
        self.worked: Final = worked


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts as too much, and what can be asked for instead of refusing.

    Attributes:
        account_failures_max: failures since a factor was last shown, after which a password alone is not enough.
        accounts_per_ip_max, …: different ones within the hour, from which a stranger must do more. At most the
            ledger's caps (16; 8 addresses an account), where a set reads *that many or more*.
        prevalence_min: the class from which a password counts as breached; see `prevalence`.
        work: there is a challenge that can be asked for (proof of work, a captcha).
        factors: there is a factor that can be asked for.
        refuse_without_factor: what *step up* becomes where there is none: a refusal, not a challenge.
        account_is_hard: nothing that a stranger shows opens an account over its limit.
    """

    account_failures_max: int = 100
    accounts_per_ip_max: int = 8
    accounts_per_network_max: int = 16
    accounts_per_device_max: int = 8
    ips_per_account_max: int = 8
    accounts_per_secret_max: int = 16
    prevalence_min: int = 1
    work: bool = False
    factors: bool = False
    refuse_without_factor: bool = False
    account_is_hard: bool = False

    def for_small_secrets(self) -> Policy:
        """The same for a code or a PIN: a tenth of a second of work must not buy each next guess at it."""
        return replace(self, account_is_hard=True)

    def without_factors(self) -> Policy:
        """The same for a door where no account can be asked: sign-up, a reset asked for, an attempt that names none."""
        # What a site without any factor does is not meant for a door where nobody can be asked.
        return replace(self, factors=False, refuse_without_factor=self.refuse_without_factor and not self.factors)
