"""What operators did, as the control record tells it: the newest acts, each with who, when and why. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTS_MAX: Final = 16
"""Kept in a record, which each worker reads once a second. Older ones are kept beside it; see `EARLIER_MAX`."""

STAYING: Final = frozenset({"mode", "posture", "deny", "allow", "ask"})
"""Words of acts that stay in force: commands show by whom and why, months later too."""
EARLIER_MAX: Final = 240
"""Kept beside the record for workers that have not read it for a while: paused, or cut off from the store."""

TEXT_BYTES_MAX: Final = 200  # of who and why each, as JSON
DIGESTS_MAX: Final = 16

WORDS: Final = frozenset(
    {
        "mode",
        "deny",
        "allow",
        "remove_deny",
        "remove_allow",
        "unblock",
        "posture",
        "forget",
        "ask",
        "unask",
        "takeover",
        "false_alarm",
    }
)

_NAME: Final = re.compile(r"[a-z0-9_]{1,32}")
_HEX: Final = re.compile(r"([0-9a-f]{32})?")


class Act(NamedTuple):
    """One thing that an operator did.

    Attributes:
        number: of the record that it was done with.
        at_s: Unix time, by the operator's clock.
        word: one of `WORDS`, or of a later release.
        of: the mode (empty: as the settings say), the network, the kind that was unblocked or forgotten, the
            posture (empty: as it is estimated), or the campaign whose accounts are asked for a proof.
        by: the operator's login name and uid.
        why: the reason that was given; may be empty.
        digests: the counters that were unblocked or forgotten, 16 bytes each.
        account, address, device: keyed digests as events name them; empty where it concerns none.
        days: networks and devices whose limits of the day begin anew, 16 bytes each.
        ended: counters of accounts of which no device is trusted any more, 16 bytes each.
    """

    number: int
    at_s: int
    word: str
    of: str = ""
    by: str = ""
    why: str = ""
    digests: tuple[bytes, ...] = ()
    account: str = ""
    address: str = ""
    device: str = ""
    days: tuple[bytes, ...] = ()
    ended: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        # Error reporters print values; `of` may be an address.
        return f"Act(word={self.word!r}, ...)"

    def as_json(self) -> dict[str, Any]:
        """The act as JSON; empty fields are left out."""
        found: dict[str, Any] = self._asdict()
        for name in _LISTS:
            found[name] = [digest.hex() for digest in found[name]]
        return {name: value for name, value in found.items() if value}


def act_of(found: object) -> Act | None:
    """Read an act from a JSON value; None if the value is no act. Fields of later releases are skipped."""
    if not isinstance(found, dict):
        return None
    number, at_s = found.get("number"), found.get("at_s")
    texts = {name: found.get(name, "") for name in ("word", "of", "by", "why", "account", "address", "device")}
    lists = {name: found.get(name, []) for name in _LISTS}
    if not _is_number(number) or not _is_number(at_s):
        return None
    if not all(isinstance(text, str) and len(text) <= TEXT_BYTES_MAX for text in texts.values()):
        return None
    if not all(map(_are_digests, lists.values())):
        return None
    # A word is counted under its name, and the digests go into events: both are bounded.
    if not _NAME.fullmatch(texts["word"]) or not all(_HEX.fullmatch(texts[each]) for each in _IDS):
        return None
    digests, days, ended = (tuple(map(bytes.fromhex, lists[name])) for name in _LISTS)
    return Act(number, at_s, digests=digests, days=days, ended=ended, **texts)


_IDS: Final = ("account", "address", "device")
_LISTS: Final = ("digests", "days", "ended")


def _is_number(found: object) -> TypeGuard[int]:
    return isinstance(found, int) and not isinstance(found, bool) and found > 0


def _are_digests(found: object) -> bool:
    return isinstance(found, list) and len(found) <= DIGESTS_MAX and all(map(_is_digest, found))


def _is_digest(text: object) -> bool:
    return isinstance(text, str) and len(text) == 32 and _HEX.fullmatch(text) is not None


def newest(acts: Sequence[Act], *, of: str, words: frozenset[str]) -> Act | None:
    """Return the last act whose word is one of `words` and whose attribute `of` is the given one; None if none is."""
    return next((act for act in reversed(acts) if act.of == of and act.word in words), None)
