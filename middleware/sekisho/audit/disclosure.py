"""What a line tells of the account and the address, beside their pseudonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, final

from sekisho.record import Kind
from sekisho.record.lines import SUBJECT
from sekisho.settings.audit import AuditAddress, AuditIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.record import Event, HandleKey

NAME_BYTES_MAX: Final = 320
"""The longest name that is written: the longest mail address. A longer one would make a line unreadable."""
SEALED_MAX: Final = 4_096  # sealed names that are kept, so that an account's next log-in does not seal again

# Of these the guard knows that the account exists: its secret or a factor was shown, or its owner is in `Owners`.
KNOWN_BY: Final = frozenset(
    {
        Kind.STEP_UP_PROVED,
        Kind.STEP_UP_NOT_COMPLETED,
        Kind.FACTOR_ENROLLED,
        Kind.FACTOR_CHANGED,
        Kind.CODE_SENT,
        Kind.NEW_DEVICE,
        Kind.AGED_DEVICE,
        Kind.NOTICE_ANSWERED,
        Kind.CHANGE_PASSWORD,
    }
)


class Told(NamedTuple):
    """Attributes:
    subject: the names of the fields of the client and the account.
    name: the account's name, or "".
    sealed: the account's name, sealed for the recipient, or "".
    ip: the client's address, or "".
    """

    subject: tuple[str, ...]
    name: str = ""
    sealed: str = ""
    ip: str = ""

    def __repr__(self) -> str:
        # Error reporters print values: names and addresses must not appear there.
        return "Told(...)"


@final
class Disclosure:
    """Decides what is told of each event.

    Args:
        identity, address: see `sekisho.settings.audit`.
        handles: opens the handles of events; None where neither names nor addresses are told.
        seal: seals a name for the recipient, bound to the account's pseudonym.
    """

    def __init__(
        self,
        identity: AuditIdentity,
        address: AuditAddress,
        handles: HandleKey | None = None,
        seal: Callable[[str, str], str] | None = None,
    ) -> None:
        tells_network = address is not AuditAddress.DIGEST
        self._subject: Final = SUBJECT if tells_network else tuple(name for name in SUBJECT if name != "network")
        self._nothing: Final = Told(self._subject)
        self._identity: Final = identity
        self._tells_address: Final = address is AuditAddress.FULL
        self._handles: Final = handles
        self._seal: Final = seal
        self._sealed: dict[str, str] = {}

    def of(self, event: Event) -> Told:
        handle = event.subject.handle
        if self._handles is None or handle is None:
            return self._nothing
        exact = self._handles.open(handle)
        name = exact.account if _is_known(event) and _is_short(exact.account) else ""
        return Told(
            self._subject,
            name if self._identity is AuditIdentity.PLAIN else "",
            self._sealed_name(name, event.subject.account),
            exact.address if self._tells_address else "",
        )

    def _sealed_name(self, name: str, account: str) -> str:
        if self._seal is None or not name or not account:
            return ""
        found = self._sealed.get(account)
        if found is None:
            if len(self._sealed) >= SEALED_MAX:
                self._sealed.clear()
            found = self._sealed[account] = self._seal(name, account)
        return found


def _is_known(event: Event) -> bool:
    # People type their password into the field of the name. A guessed success might be such an attempt.
    if event.kind == Kind.SETTLED:
        return event.result == "succeeded" and event.basis != "guess"
    return event.kind in KNOWN_BY


def _is_short(name: str) -> bool:
    return len(name.encode("utf-8", "replace")) <= NAME_BYTES_MAX
