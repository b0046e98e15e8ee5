"""Who must prove something, what was shown for it, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.challenge.tries import Trial
    from sekisho.owners import Contact, Enrolment


class Person(NamedTuple):
    """Somebody who says to own an account, whether there is such an account or not.

    Attributes:
        account: exactly as the application reads it.
        contact: None where there is no such account.
        enrolments: oldest first.
        reset_asked: somebody has said that they are lost, and the day that follows is not over.
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
        """By what tries, codes and letters are counted; see `Contact.owner`."""
        return self.contact.owner if self.contact else self.account

    def of_kind(self, kind: str) -> tuple[Enrolment, ...]:
        return tuple(one for one in self.enrolments if one.kind == kind)

    def __repr__(self) -> str:
        # Error reporters print the values of a frame.
        return "Person(...)"


class Shown(NamedTuple):
    """What a client shows. Anything may stand in it.

    Attributes:
        factor: which one it is said to be.
        code: as typed.
        credential: the JSON of a passkey's assertion.
    """

    factor: str
    code: str = ""
    credential: bytes = b""

    def __repr__(self) -> str:
        return "Shown(...)"


class Early(NamedTuple):
    """Something that was shown before anybody knew what the secret was worth, and is a proof if the secret was right.

    Attributes:
        trial: counted in its challenge.
        now_s: when it was shown, Unix time: an app's code may have ended by the time that the run has.
    """

    trial: Trial
    now_s: int


@dataclass(frozen=True, slots=True)
class Proof:
    """An account's owner was here. Made by `Factors` alone; work done and riddles solved are none, and share no type.

    Attributes:
        factor: what was shown.
        recovery_left: of a recovery code, how many are left.
    """

    factor: str
    recovery_left: int | None = None
