"""Read the amount that a request at a capped route names, or refuse the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sekisho.model import Unreadable
from sekisho.read.fields import read_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Door

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


def read_amount(door: Door, scope: Mapping[str, Any], body: bytes, *, raw: bytes) -> int:
    """Return the amount that a request names, in minor units, 0 to 10^15 - 1. Raises `Unreadable` for other text.

    The door has one field, its account's, and the amount stands there.

    Read as strictly as accounts are. `1e6`, `+5`, `05`, `1,000` and `1.00` are numbers to some parsers and others to
    some, so only plain digits are read: the sum here must be the sum that the application moves.
    """
    found = read_credentials(door, scope, body, raw=raw)
    text = "" if found is None else found.account
    if not _AMOUNT.fullmatch(text):
        raise Unreadable(400, "amount")
    return int(text)
