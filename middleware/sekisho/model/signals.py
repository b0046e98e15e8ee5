"""Signals: all observations about one attempt, and the policy that judges them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, final

from sekisho.model.breach import UNKNOWN, Exposure
from sekisho.model.posture import AskedFrom, Posture
from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.model.count import Verdict


class Device(IntEnum):
    """The class of a browser or app at the account that it tries, by a verified device token."""

    STRANGER = 0
    SEEN = 1  # it succeeded with a password alone: it has its own device bucket, and no other privilege
    PROVED = 2  # it completed a factor: other clients' attempts never throttle or challenge it


LINK_TARGETS_PER_SECRET_MAX: Final = 8
"""Accounts at which one PIN was wrong within the hour, from which it is refused. Of a million account numbers a hundred
have any PIN of four digits."""


QUIET_ACCOUNTS_MAX: Final = 4
"""Accounts tried in vain from one network within the hour, up to which it is quiet in an alarm. A bot behind one
address with owners must not profit from their past, and a flood of fresh networks hides it from the posture."""

UNDER_PROOF: Final = -1


@final
class Signals(Value):
    """Attributes:
    verdict: the counters' verdict.
    device: the class by its token; with a token over its budget, or renewed since, the client is a stranger.
    exposure: the secret's exposure in leaks, whether the secret is right or wrong.
    worked: the client has done the work for this attempt.
    familiar: the account's history knows this network, and nothing contradicts it; see `judge.familiarity`.
    """

    __slots__ = ("device", "exposure", "familiar", "verdict", "worked")

    def __init__(
        self,
        verdict: Verdict,
        device: Device = Device.STRANGER,
        exposure: Exposure = UNKNOWN,
        worked: bool = False,
        familiar: bool = False,
    ) -> None:
        self.verdict: Final = verdict
        self.device: Final = device
        self.exposure: Final = exposure
        self.worked: Final = worked
        self.familiar: Final = familiar


@dataclass(frozen=True, slots=True)
class Policy:
    """The thresholds, and the means to ask for more instead of refusing.

    Attributes:
        account_failures_max: failures since the last completed factor, after which a password alone is not enough;
            `UNDER_PROOF`: at any number, because an operator asks it.
        accounts_per_ip_max, accounts_per_network_max, accounts_per_device_max, ips_per_account_max,
            accounts_per_secret_max: distinct ones within the hour, from which more is asked of a stranger. At most the
            ledger's caps (16; 8 addresses per account), where a count means *that many or more*.
        prevalence_min: the lowest class of a breached password; see `prevalence`.
        work: the site can ask for work (proof of work, a captcha).
        factors: the site can ask for a factor.
        refuse_without_factor: without a factor, a step-up becomes a refusal, not a challenge.
        account_is_hard: an account over its limit refuses strangers, regardless of work or factors.
        account_locks: it wants a factor of them, and without factors it refuses them.
        secret_is_hard: so does a secret that was wrong at many accounts, where no factor can be asked for.
        asks_strangers, asks_seen: a stranger, or a seen device, must show a factor for no other reason than that.
        spares_familiar: a familiar one need not, where its secret is right.
        spares_seen: a familiar device that was seen need not, although a familiar stranger must.
        familiar_accounts_max: accounts tried in vain from one network within the hour, up to which a stranger there may
            be familiar; the ledger's cap: at any number.
        steps: by which of the methods below it was made, a letter or a digit for each; see `repeated`.
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
    account_locks: bool = False
    secret_is_hard: bool = False
    asks_strangers: bool = True
    asks_seen: bool = True
    spares_familiar: bool = False
    spares_seen: bool = False
    familiar_accounts_max: int = 16
    steps: str = field(default="", compare=False)

    def for_small_secrets(self) -> Policy:
        """Return this policy for a door that checks a code or a PIN: an account over its limit refuses strangers.

        A tenth of a second of work must not buy a guess.
        """
        return replace(self, account_is_hard=True, steps=self.steps + "c")

    def in_posture(self, posture: Posture, asked: AskedFrom) -> Policy:
        """Return this policy for log-ins in this posture.

        Where the posture decides that strangers are asked, seen devices are not.
        """
        asks = posture >= asked.strangers
        return replace(
            self,
            asks_strangers=asks,
            asks_seen=self.asks_seen and asked.strangers == 0,
            spares_familiar=asks and posture < asked.familiar,
            steps=f"{self.steps}{posture:d}",
        )

    def at_quiet_network(self, asked: AskedFrom) -> Policy:
        """Return this policy of a raised posture for log-ins from a network in which little fails."""
        steps = self.steps + "q"
        if self.spares_familiar or not (asked.own_network and self.asks_strangers):
            return replace(self, steps=steps)
        return replace(self, spares_familiar=True, familiar_accounts_max=QUIET_ACCOUNTS_MAX, steps=steps)

    def at_loud_network(self, asked: AskedFrom) -> Policy:
        """Return this policy of a raised posture for log-ins from a network in which a bot may guess.

        The bot's guesses carry no device token.
        """
        spares = asked.own_network and self.asks_strangers
        return replace(self, spares_seen=spares, steps=self.steps + "n")

    def for_aged(self) -> Policy:
        """Return this policy for a device that was seen for long: a factor is not asked only because it is merely seen.

        Where its token counts for nothing, the device is a stranger, and is asked as one.
        """
        return replace(self, asks_seen=False)

    def under_proof(self) -> Policy:
        """Return this policy for an account that an operator put under proof: only a proved device needs no factor."""
        return replace(self, account_failures_max=UNDER_PROOF, steps=self.steps + "p")

    def for_links(self) -> Policy:
        """Return this policy for a door where other accounts are linked by a PIN: one PIN at many accounts is refused.

        Only where the door has a success rule: a right PIN is then removed from the set of wrong ones.
        """
        most = min(LINK_TARGETS_PER_SECRET_MAX, self.accounts_per_secret_max)
        return replace(
            self, account_is_hard=True, secret_is_hard=True, accounts_per_secret_max=most, steps=self.steps + "l"
        )

    def without_factors(self) -> Policy:
        """Return this policy where no account owner can be asked for a factor.

        At a sign-up, a reset request, and an attempt without an account.
        """
        # `refuse_without_factor` is for sites that have no factor at all, not for doors that cannot ask for one.
        refuses = self.refuse_without_factor and not self.factors
        return replace(self, factors=False, account_locks=False, refuse_without_factor=refuses, steps=self.steps + "u")

    def repeated(self, steps: str, asked: AskedFrom) -> Policy:
        """Apply to this policy the steps by which another one was made (its `steps`), and return the result.

        Raises `ValueError` for an unknown step.
        """
        policy = self
        for step in steps:
            if step == "c":
                policy = policy.for_small_secrets()
            elif step == "p":
                policy = policy.under_proof()
            elif step == "l":
                policy = policy.for_links()
            elif step == "u":
                policy = policy.without_factors()
            elif step == "q":
                policy = policy.at_quiet_network(asked)
            elif step == "n":
                policy = policy.at_loud_network(asked)
            else:
                policy = policy.in_posture(Posture(int(step)), asked)
        return policy
