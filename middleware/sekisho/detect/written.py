"""Outcomes and signed states as bytes, for the store. Pure. None of them names an account, an address or a secret."""

from __future__ import annotations

import contextlib
import json
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.record_mac import RecordMac
from sekisho.judge.posture import (
    ALL_NEW,
    BROWSERS_MAX,
    NETWORKS_MAX,
    PROVIDERS_MAX,
    SHARES,
    DoorPosture,
    NewAccounts,
    PostureState,
    Segment,
)
from sekisho.model.posture import Posture, StrangerOutcome, ToldOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.crypto.signers import Signer

VERSION: Final = 1
DAY_BITS: Final = 1 << 22
"""Accounts that succeeded today are kept as one bit each, 512 KiB a day. Of 400,000 in a day, one in ten is missed."""

STATE_BYTES_MAX: Final = 1 << 20
_OUTCOME: Final = Struct("<sB4sB4s")  # told, door, network, browser, account; then the provider, of IPv6
_PROVIDER_BYTES: Final = 4
_NEW: Final = 0x80
"""In the byte of the browser: the success is of a new account. The version before takes it for one of an old account,
with another browser."""
_POSTURES: Final = tuple(Posture)
_TOLD: Final = {told.value.encode(): told for told in ToldOutcome}


def pack_outcome(outcome: StrangerOutcome, doors: Sequence[str]) -> bytes:
    """The outcome in 11 or 15 bytes. Raises `ValueError` for a door that is not listed."""
    told, door, browser = outcome.told, doors.index(outcome.door), outcome.browser
    if told is ToldOutcome.NEW_SUCCEEDED:
        told, browser = ToldOutcome.SUCCEEDED, browser | _NEW
    return _OUTCOME.pack(told.value.encode(), door, outcome.network, browser, outcome.account) + outcome.provider


def unpack_outcome(packed: bytes, doors: Sequence[str]) -> StrangerOutcome | None:
    """Read an outcome that `pack_outcome` wrote; None for bytes that no worker with the same doors has written."""
    if len(packed) not in {_OUTCOME.size, _OUTCOME.size + _PROVIDER_BYTES}:
        return None
    told, door, network, browser, account = _OUTCOME.unpack_from(packed)
    if told not in _TOLD or door >= len(doors):
        return None
    meant = _TOLD[told]
    if meant is ToldOutcome.SUCCEEDED and browser & _NEW:
        meant, browser = ToldOutcome.NEW_SUCCEEDED, browser ^ _NEW
    return StrangerOutcome(doors[door], meant, network, browser, account, packed[_OUTCOME.size :])


def day_bit(account: bytes) -> int:
    """The number of the bit that stands for an account in the day's set of accounts that succeeded."""
    return int.from_bytes(account, "little") % DAY_BITS


class PostureMac(RecordMac):
    """See `RecordMac`. An attacker with write access to the store must not be able to call an attack calm."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.posture", person=b"posture")

    def opened(self, signed: bytes) -> PostureState | None:
        """Read a posture's signed state; None if it is not by this service, or is no state of this version."""
        payload = self.verified(signed) if len(signed) <= STATE_BYTES_MAX else None
        if payload is not None:
            with contextlib.suppress(ValueError):
                return decode_state(payload)
        return None


def encode_state(state: PostureState) -> bytes:
    doors = {name: _door_as_json(door) for name, door in state.doors.items()}
    return json.dumps({"v": VERSION, "at": state.at_s, "doors": doors}, separators=(",", ":")).encode()


def decode_state(text: bytes) -> PostureState:
    """Read a posture's state from JSON. Raises `ValueError` for a text that is no state of this version."""
    try:
        found = json.loads(text)
        if found["v"] != VERSION:
            raise ValueError("another version")
        return PostureState({name: _door(door) for name, door in found["doors"].items()}, int(found["at"]))
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError("no state of the posture") from error


def _door_as_json(door: DoorPosture) -> dict[str, Any]:
    return {
        # A segment is a tuple of numbers, which `json` writes as a list.
        "site": door.site,
        "networks": _by_hex(door.networks),
        "providers": _by_hex(door.providers),
        "browsers": {str(tag): one for tag, one in door.browsers.items()},
        "clean": round(door.clean, 4),
        "network_shares": [round(share, 3) for share in door.network_shares],
        "account_shares": [round(share, 3) for share in door.account_shares],
        "day": [door.day, door.day_failed, door.day_outcomes],
        "new": [round(door.new.usual, 4), round(door.new.lately, 4), door.new.today],
    }


def _by_hex(segments: Mapping[bytes, Segment]) -> dict[str, Segment]:
    return {tag.hex(): one for tag, one in segments.items()}


def _door(found: dict[str, Any]) -> DoorPosture:
    networks, browsers = found["networks"].items(), found["browsers"].items()
    providers = found.get("providers", {}).items()  # absent in a state of an earlier version
    network_shares, account_shares = _shares(found["network_shares"]), _shares(found["account_shares"])
    if len(networks) > NETWORKS_MAX or len(browsers) > BROWSERS_MAX or len(providers) > PROVIDERS_MAX:
        raise ValueError("a state of another size")
    day, day_failed, day_outcomes = map(int, found["day"])
    return DoorPosture(
        _segment(found["site"]),
        {bytes.fromhex(tag): _segment(one) for tag, one in networks},
        {int(tag): _segment(one) for tag, one in browsers},
        float(found["clean"]),
        network_shares,
        account_shares,
        day,
        day_failed,
        day_outcomes,
        {bytes.fromhex(tag): _segment(one) for tag, one in providers},
        _new(found["new"]) if "new" in found else ALL_NEW,  # absent in a state of an earlier version
    )


def _new(found: list[Any]) -> NewAccounts:
    usual, lately, today = found
    return NewAccounts(float(usual), float(lately), int(today))


def _shares(found: list[Any]) -> tuple[float, ...]:
    shares = tuple(map(float, found))
    if len(shares) != SHARES:
        raise ValueError("a state of another size")
    return shares


def _segment(found: list[Any]) -> Segment:
    score, failed, succeeded, outcomes, posture, since_s, falls, at_s = found
    return Segment(score, failed, succeeded, outcomes, _POSTURES[posture], since_s, falls, at_s)
