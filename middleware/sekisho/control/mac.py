"""Authenticates control records: write access to the store alone must not switch the guard off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.crypto.record_mac import RecordMac

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.crypto.signers import Signer


class ControlMac(RecordMac):
    """See `RecordMac`."""

    def __init__(self, secrets: Sequence[bytes | Signer], namespace: str) -> None:
        super().__init__(secrets, namespace, key_of=b"sekisho.control", person=b"control record")
