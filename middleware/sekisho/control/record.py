"""The control record: what an operator has set for all workers. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.control.acts import ACTS_MAX, EARLIER_MAX, STAYING, Act, act_of
from sekisho.control.asked import ACCOUNTS_MAX, GROUPS_MAX, AskedGroup, groups_json, groups_of
from sekisho.model import Mode, Posture, SekishoError, SettingsError
from sekisho.settings.networks import allowed, networks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.settings.networks import Network

VERSION: Final = 1
ENTRIES_MAX: Final = 1_000  # in each list
PAYLOAD_BYTES_MAX: Final = 131_072  # two full lists of the longest networks
SIGNED_BYTES_MAX: Final = 140_000
POSTURE_CHARS_MAX: Final = 32

_OWN: Final = frozenset({"v", "number", "mode", "posture", "allow", "deny", "acts", "asked", "told"})


class ListEntry(NamedTuple):
    """A network on a list.

    Attributes:
        network: as text.
        until_s: Unix time at which it is no longer listed.
    """

    network: str
    until_s: int

    def __repr__(self) -> str:
        # Error reporters print values, and an address is personal data.
        return "ListEntry(...)"


class ControlError(SekishoError):
    """The text is no control record. The message contains nothing of it."""


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """Attributes:
    number: rises with each change; a record with a lower number is a replay.
    mode: None: as the settings say.
    posture: that an operator forces, as `posture_text` writes it; empty: as it is estimated. Any other text is of a
        later release, and forces nothing.
    allow, deny: networks in addition to those of the settings.
    acts: what operators did lately, in its order. The oldest go where there is no room.
    asked: accounts that are asked for a proof; see `control.asked`.
    told: accounts whose owners have a notice because of a campaign; the same form.
    others: keys of later releases, kept as they are.
    allowing, denying: the networks of both lists, in their order; only of a record that was decoded.
    """

    number: int = 0
    mode: Mode | None = None
    posture: str = ""
    allow: tuple[ListEntry, ...] = ()
    deny: tuple[ListEntry, ...] = ()
    acts: tuple[Act, ...] = ()
    asked: tuple[AskedGroup, ...] = ()
    told: tuple[AskedGroup, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)
    allowing: tuple[Network, ...] = field(default=(), repr=False)
    denying: tuple[Network, ...] = field(default=(), repr=False)

    def allowed(self, now_s: float) -> list[tuple[ListEntry, Network]]:
        """The entries of the allow list whose time has not ended, each with its network."""
        return _in_force(self.allow, self.allowing, now_s)

    def denied(self, now_s: float) -> list[tuple[ListEntry, Network]]:
        """The entries of the deny list whose time has not ended, each with its network."""
        return _in_force(self.deny, self.denying, now_s)

    def forced(self, now_s: float) -> Posture | None:
        """The posture that is forced at this Unix time; None where it is estimated."""
        found = _POSTURE.fullmatch(self.posture)
        # Every forced posture ends: a forgotten command must not leave the service without its eyes.
        return Posture[found[1].upper()] if found and now_s < int(found[2]) else None

    def asked_accounts(self, now_s: float) -> frozenset[bytes]:
        """The accounts that are asked for a proof at this Unix time."""
        return frozenset(account for group in self.asked if now_s < group.until_s for account in group.accounts)

    @property
    def forced_until_s(self) -> int:
        """The Unix time at which the forced posture ends; 0 where none is forced."""
        found = _POSTURE.fullmatch(self.posture)
        return int(found[2]) if found else 0

    def encode(self) -> bytes:
        """The record as JSON. Raises `ControlError` for a record that readers would refuse."""
        acts = self.acts[-ACTS_MAX:]
        while len(payload := self._encoded(acts)) > PAYLOAD_BYTES_MAX and len(acts) > 1:
            acts = acts[1:]
        decode(payload)
        return payload

    def _encoded(self, acts: tuple[Act, ...]) -> bytes:
        return json.dumps(
            {
                **self.others,
                "v": VERSION,
                "number": self.number,
                "mode": self.mode.value if self.mode is not None else "",
                "posture": self.posture,
                "allow": self.allow,
                "deny": self.deny,
                "acts": [act.as_json() for act in acts],
                **({"asked": groups_json(self.asked)} if self.asked else {}),
                **({"told": groups_json(self.told)} if self.told else {}),
            },
            separators=(",", ":"),
        ).encode()


EMPTY: Final = ControlRecord()
_POSTURE: Final = re.compile(r"(calm|elevated|attack) ([0-9]{1,12})")


def posture_text(posture: Posture, until_s: int) -> str:
    """Write a posture that is forced until this Unix time, in the form that the control record has."""
    return f"{posture.word} {until_s}"


def encode_earlier(acts: Sequence[Act]) -> bytes:
    """Acts that a record has no room for, as JSON.

    Where there is no room for them either, the oldest are left out, and first those that are over at once: a support
    desk unblocks a hundred owners while a network is refused, and `sekisho deny` still says who refused it.
    """
    kept = _kept(acts)
    while len(payload := _earlier_json(kept)) > PAYLOAD_BYTES_MAX:
        kept = kept[len(kept) // 8 + 1 :]
    return payload


def _kept(acts: Sequence[Act]) -> Sequence[Act]:
    if len(acts) <= EARLIER_MAX:
        return acts
    newest = {(act.word, act.of): act.number for act in acts if act.word in STAYING}
    staying = set(sorted(newest.values())[-EARLIER_MAX // 2 :])
    passing = [act.number for act in acts if act.number not in staying]
    kept = staying | set(passing[len(staying) - EARLIER_MAX :])
    return [act for act in acts if act.number in kept]


def _earlier_json(acts: Sequence[Act]) -> bytes:
    # Without `number` it is no record: who writes to the store cannot put one in the place of the other.
    return json.dumps({"v": VERSION, "earlier": [act.as_json() for act in acts]}, separators=(",", ":")).encode()


def decode_earlier(payload: bytes) -> tuple[Act, ...]:
    """Read acts that `encode_earlier` wrote; none if the payload is something else."""
    try:
        found = json.loads(payload)["earlier"] if len(payload) <= PAYLOAD_BYTES_MAX else []
    except (ValueError, RecursionError, TypeError, KeyError):
        found = []
    acts = [act_of(each) for each in found[:EARLIER_MAX]] if isinstance(found, list) else []
    return tuple(act for act in acts if act is not None)


def _in_force(
    entries: tuple[ListEntry, ...], networks: tuple[Network, ...], now_s: float
) -> list[tuple[ListEntry, Network]]:
    return [pair for pair in zip(entries, networks, strict=True) if now_s < pair[0].until_s]


def decode(payload: bytes) -> ControlRecord:
    """Read a control record from JSON. Unknown keys, of later releases, are kept. Raises `ControlError`."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ControlError("is longer than a record may be")
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise ControlError(f"is no record of version {VERSION}")
    number, posture = found.get("number"), found.get("posture", "")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ControlError("has no number")
    if not isinstance(posture, str) or len(posture) > POSTURE_CHARS_MAX:
        raise ControlError("has a posture that is no word")
    allow, deny = _entries(found, "allow"), _entries(found, "deny")
    allowing, denying = _networks(allow, allowed), _networks(deny, networks)
    others = {name: value for name, value in found.items() if name not in _OWN}
    return ControlRecord(
        number,
        _mode(found.get("mode", "")),
        posture,
        allow,
        deny,
        _acts(found.get("acts", [])),
        _groups(found, "asked"),
        _groups(found, "told"),
        MappingProxyType(others),
        allowing,
        denying,
    )


def _acts(found: object) -> tuple[Act, ...]:
    acts = [act_of(each) for each in found] if isinstance(found, list) and len(found) <= ACTS_MAX else [None]
    known = tuple(act for act in acts if act is not None)
    if len(known) < len(acts):
        raise ControlError(f"has a field acts that is no list of at most {ACTS_MAX} acts")
    return known


def _groups(found: Mapping[str, Any], name: str) -> tuple[AskedGroup, ...]:
    groups = groups_of(found.get(name, []))
    if groups is None:
        raise ControlError(
            f"has a field {name} that is no list of at most {GROUPS_MAX} groups, of {ACCOUNTS_MAX} accounts in all"
        )
    return groups


def _networks(entries: tuple[ListEntry, ...], read: Callable[[str, str], tuple[Network, ...]]) -> tuple[Network, ...]:
    if not entries:
        return ()
    try:
        return read(",".join(entry.network for entry in entries), "list")
    except SettingsError as error:
        raise ControlError(f"has a list that is wrong: {error.problem}") from None


def _mode(text: object) -> Mode | None:
    if text == "":
        return None
    try:
        return Mode(text)
    except ValueError:
        raise ControlError("has an unknown mode") from None


def _entries(found: Mapping[str, Any], name: str) -> tuple[ListEntry, ...]:
    entries = found.get(name, [])
    if not isinstance(entries, list) or len(entries) > ENTRIES_MAX or not all(map(_is_entry, entries)):
        raise ControlError(f"has a field {name} that is no list of at most {ENTRIES_MAX} networks")
    return tuple(ListEntry(network, until_s) for network, until_s in entries)


def _is_entry(entry: object) -> bool:
    match entry:
        case [str(network), int(until_s)] if not isinstance(until_s, bool):
            return "," not in network
    return False
