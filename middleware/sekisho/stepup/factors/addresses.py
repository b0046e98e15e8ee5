"""The mail addresses that an owner has had, and what follows from a change. Pure.

**A changed address is no takeover.** An address that came on file less than `HELD_S` ago proves nothing and recovers
nothing, and one that has gone keeps receiving notices for `KEPT_S`: a thief who can change the address could otherwise
have a code sent to their own mailbox, and the owner would hear of nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.model.mail_domain import recipient_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HELD_S: Final = 72 * 3_600
"""How long a new address is held back, in seconds: as long as a new factor."""

KEPT_S: Final = 30 * 86_400
"""How long an earlier address receives notices, in seconds."""

EARLIER_MAX: Final = 12
"""Earlier addresses that are kept for an account."""


class FiledAddress(NamedTuple):
    """Attributes:
    text: the address.
    since_s: Unix time since which it has been on file; 0 if it was there before the guard first looked.
    gone_s: Unix time at which it was first missing; 0 if it is on file.
    """

    text: str
    since_s: int
    gone_s: int

    def __repr__(self) -> str:
        return "FiledAddress(...)"


class AddressHistory(NamedTuple):
    """Attributes:
    is_held: whether the owner's address came on file too recently to prove anything.
    earlier: earlier addresses, which still receive notices.
    """

    is_held: bool = False
    earlier: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "AddressHistory(...)"


def filed(known: Sequence[FiledAddress] | None, current: Iterable[str], now_s: int) -> tuple[FiledAddress, ...]:
    """Return an account's addresses, present and earlier, after a look-up that found `current` on file.

    `known`: the result for the look-up before; None for the first look-up of an account, which finds no change.
    """
    by_key = {recipient_key(one.text): one for one in known or ()}
    there = {recipient_key(text): text for text in current}
    on_file = [_on_file(by_key.get(key), text, 0 if known is None else now_s) for key, text in there.items()]
    earlier = [one._replace(gone_s=one.gone_s or now_s) for key, one in by_key.items() if key not in there]
    earlier = [one for one in earlier if now_s < one.gone_s + KEPT_S]
    # An owner's own address is not pushed out by a thief who changes it many times: it was on file for longest.
    earlier.sort(key=lambda one: one.since_s - one.gone_s)
    return (*on_file, *earlier[:EARLIER_MAX])


def is_held(known: Iterable[FiledAddress], address: str | None, now_s: int) -> bool:
    """Whether the address came on file too recently to prove anything."""
    wanted = recipient_key(address or "")
    since_s = next((one.since_s for one in known if address and recipient_key(one.text) == wanted), 0)
    return since_s > 0 and now_s < since_s + HELD_S


def earlier_of(known: Iterable[FiledAddress]) -> tuple[str, ...]:
    """The earlier addresses, which still receive notices."""
    return tuple(one.text for one in known if one.gone_s)


def _on_file(was: FiledAddress | None, text: str, now_s: int) -> FiledAddress:
    """The entry of an address on file. One that comes back counts as before if it was on file long enough."""
    if was is None or (was.gone_s and was.gone_s - was.since_s < HELD_S):
        return FiledAddress(text, now_s, 0)
    return FiledAddress(text, was.since_s, 0)
