"""Paths as the most forgiving router would compare them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from sekisho.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ODD_CHARS_MAX = 2_048  # a longer path with dot segments or second escapes would take milliseconds to read
RAW_BYTES_MAX = 4_096  # in a longer one nothing matters that is not in the decoded path as well
DECODED_MAX = 2  # routers that decode a path once more than the server did

# Starlette's route patterns end in `$`, which also matches before a line feed: `/login%0A` is `/login` there.
_IGNORED_AT_END = "/ \t\n\v\f\r"
# What one router takes as part of a segment and another for its end, an escape, or nothing at all.
_CUT = re.compile(r"[#?;]")
# RFC 9112 section 3.2.2, in its plain form: parsers of URLs differ about everything else that may stand there.
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^/?#;\\\x00-\x20\x7f]*(?P<path>/[^?#;\\\x00-\x20\x7f]*)?")


def path_key(path: str) -> str:
    """What a path is compared by: `/Login/`, `//login` and `/x/../login` are all `/login`; `/` is empty.

    Covering more paths than the application answers is harmless, covering fewer is CVE-2023-38507.
    """
    key = path.rstrip(_IGNORED_AT_END).casefold()
    return _flat(key) if "//" in key or "/." in key else key


def path_keys(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Every key under which some router may know the path of a request; the likeliest first.

    Of a path with dot segments both what it says and what it comes to: for the prefix `/files/` either counts.

    Raises:
        Unreadable: 400 for a target that is neither a path nor a plain absolute URL (`POST login`, `x:login`): what it
            leads to is another for each router, and no client sends it.
    """
    path: str = scope["path"]
    raw = scope.get("raw_path")
    if path[:1] == "/" and not scope.get("root_path") and (raw is None or raw == path.encode("utf-8", "replace")):
        key = path.rstrip(_IGNORED_AT_END).casefold()
        return _all_keys(scope) if _is_odd(key) else (key,)
    return _all_keys(scope)


def _all_keys(scope: Mapping[str, Any]) -> tuple[str, ...]:
    root = (scope.get("root_path") or "").rstrip("/").casefold()
    path = scope["path"].casefold()
    if _is_stray(path, root):
        raise Unreadable(400, "request_target")
    keys: dict[str, None] = {}
    for written in _written(path, scope.get("raw_path")):
        for target in _targets(written, root):
            keys.update(dict.fromkeys(_keys(target)))
    return tuple(keys)


def _is_stray(path: str, root: str) -> bool:
    return not (path[:1] in {"", "/"} or path == "*" or (root and path.startswith(root)) or _ABSOLUTE.fullmatch(path))


def _written(path: str, raw: bytes | None) -> tuple[str, ...]:
    """The path as the server decoded it, and as it came: Sanic and BlackSheep route that."""
    if raw is None or len(raw) > RAW_BYTES_MAX:
        return (path,)
    # Some test clients put the query there as well.
    came = _unquoted(raw.partition(b"?")[0])
    return (path,) if came == path else (path, came)


def _targets(path: str, root: str) -> Iterator[str]:
    """What may be routed: the path, or that of a URL, with and without the mount point."""
    for target in _of_url(path):
        if not root:
            yield _slashed(target)
            continue
        # uvicorn puts the mount point before the target, Hypercorn leaves it out. Django, Quart and BlackSheep drop it
        # wherever a path begins so (`/srvlogin`), Litestar where it first appears.
        _, found, after = target.partition(root)
        if found:
            yield from map(_slashed, _of_url(after))
        yield _slashed(target)
        yield _slashed(root + _slashed(target))


def _of_url(path: str) -> Iterator[str]:
    # `/http://x/login`: some drop a slash, or the mount point before the URL.
    absolute = _ABSOLUTE.fullmatch(path, path.startswith("/") and not path.startswith("//"))
    if absolute is not None:
        yield absolute["path"] or "/"
    yield path


def _slashed(path: str) -> str:
    return path if path[:1] == "/" else "/" + path


def _keys(path: str) -> Iterator[str]:
    if not _is_odd(path):
        yield path.rstrip(_IGNORED_AT_END)
        return
    if len(path) > ODD_CHARS_MAX and ("/." in path or "%" in path):
        raise Unreadable(400, "request_target")
    for spelling in _spellings(path):
        key = spelling.rstrip(_IGNORED_AT_END)
        yield key
        if "//" in key:
            yield re.sub("//+", "/", key)
        if "/." in key:
            yield _flat(key)


def _spellings(path: str) -> Iterator[str]:
    for _ in range(DECODED_MAX + 1):
        yield path
        yield _CUT.split(path, maxsplit=1)[0]
        if "%" not in path:
            return
        path = _unquoted(path.encode("utf-8", "replace"))


def _unquoted(path: bytes) -> str:
    return unquote_to_bytes(path).decode("utf-8", "replace").casefold()


def _is_odd(path: str) -> bool:
    return "//" in path or "/." in path or "%" in path or "#" in path or "?" in path or ";" in path


def _flat(key: str) -> str:
    segments: list[str] = []
    for segment in key.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    return "".join("/" + segment for segment in segments)
