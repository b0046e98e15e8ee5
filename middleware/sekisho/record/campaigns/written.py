"""Attempts and signed states as bytes, for the store. Pure.

Accounts, addresses and devices are digests, as in events; the network of a hostile attempt is a text, and any other's
is a digest.
"""

from __future__ import annotations

import json
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.record_mac import RecordMac
from sekisho.record.campaigns.live import CAMPAIGNS_MAX, LiveCampaign, LiveState
from sekisho.record.campaigns.traits import HOSTILE, Meaning, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sekisho.crypto.signers import Signer

VERSION: Final = 1
STATE_BYTES_MAX: Final = 1 << 20
NETWORK_BYTES: Final = 8
NETWORK_CHARS_MAX: Final = 49  # an IPv6 prefix

_HEAD: Final = Struct("<BBQ16s16s16s8s4s8s")
_MEANINGS: Final = {each.value: each for each in Meaning}


def pack_attempt(attempt: Observed, name: Callable[[bytes], bytes]) -> bytes:
    """Return an attempt as bytes, some 80 to 100 of them.

    `name`: makes a keyed digest of a network.
    """
    network = attempt.network.encode()
    digest = name(network)[:NETWORK_BYTES] if network else b""
    digests = (attempt.account, attempt.address, attempt.device, attempt.software, attempt.secret)
    head = _HEAD.pack(VERSION, attempt.meaning.value, attempt.at_us, *map(bytes.fromhex, digests), digest)
    return head + network if attempt.meaning in HOSTILE else head


def is_refused(packed: bytes) -> bool:
    """Whether an attempt that `pack_attempt` has packed was refused. The store's script tells it by the same byte."""
    return packed[1] == Meaning.REFUSED.value


def unpack_attempts(packed: Iterable[bytes]) -> list[Observed]:
    """Return the attempts that `pack_attempt` has packed. Bytes of another version or size are left out.

    A network is named where a hostile attempt from it is among them; otherwise by its digest.
    """
    parts = [(_HEAD.unpack_from(each), each[_HEAD.size :]) for each in packed if _is_whole(each)]
    networks = {fields[-1]: text.decode("ascii", "replace") for fields, text in parts if text}
    return [_attempt(fields, networks) for fields, _text in parts]


def _is_whole(packed: bytes) -> bool:
    longest = _HEAD.size + NETWORK_CHARS_MAX
    return _HEAD.size <= len(packed) <= longest and packed[0] == VERSION and packed[1] in _MEANINGS


def _attempt(fields: Sequence[Any], networks: dict[bytes, str]) -> Observed:
    _version, meaning, at_us, account, address, device, software, secret, network = fields
    named = networks.get(network, network.hex()) if any(network) else ""
    return Observed(
        at_us,
        _MEANINGS[meaning],
        _hex(account),
        _hex(address),
        named,
        _hex(device),
        _hex(software),
        _hex(secret),
    )


def _hex(digest: bytes) -> str:
    return digest.hex() if any(digest) else ""


class CampaignsMac(RecordMac):
    """See `RecordMac`. Another party that writes to the store must not be able to end a campaign, or invent one."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.campaign", person=b"campaigns")

    def opened(self, signed: bytes) -> LiveState | None:
        """The state in signed bytes; None if this service has not signed them, or they are no state of this version."""
        payload = self.verified(signed) if len(signed) <= STATE_BYTES_MAX else None
        return decode_state(payload) if payload is not None else None


def encode_state(state: LiveState) -> bytes:
    campaigns = [
        [
            one.name, one.traits, one.first_us, one.last_us, one.attempts, one.addresses, one.networks, one.accounts,
            one.entered, one.proved, one.passwords_known,
        ]
        for one in state.campaigns
    ]  # fmt: skip
    seen = {"seen": state.seen, "refused": state.seen_refused}
    said = {"v": VERSION, **seen, "at": state.at_us, "campaigns": campaigns}
    return json.dumps(said, separators=(",", ":")).encode()


def decode_state(text: bytes) -> LiveState | None:
    """The state in a JSON text that `encode_state` made; None for a text that is no state of this version."""
    try:
        found = json.loads(text)
        if found["v"] != VERSION:
            return None
        campaigns = tuple(map(_campaign, found["campaigns"][:CAMPAIGNS_MAX]))
        # A state of an earlier version does not count what was refused by itself.
        return LiveState(campaigns, int(found["seen"]), int(found.get("at", 0)), int(found.get("refused", 0)))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _campaign(found: list[Any]) -> LiveCampaign:
    name, traits, first_us, last_us, attempts, addresses, networks, accounts, entered, proved, known = found
    return LiveCampaign(
        str(name),
        tuple(map(str, traits)),
        int(first_us),
        int(last_us),
        int(attempts),
        int(addresses),
        int(networks),
        int(accounts),
        tuple(map(str, entered)),
        int(proved),
        int(known),
    )
