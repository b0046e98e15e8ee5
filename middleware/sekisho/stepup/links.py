"""Links in notices. They lead to a page that asks: was this you?

A link is a sealed text in the fragment of a URL: browsers send no fragment to any server, so it stands in no log and no
`Referer`. A reader of the mail may answer the question once, and no more: a link authorises no password and no factor.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model.text import base64url, base64url_or_empty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.crypto.signers import Signer
    from sekisho.store.vault import Vault

LINK_S: Final = 7 * 86_400
"""How long a link may be answered: people read mail after a holiday. Letters name it in days."""

TOKEN_CHARS_MAX: Final = 2_048
_PURPOSE: Final = b"notice link"


class LinkQuestion(NamedTuple):
    """What a link asks about.

    Attributes:
        kind: of the notice.
        account: exactly as the application reads it.
        device: the name of the device that was used, 8 bytes; empty if the notice concerns none.
    """

    kind: str
    account: str
    device: bytes

    def __repr__(self) -> str:
        return f"Question({self.kind!r}, ...)"


class NoticeLinks:
    """Makes links and opens them.

    Args:
        secrets: the service's, newest first.
        vault: remembers which links were answered.
        url: of the pages; None makes no links.
        clock_s: Unix time.
    """

    def __init__(
        self, secrets: Sequence[bytes | Signer], vault: Vault, url: str | None, *, clock_s: Callable[[], float]
    ) -> None:
        self._sealer = Sealer(secrets, clock_s=clock_s)
        self._keys = VaultKeys(secrets)
        self._vault = vault
        self._url = url
        self._clock_s = clock_s

    def link(self, question: LinkQuestion) -> str:
        """Return the URL of a page that asks the owner this question; empty if the site has no such pages."""
        if self._url is None:
            return ""
        ends_s = int(self._clock_s()) + LINK_S
        asked = json.dumps([ends_s, question.kind, question.account, question.device.hex()]).encode()
        return f"{self._url}/notice#{base64url(self._sealer.seal(_PURPOSE, asked, bound_to=b''))}"

    async def answered(self, token: str) -> LinkQuestion | None:
        """Mark a link as answered, and return its question. None if it was answered, has expired, or is no link.

        Raises:
            StoreUnavailable: whether it was answered is unknown.
        """
        sealed = base64url_or_empty(token, TOKEN_CHARS_MAX)
        question, ends_s = self._opened(sealed)
        if question is None or self._clock_s() >= ends_s:
            return None
        # The key is made from the decoded bytes: base64 has several spellings of one token.
        is_first = await self._vault.once(self._keys.of(b"notice link", sealed), seconds=LINK_S)
        return question if is_first else None

    def _opened(self, sealed: bytes) -> tuple[LinkQuestion | None, int]:
        try:
            ends_s, kind, account, device = json.loads(self._sealer.open(_PURPOSE, sealed, bound_to=b""))
        except Unsealable:
            return None, 0
        return LinkQuestion(kind, account, bytes.fromhex(device)), ends_s
