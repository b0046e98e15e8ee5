"""Outcomes and states as bytes, for the store. Pure. Nothing in them names an account, an address or a secret."""

from __future__ import annotations

import json
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from sekisho.judge.posture import BROWSERS_MAX, NETWORKS_MAX, PROVIDERS_MAX, SHARES, DoorPosture, PostureState, Segment
from sekisho.model.posture import Posture, StrangerOutcome, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = 1
DAY_BITS: Final = 1 << 22
"""Accounts that succeeded today are kept as one bit each, 512 KiB a day. Of 400,000 in a day, one in ten is missed."""

_OUTCOME: Final = Struct("<sB4sB4s")  # told, door, network, browser, account; then the provider, of IPv6
_PROVIDER_BYTES: Final = 4
_TOLD: Final = {told.value.encode(): told for told in Told}


def pack_outcome(outcome: StrangerOutcome, doors: Sequence[str]) -> bytes:
    """The outcome in 11 or 15 bytes. Raises `ValueError` for a door that is not listed."""
    told, door = outcome.told.value.encode(), doors.index(outcome.door)
    return _OUTCOME.pack(told, door, outcome.network, outcome.browser, outcome.account) + outcome.provider


def unpack_outcome(packed: bytes, doors: Sequence[str]) -> StrangerOutcome | None:
    """None for bytes that no worker with the same doors has written."""
    if len(packed) not in {_OUTCOME.size, _OUTCOME.size + _PROVIDER_BYTES}:
        return None
    told, door, network, browser, account = _OUTCOME.unpack_from(packed)
    if told not in _TOLD or door >= len(doors):
        return None
    return StrangerOutcome(doors[door], _TOLD[told], network, browser, account, packed[_OUTCOME.size :])


def day_bit(account: bytes) -> int:
    """The bit that stands for an account in the day's set."""
    return int.from_bytes(account, "little") % DAY_BITS


def encode_state(state: PostureState) -> bytes:
    doors = {name: _door_as_json(door) for name, door in state.doors.items()}
    return json.dumps({"v": VERSION, "at": state.at_s, "doors": doors}, separators=(",", ":")).encode()


def decode_state(text: bytes) -> PostureState:
    """Raises `ValueError` for a text that is no state of this version."""
    try:
        found = json.loads(text)
        if found["v"] != VERSION:
            raise ValueError("another version")
        return PostureState({name: _door(door) for name, door in found["doors"].items()}, int(found["at"]))
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError("no state of the posture") from error


def _door_as_json(door: DoorPosture) -> dict[str, Any]:
    return {
        "site": _segment_as_json(door.site),
        "networks": {tag.hex(): _segment_as_json(one) for tag, one in door.networks.items()},
        "providers": {tag.hex(): _segment_as_json(one) for tag, one in door.providers.items()},
        "browsers": {str(tag): _segment_as_json(one) for tag, one in door.browsers.items()},
        "clean": round(door.clean, 4),
        "network_shares": [round(share, 3) for share in door.network_shares],
        "account_shares": [round(share, 3) for share in door.account_shares],
        "day": [door.day, door.day_failed, door.day_outcomes],
    }


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
    )


def _shares(found: list[Any]) -> tuple[float, ...]:
    shares = tuple(map(float, found))
    if len(shares) != SHARES:
        raise ValueError("a state of another size")
    return shares


def _segment_as_json(one: Segment) -> list[float]:
    scores = round(one.score, 3), round(one.failed, 2), round(one.succeeded, 2)
    return [*scores, one.outcomes, one.posture, one.since_s, one.falls, one.at_s]


def _segment(found: list[Any]) -> Segment:
    score, failed, succeeded = map(float, found[:3])
    outcomes, posture, since_s, falls, at_s = map(int, found[3:])
    return Segment(score, outcomes, Posture(posture), since_s, falls, failed, succeeded, at_s)
