"""Paths with placeholders, `/password-recovery/{email}`: match requests and read the values.

A placeholder is one whole segment. The server percent-decodes its value once, as frameworks expect.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sekisho.model import Unreadable
from sekisho.read.paths import outer_mounts

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")

# Django REST framework's routers also find `/login.json`, for the formats of its renderers.
FORMATS: Final = (
    ".json", ".api", ".html", ".xml", ".yaml", ".csv", ".txt", ".msgpack", ".jsonp", ".admin", ".form", ".multipart",
)  # fmt: skip
_FORMAT: Final = f"(?:{'|'.join(map(re.escape, FORMATS))})?"

# Routers that cut, merge or decode a path once more read different accounts from it.
_DOUBTFUL: Final = ("//", "/.", "%", "#", "?", ";", "\ufffd")


class Template:
    """A door's path with placeholders."""

    __slots__ = ("_key", "_path")

    def __init__(self, path: str) -> None:
        pieces = PLACEHOLDER.split(path.rstrip("/"))
        # Texts and names alternate.
        texts = [re.escape(piece) for piece in pieces[::2]]
        self._key = re.compile("[^/]+".join(texts).casefold() + _FORMAT)
        by_name = [f"(?P<{name}>[^/]+)" for name in pieces[1::2]]
        self._path = re.compile("".join(map("".join, zip(texts, [*by_name, ""], strict=True))) + "/?", re.IGNORECASE)

    def matches(self, keys: tuple[str, ...]) -> bool:
        """Whether a request may match the template. `keys`: those of its path, as `path_keys` returns them."""
        return any(self._key.fullmatch(key) for key in keys)

    def values(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """The value of each placeholder. Raises `Unreadable` (400) if routers would disagree about it."""
        path: str = scope["path"]
        if any(mark in path for mark in _DOUBTFUL):
            raise Unreadable(400, "path_doubtful")
        root = (scope.get("root_path") or "").rstrip("/")
        if root and path.startswith(root) and path[len(root) :][:1] not in {"", "/"}:  # `/srvhana`
            raise Unreadable(400, "path_doubtful")
        # With and without a mount point, a path has different numbers of segments: only one of them can match.
        spellings = [path, path.removeprefix(root), *(path.removeprefix(outer) for outer in outer_mounts(root))]
        match = next(filter(None, map(self._path.fullmatch, spellings)), None)
        if match is None:
            raise Unreadable(400, "path_doubtful")
        return match.groupdict()


def same_route(path: str) -> str:
    """The key of equivalent paths: without case, the last slash and the placeholders' names."""
    return PLACEHOLDER.sub("{}", path).rstrip("/").casefold()
