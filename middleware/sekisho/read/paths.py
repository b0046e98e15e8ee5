"""Paths as the most lenient router would compare them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from sekisho.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ODD_CHARS_MAX = 2_048  # a longer path with dot segments or second escapes would take milliseconds to read
FOREIGN_CHARS_MAX = 16_384  # of a path beyond ASCII; folding the case of a longer one would, too
RAW_BYTES_MAX = 4_096  # of a longer one only the decoded path is read
DECODED_MAX = 2  # further rounds of decoding: some routers decode again after the server

# Starlette's route patterns end in `$`, which also matches before a line feed: `/login%0A` is `/login` there.
_IGNORED_AT_END = "/ \t\n\v\f\r"
# Some routers treat these as part of a segment, others as its end.
_CUT = re.compile(r"[#?;]")
_SLASHES = re.compile("//+")
ROOT_CHARS_MAX = 1_024  # of a mount point, whose placeholders clients choose
MOUNTS_MAX = 8
SLASHES_MAX = 64  # doubled ones, in a path that long; URLs as a part of a path have one or two
# RFC 9112 section 3.2.2, in its plain form: URL parsers differ about all other forms.
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^/?#;\\\x00-\x20\x7f]*(?P<path>/[^?#;\\\x00-\x20\x7f]*)?")


def path_key(path: str) -> str:
    """The key for comparing paths: `/Login/`, `//login` and `/x/../login` are all `/login`; `/` is empty.

    Covering more paths than the application answers is harmless; covering fewer is CVE-2023-38507.
    """
    key = path.rstrip(_IGNORED_AT_END).casefold()
    return _flat(key) if "//" in key or "/." in key else key


def path_keys(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Every key under which some router may look up the path of a request; the likeliest first.

    A path with dot segments has a key before and after resolving them: for the prefix `/files/` either counts.

    Raises:
        Unreadable: 400 for a target that is neither a path nor a plain absolute URL (`POST login`, `x:login`): each
            router reads it differently, and no client sends it.
    """
    path: str = scope["path"]
    raw = scope.get("raw_path")
    if path[:1] == "/" and not scope.get("root_path") and (raw is None or raw == path.encode("utf-8", "replace")):
        key = path.rstrip(_IGNORED_AT_END).casefold()
        return _all_keys(scope) if _is_odd(key) else (key,)
    return _all_keys(scope)


def _all_keys(scope: Mapping[str, Any]) -> tuple[str, ...]:
    if len(scope["path"]) > FOREIGN_CHARS_MAX and not scope["path"].isascii():
        raise Unreadable(400, "request_target")
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
    """The path as the server decoded it, and the raw path, decoded here: Sanic and BlackSheep route the raw one."""
    if raw is None or len(raw) > RAW_BYTES_MAX:
        return (path,)
    # Some test clients include the query in `raw_path`.
    came = _unquoted(raw.partition(b"?")[0])
    return (path,) if came == path else (path, came)


def _targets(path: str, root: str) -> Iterator[str]:
    """The paths that a router may use: the path itself, or that of a URL, with and without the mount point."""
    for target in _of_url(path):
        if not root:
            yield _slashed(target)
            continue
        # uvicorn prepends the mount point to the target, Hypercorn does not. Django, Quart and BlackSheep remove it
        # as a mere prefix (`/srvlogin`), Litestar at its first occurrence.
        _, found, after = target.partition(root)
        if found:
            yield from map(_slashed, _of_url(after))
        for outer in outer_mounts(root):
            if target.startswith(outer):
                yield _slashed(target[len(outer) :])
        yield _slashed(target)
        yield _slashed(root + _slashed(target))


def outer_mounts(root: str) -> list[str]:
    """The mount points around one, the outermost first: `/srv` of `/srv/auth`.

    A guard inside a mounted application sees the server's mount point as well, where its operator wrote a door's path
    without it.
    """
    ends = [place for place, char in enumerate(root[:ROOT_CHARS_MAX]) if char == "/" and place]
    return [root[:end] for end in ends[:MOUNTS_MAX]]


def _of_url(path: str) -> Iterator[str]:
    # `/http://x/login`: some routers remove a slash, or the mount point, before the URL.
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
    if len(path) > ODD_CHARS_MAX and ("/." in path or "%" in path or path.count("//") > SLASHES_MAX):
        raise Unreadable(400, "request_target")
    for spelling in _spellings(path):
        key = spelling.rstrip(_IGNORED_AT_END)
        yield key
        if "//" in key:
            yield _SLASHES.sub("/", key)
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
