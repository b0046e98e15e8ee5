"""The values of a proof: the person, the client's proof, the match and the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.owners import Contact, Enrolment
    from sekisho.stepup.attempt_limits import CodeTrial


class AccountOwner(NamedTuple):
    """The claimed owner of an account, whether the account exists or not.

    Attributes:
        account: exactly as the application reads it.
        contact: None where there is no such account.
        enrolments: oldest first.
        reset_asked: whether a reset of the factors is pending.
    """

    account: str
    contact: Contact | None
    enrolments: tuple[Enrolment, ...]
    reset_asked: bool = False

    @property
    def account_id(self) -> str:
        """The same for all spellings of one account; the account itself where there is none."""
        return self.contact.account_id if self.contact else self.account

    @property
    def owner(self) -> str:
        """The key of the counters for tries, codes and letters; see `Contact.owner`."""
        return self.contact.owner if self.contact else self.account

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
        credential: the JSON of a passkey's assertion.
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
        now_s: when it was shown, Unix time: an app's code may have ended by the time that the run has.
    """

    trial: CodeTrial
    now_s: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that the account's owner is present. Only `Factors` makes it; work and captchas have other types.

    Attributes:
        factor: the factor that was shown.
        recovery_left: the number of recovery codes left, after one was used.
    """

    factor: str
    recovery_left: int | None = None
