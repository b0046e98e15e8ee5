"""Split the URL in a setting, of a store or of another service."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

URL_CHARS_MAX = 2_048
VISIBLE = re.compile(rf"[!-~]{{1,{URL_CHARS_MAX}}}")


def is_loopback(host: str) -> bool:
    """Whether a host names this machine, so that nobody on the way reads plain text: `localhost` or such an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def split_url(text: str) -> SplitResult | None:
    """Return the parts of a URL; None for a text that is none, has a fragment, or is not of visible ASCII."""
    try:
        url = urlsplit(text)
        usable = bool(VISIBLE.fullmatch(text)) and "://" in text and not url.fragment and url.port != 0
    except ValueError:  # its text may repeat a part of the URL, so it must not propagate
        return None
    return url if usable else None
