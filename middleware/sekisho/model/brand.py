"""What a site's pages look like: its name, its colours and its logo."""

from __future__ import annotations

from typing import Final, NamedTuple


class Logo(NamedTuple):
    """A picture that the guard serves itself.

    Attributes:
        path: below the mount; contains a digest of the content.
        content_type: `image/png` or `image/svg+xml`.
        body: the content.
    """

    path: str
    content_type: bytes
    body: bytes


class Brand(NamedTuple):
    """A site's own look; every part may be missing.

    Attributes:
        name: of the service; empty if the operator has set none.
        color, color_dark: `#rrggbb`, of buttons and links, on light and on dark pages.
        logo_address: a path on the same origin.
        logo: the picture at that path, if the guard serves it.
    """

    name: str = ""
    color: str = ""
    color_dark: str = ""
    logo_address: str = ""
    logo: Logo | None = None


NO_BRAND: Final = Brand()
