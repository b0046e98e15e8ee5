"""What the guard asks about an owner, and the values it is answered with.

An enrolment's secret arrives sealed and leaves sealed: whoever reads the database, a dump of it or its backup, gets
nothing that a factor could be shown with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sekisho.model import SekishoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENROLMENTS_MAX = 20  # per account: some keys, an app or two, one set of recovery codes
SEALED_BYTES_MAX = 8_192  # an RSA public key and a set of recovery codes fit several times
LABEL_CHARS_MAX = 64  # typed by the owner
ID_CHARS_MAX = 512  # 2 KiB of UTF-8 still fit PostgreSQL's index pages
EMAIL_CHARS_MAX = 254  # RFC 5321, section 4.5.3.1.3: a path of 256, less its brackets
RESET_DELAY_S = 86_400  # an owner who sleeps, or flies, can still say no

_ID = re.compile(r"[0-9a-f]{32}")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class OwnersError(SekishoError):
    """Root of what an `Owners` raises. Holds no account, address, label, query or URL."""


class OwnersUnavailable(OwnersError):  # noqa: N818 - a state, not a mistake
    """No answer within the deadline. Whether a write was done is not known."""


class OwnersUnfit(OwnersError):  # noqa: N818 - a state, not a mistake
    """Tables or query are not as they must be. Only the operator can mend it, and the text says how."""


class EnrolmentsFull(OwnersError):  # noqa: N818 - a state, not a mistake
    """The account has as many enrolments as it may: one must go first."""


def holdable(text: str, *, chars_max: int = ID_CHARS_MAX) -> bool:
    """Whether every database can hold this as text: PostgreSQL takes no NUL, and nobody takes half a surrogate."""
    return 0 < len(text) <= chars_max and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def usable_id(account_id: str) -> str:
    """The id itself. Raises `ValueError` where it is empty, too long, or no text that a database holds."""
    if not holdable(account_id):
        raise ValueError(f"an account id has 1 to {ID_CHARS_MAX} characters that a database can hold")
    return account_id


def is_enrolment_id(text: str) -> bool:
    """Whether an enrolment could have it. Ids come back from pages, with whatever a stranger puts there."""
    return _ID.fullmatch(text) is not None


def usable_sealed(sealed: bytes) -> bytes:
    """The bytes themselves. Raises `ValueError` where there are none, or too many."""
    if not 0 < len(sealed) <= SEALED_BYTES_MAX:
        raise ValueError(f"what is sealed has 1 to {SEALED_BYTES_MAX} bytes")
    return sealed


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach the owner of an account.

    Attributes:
        account_id: what enrolments hang on. The same for every spelling that the service takes for one account, and
            never the same for two accounts.
        email: None where the account has none that mail could be sent to.
        locale: as the service keeps it, e.g. `ja` or `en-GB`; None where it keeps none.
        spelled: whether `account_id` is only the account as typed, because nobody knows a better one: then two of them
            may be one account.
    """

    account_id: str = field(repr=False)
    email: str | None = field(repr=False)
    locale: str | None = field(repr=False)
    spelled: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        usable_id(self.account_id)

    @property
    def owner(self) -> str:
        """By what is counted that one owner may have: the account's id, or where that is a spelling the mailbox.

        Two accounts of one mailbox share a count then. They are one person's, who is not to be flooded through either.
        """
        return self.email.casefold() if self.spelled and self.email else self.account_id


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One factor of one account.

    Attributes:
        id: 32 hexadecimal digits, drawn by whoever enrols; known before sealing, so that it can be sealed in.
        kind: of factor, e.g. `webauthn`.
        label: what the owner calls it; may be empty.
        created_s: Unix time.
        sealed: its secret, sealed by the caller.
    """

    id: str
    kind: str
    label: str = field(repr=False)
    created_s: int
    sealed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not (is_enrolment_id(self.id) and _KIND.fullmatch(self.kind)):
            raise ValueError("an enrolment's id has 32 hexadecimal digits, its kind up to 32 small letters")
        if len(self.label) > LABEL_CHARS_MAX or not self.label.isprintable():
            raise ValueError(f"an enrolment's label has at most {LABEL_CHARS_MAX} printable characters")
        usable_sealed(self.sealed)


class Held(NamedTuple):
    """An enrolment and whose it is."""

    account_id: str
    enrolment: Enrolment

    def __repr__(self) -> str:
        return f"Held({self.enrolment!r})"


@dataclass(frozen=True, slots=True)
class Reset:
    """A lost factor: from `due_s` on (Unix time), the account's enrolments may be removed."""

    account_id: str = field(repr=False)
    asked_s: int
    due_s: int


class Owners(Protocol):
    """Contacts, which the service keeps, and enrolments, which are kept for it.

    Every method may raise `OwnersUnavailable` or `OwnersUnfit`, and `ValueError` for an account id that no database
    could hold. Account ids come from `contact`.
    """

    async def contact(self, account: str) -> Contact | None:
        """The owner of an account, exactly as typed; None where there is no such account."""
        ...

    async def enrolments(self, account_id: str) -> tuple[Enrolment, ...]:
        """At most `ENROLMENTS_MAX`, oldest first."""
        ...

    async def enrol(self, account_id: str, enrolment: Enrolment) -> None:
        """Add one. Raises `EnrolmentsFull`, or `ValueError` where its id is taken."""
        ...

    async def remove(self, account_id: str, enrolment_id: str) -> bool:
        """Whether the account had it, until now. One account cannot remove another's."""
        ...

    async def replace(self, enrolment_id: str, old_sealed: bytes, new_sealed: bytes) -> bool:
        """Compare and set: of any number of callers with the same `old_sealed`, one is told True.

        What keeps a sign count from going back, and a recovery code from being used twice.
        """
        ...

    async def forget(self, account_id: str) -> None:
        """The account is gone: whoever is next given its name must not meet its factors, or its reset."""
        ...

    async def ask_reset(self, account_id: str, *, now_s: int) -> Reset:
        """Note that a factor is lost; due `RESET_DELAY_S` later. Asked again, the first one stands."""
        ...

    async def pending_reset(self, account_id: str) -> Reset | None: ...

    async def cancel_reset(self, account_id: str) -> bool:
        """Whether there was one: the owner said no, or has shown a factor."""
        ...

    async def carry_out(self, reset: Reset, *, now_s: int) -> bool:
        """Remove all enrolments of the account; False where the reset is cancelled, done, or not due.

        Those made since it was asked for go too: they may be the thief's.
        """
        ...

    def all_sealed(self) -> AsyncIterator[Held]:
        """Every enrolment, in no order that means anything, a batch at a time: for sealing anew with a newer key.

        One that is enrolled meanwhile may be missed: it is sealed with the newest key anyway.
        """
        ...
