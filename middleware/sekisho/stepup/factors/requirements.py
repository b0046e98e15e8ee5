"""The class of factor that an account has to show. No client can talk it down.

An account is asked for the strongest class that it has enrolled. A weaker proof is treated like one behind a wrong
secret: the same steps, the same answer, and nothing is spent. Otherwise a phishing page would ask the owner of a
passkey for a mailed code instead, and relay it.

**Enrolment is no takeover.** A factor that was enrolled less than `HELD_S` ago does not raise the account's class:
until then the earlier ways go on, and can remove it. It serves for log-ins, but for no protected route, no change of
factors and no door where the proof comes first: a thief with one relayed code could otherwise enrol and use their own
passkey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.model import CLASS_OF, FactorClass

if TYPE_CHECKING:
    from sekisho.stepup.factors.account_owner import AccountOwner
    from sekisho.stepup.factors.strong_only import StrongOnly

HELD_S: Final = 72 * 3_600
"""How long a new factor is held back, in seconds: the owner's time to hear of it, over a weekend."""


class Demand(NamedTuple):
    """What the purpose of a proof requires besides the account's own class.

    Attributes:
        least: the weakest class that counts.
        settled: whether a factor that was enrolled less than `HELD_S` ago counts for nothing.
        begins: whether the site's floor waits until the account has a factor of that class. Otherwise nobody could
            enrol the first one.
    """

    least: FactorClass = FactorClass.SENT
    settled: bool = False
    begins: bool = False


class Strictness(NamedTuple):
    """The site's settings.

    Attributes:
        floor: the weakest class that the site accepts.
        totp_drift: see `totp.verify`.
        oidc: the class of the factor `oidc`.
    """

    floor: FactorClass = FactorClass.SENT
    totp_drift: int = 1
    oidc: FactorClass = CLASS_OF["oidc"]


LOG_IN: Final = Demand()
BEFORE_SECRET: Final = Demand(settled=True)
MANAGE: Final = Demand(settled=True, begins=True)


class Requirements:
    """Knows the class that each account has to show; pure.

    Args:
        names: the site's factors. Enrolments of others count for nothing: nobody could show them.
        strictness: the site's settings.
        strong_only: reads the owner's own floor.
    """

    def __init__(self, names: tuple[str, ...], strictness: Strictness, strong_only: StrongOnly) -> None:
        self._names: Final = frozenset(names)
        self._floor: Final = strictness.floor
        self.totp_drift: Final = strictness.totp_drift
        self._strong_only: Final = strong_only
        self._oidc: Final = strictness.oidc
        # A site that sends no codes has no second way to replace a lost app: without this, its owner would stay out.
        sends = FactorClass.SENT in {CLASS_OF[name] for name in names}
        self._instead_of_app: Final = None if sends else FactorClass.RECOVERY
        self._best: Final = max((self.class_of(name) for name in names), default=FactorClass.NONE)

    def class_of(self, factor: str) -> FactorClass:
        """The class of a factor at this site; `NONE` for any other text."""
        return self._oidc if factor == "oidc" else CLASS_OF.get(factor, FactorClass.NONE)

    def needed(self, owner: AccountOwner, demand: Demand, now_s: int) -> FactorClass:
        """The weakest class that proves this account for this purpose. `now_s`: Unix time in seconds."""
        return self._least(self.own(owner, now_s), demand)

    def own(self, owner: AccountOwner, now_s: int) -> FactorClass:
        """Return the class that the account calls for: its strongest one not held back, or its owner's choice.

        At least `SENT`.
        """
        chosen = min(self._strong_only.of(owner), self._best)
        return max(FactorClass.SENT, chosen, *self._settled(owner, now_s))

    def is_only_strong(self, owner: AccountOwner) -> bool:
        """Whether the owner refuses weaker factors."""
        return self._strong_only.of(owner) > FactorClass.NONE

    def accepts(self, owner: AccountOwner, factor: str, demand: Demand, now_s: int) -> bool:
        """Whether a proof by this factor counts for this purpose."""
        return self.suffices(owner, self.class_of(factor), demand, now_s)

    def suffices(self, owner: AccountOwner, shown: FactorClass, demand: Demand, now_s: int) -> bool:
        """Whether a proof of this class counts for this purpose."""
        own = self.own(owner, now_s)
        if shown is self._instead_of_app and own is FactorClass.APP and not self.is_only_strong(owner):
            own = shown
        return shown >= self._least(own, demand)

    def _least(self, own: FactorClass, demand: Demand) -> FactorClass:
        floor = min(self._floor, own) if demand.begins else self._floor
        return max(own, floor, demand.least)

    def _settled(self, owner: AccountOwner, now_s: int) -> list[FactorClass]:
        usable = (one for one in settled(owner, now_s).factors if one.kind in self._names)
        # Recovery codes are kept for the day that the others are lost; they raise nothing.
        return [found for one in usable if (found := self.class_of(one.kind)) is not FactorClass.RECOVERY]


def is_settled(created_s: int, now_s: int) -> bool:
    """Whether a factor enrolled at this time is no longer held back. Unix times in seconds."""
    return created_s + HELD_S <= now_s


def settled(owner: AccountOwner, now_s: int) -> AccountOwner:
    """The owner, without the factors that are held back."""
    return owner._replace(enrolments=tuple(one for one in owner.enrolments if is_settled(one.created_s, now_s)))
