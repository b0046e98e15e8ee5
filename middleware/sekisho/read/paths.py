"""Paths as the most forgiving router would compare them."""

from __future__ import annotations

# Starlette's route patterns end in `$`, which also matches before a line feed: `/login%0A` is `/login` there.
_IGNORED_AT_END = "/ \t\n\v\f\r"


def path_key(path: str) -> str:
    """What a path is compared by: `/Login/`, `//login` and `/x/../login` are all `/login`; `/` is empty.

    Covering more paths than the application answers is harmless, covering fewer is CVE-2023-38507.
    """
    key = path.rstrip(_IGNORED_AT_END).casefold()
    return _flat(key) if "//" in key or "/." in key else key


def _flat(key: str) -> str:
    segments: list[str] = []
    for segment in key.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    return "".join("/" + segment for segment in segments)
