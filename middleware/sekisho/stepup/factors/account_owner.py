"""The values of a proof: the account owner, the client's proof, the match and the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.model import CLASS_OF, FactorClass
from sekisho.stepup.factors.addresses import AddressHistory

if TYPE_CHECKING:
    from sekisho.owners import Contact, Enrolment
    from sekisho.stepup.attempt_limits import CodeTrial

UNKNOWN_HISTORY: Final = AddressHistory()

RECOVERY: Final = "recovery"
"""The kind of recovery codes, which every site with factors has."""


class AccountOwner(NamedTuple):
    """The claimed owner of an account, whether the account exists or not.

    Attributes:
        account: exactly as the application reads it.
        contact: None if the account does not exist.
        enrolments: oldest first.
        reset_asked: whether a reset of the factors is pending.
        history: of the mail addresses.
    """

    account: str
    contact: Contact | None
    enrolments: tuple[Enrolment, ...]
    reset_asked: bool = False
    history: AddressHistory = UNKNOWN_HISTORY

    @property
    def addresses(self) -> tuple[str, ...]:
        """All mail addresses that notices go to, each once."""
        on_file = self.contact.addresses if self.contact else ()
        return tuple(dict.fromkeys((*on_file, *self.history.earlier)))

    @property
    def account_id(self) -> str:
        """The id shared by all spellings of one account; for an unknown account, the name itself."""
        return self.contact.account_id if self.contact else self.account

    @property
    def counted_by(self) -> str:
        """The key of the counters for attempts, codes and letters; see `Contact.owner`."""
        return self.contact.owner if self.contact else self.account

    @property
    def factors(self) -> tuple[Enrolment, ...]:
        """The enrolments that are factors: all but rows such as the owner's choice to accept strong factors only."""
        return tuple(one for one in self.enrolments if one.kind in CLASS_OF)

    def of_kind(self, kind: str) -> tuple[Enrolment, ...]:
        return tuple(one for one in self.enrolments if one.kind == kind)

    def __repr__(self) -> str:
        # Error reporters print local variables.
        return "AccountOwner(...)"


class ShownFactor(NamedTuple):
    """The proof that a client shows. It may contain any text.

    Attributes:
        factor: the factor that the client names.
        code: as typed.
        credential: the JSON of a passkey's assertion, or of what a browser brings back from a provider.
    """

    factor: str
    code: str = ""
    credential: bytes = b""

    def __repr__(self) -> str:
        return "ShownFactor(...)"


class Early(NamedTuple):
    """A match that was found before the outcome of the secret was known. It is a proof if the secret was right.

    Attributes:
        trial: counted in its challenge.
        now_s: Unix time in seconds when the proof was shown. An app's code may expire before the run ends.
    """

    trial: CodeTrial
    now_s: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that the account's owner is present. Only `Factors` makes it; challenges have other types.

    Attributes:
        factor: the factor that was shown.
        settled: whether the factor is no longer held back; see `requirements`.
        by_class: the factor's class at this site, if it is not that of `CLASS_OF`.
    """

    factor: str
    settled: bool = field(default=True, compare=False)
    by_class: FactorClass | None = field(default=None, compare=False)

    @property
    def factor_class(self) -> FactorClass:
        return CLASS_OF[self.factor] if self.by_class is None else self.by_class
