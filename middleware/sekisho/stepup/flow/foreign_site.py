"""Whether a browser sends a request because another site caused it.

A form of another site is sent without our cookies (they are `SameSite=Lax`), but its answer may still set some. Posted
to the owner's page, it would replace the binding of the visitor's session; posted to a step-up, the key of the browser.
A CSRF token in the page does not help, since the refusal of a request without a token already does the harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_OUR_OWN: Final = frozenset({b"same-origin", b"none"})  # `none`: typed, or from a bookmark


def is_foreign(by_name: Mapping[bytes, bytes]) -> bool:
    """Whether the headers of a request say that a page of another origin sent it.

    Browsers say so in `Sec-Fetch-Site` since 2023; before that, a post had an `Origin`, which is compared with `Host`.
    A program sends neither and brings no cookies of a visitor's.

    Args:
        by_name: headers by lower-case name.
    """
    site, origin = by_name.get(b"sec-fetch-site"), by_name.get(b"origin")
    if site is not None:
        return site not in _OUR_OWN
    return origin is not None and not _is_at(origin, by_name.get(b"host", b""))


def _is_at(origin: bytes, host: bytes) -> bool:
    # Without the scheme, which is unknown behind a proxy that ends TLS. Our pages never send `null`.
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower().encode("latin-1") == host.lower() != b""
    except ValueError:
        return False
