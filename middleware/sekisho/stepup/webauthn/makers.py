"""The maker of a passkey, as its authenticator reports it (AAGUID), for display on the owner's page alone.

No attestation is asked for, so the report proves nothing: no decision may depend on it.

It is kept inside the stored public key, under a label that COSE leaves to private use: workers of earlier versions read
such a key and pass the label over, while they would refuse a longer record.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from webauthn.helpers import encode_cbor, parse_cbor

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL: Final = -70_001  # below -65536: private use (RFC 9052, section 11)
_MAP: Final = 5  # CBOR's major type of a map; other keys are those of U2F devices
_BYTES: Final = 16

NAMES: Final[Mapping[UUID, str]] = MappingProxyType(
    {
        UUID(number): name
        for name, numbers in {
            "Apple Passwords": ("fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "dd4ec289-e01d-41c9-bb89-70fa845d4bf2"),
            "Google Password Manager": ("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",),
            "Windows Hello": (
                "08987058-cadc-4b81-b6e1-30de50dcbe96",
                "9ddd1817-af5a-4672-a2b9-3e3dd95000a9",
                "6028b017-b1d4-4c02-b4b3-afcdafc96bb2",
            ),
            "Samsung Pass": ("53414d53-554e-4700-0000-000000000000",),
            "Chrome (macOS)": ("adce0002-35bc-c60a-648b-0b25f1f05503",),
            "Edge (macOS)": ("771b48fd-d3d4-4f74-9232-fc157ab0507a",),
            "1Password": ("bada5566-a7aa-401f-bd96-45619a55120d",),
            "Bitwarden": ("d548826e-79b4-db40-a3d8-11116f7e8349",),
            "Dashlane": ("531126d6-e717-415c-9320-3d9aa6981239",),
            "NordPass": ("b84e4048-15dc-4dd0-8640-f4f60813c8af",),
            "Keeper": ("0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6",),
            "Enpass": ("f3809540-7f14-49c1-a8b3-8f813b225541",),
            "KeePassXC": ("fdb141b2-5d84-443e-8a35-4698c205a502",),
            "Proton Pass": ("50726f74-6f6e-5061-7373-50726f746f6e",),
            "YubiKey 5": ("cb69481e-8ff7-4039-93ec-0a2729a154a8", "ee882879-721c-4913-9775-3dfcce97072a"),
        }.items()
        for number in numbers
    }
)
"""Well-known makers, from the list of passkeydeveloper/passkey-authenticator-aaguids."""


def with_maker(public_key: bytes, aaguid: bytes) -> bytes:
    """Return the stored form of a passkey's public key with its maker's number, `aaguid`, inside.

    The number of an unknown maker is left out: it would only name a rare device.
    """
    if len(aaguid) != _BYTES or UUID(bytes=aaguid) not in NAMES or public_key[0] >> 5 != _MAP:
        return public_key
    return encode_cbor({**parse_cbor(public_key), _LABEL: aaguid})


def maker(public_key: bytes) -> str:
    """The name of the maker of a stored key; empty if it is not known."""
    found = parse_cbor(public_key).get(_LABEL) if public_key[0] >> 5 == _MAP else None
    return NAMES.get(UUID(bytes=found), "") if type(found) is bytes and len(found) == _BYTES else ""
